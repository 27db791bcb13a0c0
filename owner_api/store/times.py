"""Instants as sortable text in the database and as short text in answers."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import orjson

# The characters of an instant with microseconds, and those before its zone.
_EXACT: Final = 27
_UNZONED: Final = 26


def _iso(utc: datetime) -> str:
    return f"{utc.isoformat(timespec='microseconds')[:_UNZONED]}Z"


def encode(instant: datetime) -> str:
    """Return an aware instant as ``2026-12-01T05:30:00.000000Z``: always 27 characters.

    Raises ValueError for a naive datetime: nobody knows which instant it means.
    """
    if instant.tzinfo is None:
        raise ValueError("a stored instant needs a time zone")
    # In UTC first: of a local hour that is repeated both times pass for equal.
    return encode_utc(instant if instant.tzinfo is UTC else instant.astimezone(UTC))


# One command writes its instant into many rows.
@lru_cache(maxsize=512)
def encode_utc(utc: datetime) -> str:
    """Return an aware instant in UTC as ``encode`` does."""
    # Several times quicker than isoformat, which is for subclasses, but leaves out a zero fraction.
    text = orjson.dumps(utc, _iso, orjson.OPT_UTC_Z)[1:-1].decode()
    return text if len(text) == _EXACT else f"{text[:-1]}.000000Z"


def decode(text: str) -> datetime:
    """Return the aware UTC instant of a text that ``encode`` made."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo is UTC else at.astimezone(UTC)


def render(instant: datetime) -> str:
    """Return RFC 3339 in UTC with Z for an answer; no fraction when it is zero."""
    if instant.tzinfo is None:
        raise ValueError("an answered instant needs a time zone")
    utc = instant.astimezone(UTC).replace(tzinfo=None)
    if not utc.microsecond:
        return f"{utc.isoformat(timespec='seconds')}Z"
    exact = "milliseconds" if utc.microsecond % 1000 == 0 else "microseconds"
    return f"{utc.isoformat(timespec=exact)}Z"
