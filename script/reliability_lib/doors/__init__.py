"""Those who come to the door with bad intent, or with no intent to leave."""
