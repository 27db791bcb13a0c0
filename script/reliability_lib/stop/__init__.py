"""Promise 4, measured: how fast a stop arrives, and what holds where it cannot arrive."""
