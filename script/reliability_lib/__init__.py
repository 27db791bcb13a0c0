"""The failure harnesses: each breaks the server in one way, counts, and proves it can fail."""
