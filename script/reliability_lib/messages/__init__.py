"""Owners and parks whose messages arrive twice, late and in the wrong order."""
