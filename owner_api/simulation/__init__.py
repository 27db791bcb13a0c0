"""Virtual cars, chargers and a park that speak only the public API."""
