"""A server whose clock is stepped and set back under what is live."""
