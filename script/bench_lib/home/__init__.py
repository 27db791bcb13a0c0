"""A real Home Assistant with twenty vehicles and chargers: set-up, blocks, traffic, writes."""
