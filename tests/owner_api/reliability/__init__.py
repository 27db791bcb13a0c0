"""Short runs of the failure harnesses, and proof that each of them can fail."""
