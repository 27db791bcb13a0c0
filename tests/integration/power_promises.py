"""What a home charger did, one row a second, and the promises that every row must keep.

Nothing here asks the executor: the rows say what was ordered, what flowed and what was truly in
the battery, beside what this home could know in that second.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

# Promise 4: zero within this time where the charger can be reached.
STOP_WITHIN: Final = timedelta(seconds=5)
# The charger itself needs up to two seconds from full power to none.
RAMP: Final = timedelta(seconds=2)
# Promise 3: neither meter nor reading for so long is blind; the meter carries ten points at most.
BLIND_AFTER: Final = timedelta(seconds=60)
CARRIED_AT_MOST_PCT: Final = 10.0
# A standing charger's electronics.
NOTHING_W: Final = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """One second: power in W, + into the car; states of charge in percent; instants in UTC."""

    at: datetime
    ordered_w: float
    """What the charger was last told."""
    power_w: float
    """What flows."""
    soc_pct: float
    """What is truly in the battery."""
    soc_shown_pct: float
    """What the car's sensor says."""
    soc_told_at: datetime
    meter_told_at: datetime
    plugged: bool
    home: str
    """This home: up, down (ended in order) or crashed (nobody there)."""
    link: bool
    """The API can be heard."""
    deal: str
    """The deal that has been consented to and awarded, empty while there is none."""
    lease_until: datetime | None
    """The last lease that reached this home."""
    event: str = ""
    """What happened to home, link, car or deal in this second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the owner was promised: limits in percent, and when the car must be ready."""

    floor_pct: float
    soc_max_age: timedelta
    ready_at: datetime | None = None
    ready_pct: float = 0.0


type Broken = Iterator[tuple[Second, str]]


def violations(record: Iterable[Second], terms: Terms) -> list[str]:
    """Return every second in which a promise was broken, and which."""
    rows = list(record)
    # A crashed home's charger keeps its last setting: docs/home-chargers.md says so under Limits.
    judged = list(_with_somebody_there(rows))
    found = [
        *_battery(rows, terms),
        *((row, said) for row in judged for said in _discharge(row, terms)),
        *_restarted(judged),
        *_stopped(judged),
    ]
    return [
        f"{row.at:%H:%M:%S}: {said}" for row, said in sorted(found, key=lambda each: each[0].at)
    ]


def _with_somebody_there(rows: Iterable[Second]) -> Iterator[Second]:
    """Yield all seconds but those of a crash and the first five after it."""
    back_at: datetime | None = None
    home = "up"
    for row in rows:
        if row.event == "home started":
            back_at = row.at if home == "crashed" else None
        home = row.home
        grace = back_at is not None and row.at < back_at + STOP_WITHIN
        if row.home != "crashed" and not grace:
            yield row


def _battery(rows: Iterable[Second], terms: Terms) -> Broken:
    """Yield where the floor did not hold, or the car was not ready."""
    for row in rows:
        if row.soc_pct < terms.floor_pct:
            yield row, f"promise 2: {row.soc_pct:.2f} % is below the floor"
        if terms.ready_at == row.at and row.soc_pct < terms.ready_pct:
            yield row, f"promise 2: the car leaves with {row.soc_pct:.2f} %"


def _restarted(rows: Iterable[Second]) -> Broken:
    """Yield discharges ordered by a home that has ended, or that has not heard the API since."""
    heard = True
    for row in rows:
        heard = row.link or (heard and row.event != "home started")
        if row.ordered_w < 0 and row.home == "down":
            yield row, "promise 3: ordered with nobody to watch"
        elif row.ordered_w < 0 and not heard:
            yield row, "promise 3: ordered after a restart before the API has spoken"


def _stopped(rows: Iterable[Second]) -> Broken:
    """Yield what flows of a deal five seconds after it was stopped, or its car unplugged."""
    halted: Second | None = None
    for row in rows:
        if row.event in {"stop", "unplugged"}:
            halted = row
        if halted is None or row.deal != halted.deal:
            halted = None
        elif row.at >= halted.at + STOP_WITHIN and _flows(row):
            yield row, f"promise 4: it was stopped at {halted.at:%H:%M:%S}"


def _flows(row: Second) -> bool:
    """Tell whether energy leaves the car, or is to."""
    return row.ordered_w < 0 or row.power_w < -NOTHING_W


def _discharge(row: Second, terms: Terms) -> Iterator[str]:
    """Yield what a discharge in this second breaks by itself."""
    if not _flows(row):
        return
    if not row.deal:
        yield "promise 1: nobody has said yes"
    if not row.plugged and row.ordered_w < 0:
        yield "promise 3: no car is there"
    for name, over in (
        ("the lease has ended", row.lease_until),
        ("the state of charge is too old", row.soc_told_at + terms.soc_max_age),
        ("neither meter nor car has spoken", _seen_at(row) + BLIND_AFTER),
    ):
        if over is None:
            yield f"promise 3: {name}, there was none"
        elif row.ordered_w < 0 and row.at >= over:
            yield f"promise 3: ordered after {over:%H:%M:%S}, {name}"
        elif row.at >= over + RAMP:
            yield f"promise 3: flows after {over:%H:%M:%S}, {name}"
    if row.ordered_w < 0 and row.soc_shown_pct - row.soc_pct > CARRIED_AT_MOST_PCT:
        yield "promise 3: carried by more than ten points"


def _seen_at(row: Second) -> datetime:
    """Return when meter or car last spoke."""
    return max(row.soc_told_at, row.meter_told_at)
