"""Power cuts: everything not synced is gone, and a random part of it is half there."""
