"""Generated requests against the served contract, and a table of what was answered."""
