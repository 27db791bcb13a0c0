"""Charging sessions from CSV files: our canonical columns, or the Trondheim data set as published.

Canonical: ``session_id,user_id,plugged_in_at,unplugged_at,energy_wh``, comma separated, times RFC
3339 with an offset, energy a whole number of Wh at the charger's meter.

Trondheim: Sørensen et al. 2021, Data in Brief 36:107105: ``;`` separated, decimal comma, local
Norwegian clock time ``dd.mm.yyyy HH:MM``, energy in kWh, ``NA`` where a car was still plugged in.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

CANONICAL_COLUMNS = ("session_id", "user_id", "plugged_in_at", "unplugged_at", "energy_wh")
TRONDHEIM_COLUMNS = ("session_ID", "User_ID", "Start_plugin", "End_plugout", "El_kWh")
TRONDHEIM_TIMEZONE = "Europe/Oslo"
# A session's energy above this is a meter fault, not a car: no car sold today holds 1 MWh.
MAX_ENERGY_WH = 1_000_000


class SkipReason(StrEnum):
    """Why a row became no session."""

    STILL_PLUGGED_IN = "still_plugged_in"
    NO_DURATION = "no_duration"
    BAD_TIME = "bad_time"
    BAD_ENERGY = "bad_energy"
    MISSING_ID = "missing_id"
    DUPLICATE_ID = "duplicate_id"


class SessionsCsvError(ValueError):
    """The file as a whole is no session list; the message says which columns would pass."""


class _SkipRowError(Exception):
    """One row cannot be read; carries the reason it is counted under."""

    def __init__(self, reason: SkipReason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """One stay at a charger that has ended: UTC times, energy into the car in Wh (0 or more)."""

    session_id: str
    user_id: str
    plugged_in_at: datetime
    unplugged_at: datetime
    energy_wh: int

    @property
    def dwell_h(self) -> float:
        """Hours from plug-in to plug-out, always above 0."""
        return (self.unplugged_at - self.plugged_in_at).total_seconds() / 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionsRead:
    """What a file held: sessions by plug-in time, skipped rows by reason, the file's own zone.

    `timezone` is the IANA zone the file's clock times were written in, None where it only has UTC.
    """

    sessions: tuple[Session, ...]
    skipped: Mapping[SkipReason, int]
    timezone: str | None


def read_sessions(path: Path) -> SessionsRead:
    """Read a file in either layout, told apart by its header.

    Raises SessionsCsvError when the header is neither or the file is no CSV text, OSError when it
    cannot be opened.
    """
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return parse_sessions(lines)


def parse_sessions(lines: Iterable[str]) -> SessionsRead:
    """Read lines of CSV text, header first, in either layout; raises SessionsCsvError as above."""
    try:
        return _parse(lines)
    except (csv.Error, UnicodeDecodeError) as error:
        raise SessionsCsvError(f"not readable as UTF-8 CSV text: {error}") from error


def _parse(lines: Iterable[str]) -> SessionsRead:
    iterator = iter(lines)
    header = next(iterator, "").lstrip("\ufeff").strip()
    timezone: str | None
    if set(TRONDHEIM_COLUMNS) <= set(_columns(header, ";")):
        delimiter, timezone, read_row = ";", TRONDHEIM_TIMEZONE, _trondheim_row
    elif set(CANONICAL_COLUMNS) <= set(_columns(header, ",")):
        delimiter, timezone, read_row = ",", None, _canonical_row
    else:
        raise SessionsCsvError(
            f"the header has neither the columns {','.join(CANONICAL_COLUMNS)} separated by commas "
            f"nor {';'.join(TRONDHEIM_COLUMNS)} among columns separated by semicolons"
        )
    rows = csv.DictReader(iterator, fieldnames=_columns(header, delimiter), delimiter=delimiter)
    sessions, skipped = _read_rows(rows, read_row)
    ordered = sorted(sessions, key=lambda s: (s.plugged_in_at, s.unplugged_at, s.session_id))
    return SessionsRead(
        sessions=tuple(ordered), skipped=MappingProxyType(dict(skipped)), timezone=timezone
    )


def _columns(header: str, delimiter: str) -> list[str]:
    return [name.strip() for name in next(csv.reader([header], delimiter=delimiter), [])]


type _Row = Mapping[str, str | None]


def _read_rows(
    rows: Iterable[_Row], read_row: Callable[[_Row], Session]
) -> tuple[list[Session], Counter[SkipReason]]:
    sessions: list[Session] = []
    skipped: Counter[SkipReason] = Counter()
    seen: set[str] = set()
    for row in rows:
        try:
            session = read_row(row)
        except _SkipRowError as skip:
            skipped[skip.reason] += 1
            continue
        if session.session_id in seen:
            skipped[SkipReason.DUPLICATE_ID] += 1
            continue
        seen.add(session.session_id)
        sessions.append(session)
    return sessions, skipped


def _canonical_row(row: _Row) -> Session:
    unplugged = _text(row, "unplugged_at")
    if not unplugged:
        raise _SkipRowError(SkipReason.STILL_PLUGGED_IN)
    return _session(
        session_id=_text(row, "session_id"),
        user_id=_text(row, "user_id"),
        plugged_in_at=_rfc3339(_text(row, "plugged_in_at")),
        unplugged_at=_rfc3339(unplugged),
        energy_wh=_energy_wh(_text(row, "energy_wh")),
    )


def _trondheim_row(row: _Row) -> Session:
    unplugged = _text(row, "End_plugout")
    if unplugged in {"", "NA"}:
        raise _SkipRowError(SkipReason.STILL_PLUGGED_IN)
    return _session(
        session_id=_text(row, "session_ID"),
        user_id=_text(row, "User_ID"),
        plugged_in_at=_norwegian(_text(row, "Start_plugin")),
        unplugged_at=_norwegian(unplugged),
        energy_wh=_energy_wh(_text(row, "El_kWh").replace(",", "."), wh_per_unit=1000),
    )


def _session(
    *,
    session_id: str,
    user_id: str,
    plugged_in_at: datetime,
    unplugged_at: datetime,
    energy_wh: int,
) -> Session:
    if not session_id or not user_id:
        raise _SkipRowError(SkipReason.MISSING_ID)
    if unplugged_at <= plugged_in_at:
        raise _SkipRowError(SkipReason.NO_DURATION)
    return Session(
        session_id=session_id,
        user_id=user_id,
        plugged_in_at=plugged_in_at,
        unplugged_at=unplugged_at,
        energy_wh=energy_wh,
    )


def _text(row: _Row, column: str) -> str:
    return (row.get(column) or "").strip()


def _rfc3339(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise _SkipRowError(SkipReason.BAD_TIME)
        return moment.astimezone(UTC)
    except ValueError, OverflowError:
        raise _SkipRowError(SkipReason.BAD_TIME) from None


def _norwegian(text: str) -> datetime:
    """Norwegian clock time to UTC; the doubled autumn hour is read as its first pass."""
    try:
        local = datetime.strptime(text, "%d.%m.%Y %H:%M").replace(
            tzinfo=ZoneInfo(TRONDHEIM_TIMEZONE)
        )
        return local.astimezone(UTC)
    except ValueError, OverflowError:
        raise _SkipRowError(SkipReason.BAD_TIME) from None


def _energy_wh(text: str, *, wh_per_unit: int = 1) -> int:
    try:
        energy = Decimal(text) * wh_per_unit
    except InvalidOperation:
        raise _SkipRowError(SkipReason.BAD_ENERGY) from None
    if not energy.is_finite() or not 0 <= energy <= MAX_ENERGY_WH:
        raise _SkipRowError(SkipReason.BAD_ENERGY)
    return int(energy.to_integral_value(rounding=ROUND_HALF_EVEN))
