"""The whole API against an independent model of it, one random step at a time."""
