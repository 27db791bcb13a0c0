"""What a machine answers: the one move it makes, or why nothing changes."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Moved[S: StrEnum]:
    """The one event of these machines: the thing is now in ``to``, for ``reason``."""

    to: S
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A command that changes nothing; ``code`` is a problem code of the API."""

    code: str
    detail: str
