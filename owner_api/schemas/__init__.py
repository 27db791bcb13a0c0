"""Every message that crosses a boundary, once: leaves, owner, park and access messages."""
