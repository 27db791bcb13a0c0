"""kill -9 of the served API at random moments, under clients who ask again."""
