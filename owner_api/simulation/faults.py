"""Test-only switches: each takes one protection away, so that the counter is seen to count."""

from dataclasses import dataclass
from enum import StrEnum


class Protection(StrEnum):
    """A protection that a test may take away."""

    FLOOR = "floor"
    LEASE = "lease"
    CONSENT = "consent"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Faults:
    """Which protection is missing in this run; none in any run that means anything."""

    without: Protection | None = None

    @property
    def floor(self) -> bool:
        """Tell whether the floor and the departure minimum are kept from whoever checks them."""
        return self.without is Protection.FLOOR

    @property
    def lease(self) -> bool:
        """Tell whether chargers go on when their lease ends."""
        return self.without is Protection.LEASE

    @property
    def consent(self) -> bool:
        """Tell whether the park discharges on offers that nobody said yes to."""
        return self.without is Protection.CONSENT

    @property
    def stop(self) -> bool:
        """Tell whether the park ignores a stop."""
        return self.without is Protection.STOP
