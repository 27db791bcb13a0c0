"""Property tests judge answers, never the speed of the machine they run on."""

from hypothesis import settings

patient = settings(deadline=None)
