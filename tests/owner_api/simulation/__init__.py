"""The simulation: physics, the counter of broken promises, and whole runs."""
