"""Commands and queries: one function each, one transaction, no HTTP and no clock."""
