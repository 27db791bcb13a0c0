"""Plays recorded plug-in sessions: a car for each lane of stays, one stay after the other."""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
import random
from typing import Final

from owner_api.sessions_csv import Session

from .battery import BatterySpec
from .stage import Stage
from .visit import Guest

SHORTEST_ASKED: Final = timedelta(hours=1)
RULE_SHARE: Final = 0.25
_CAPACITIES_WH: Final = (40_000, 52_000, 58_000, 64_000, 77_000, 100_000)
_CHARGE_W: Final = 7_400.0
# Between two stays a car needs a moment to be another one.
_CHANGE_OVER: Final = timedelta(minutes=1)


@dataclass(slots=True)
class Progress:
    """How far a long run has come."""

    total: int
    done: int = 0
    now: datetime | None = None


class Replay(ABC):
    """Plays recorded sessions; ``progress`` hears of each stay that has ended."""

    def __init__(
        self,
        stage: Stage,
        sessions: tuple[Session, ...],
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._stage = stage
        self._lanes = _lanes(sessions)
        self._progress = Progress(total=len(sessions))
        self._tell = progress

    async def run(self) -> None:
        """Play all sessions; returns when the last settlement has become final."""
        guests = [(await self._guest(*lane, stays), stays) for lane, stays in self._lanes.items()]
        for guest, stays in guests:
            self._stage.world.spawn(self._live(guest, stays))
        await self._stage.world.run()

    async def _live(self, guest: Guest, stays: list[Session]) -> None:
        rng = random.Random(f"{self._stage.seed}/{guest.owned.car.name}/stays")
        for stay in stays:
            await self._stay(guest, stay, rng)
            self._progress.done += 1
            self._progress.now = self._stage.world.now()
            if self._tell:
                self._tell(self._progress)

    @abstractmethod
    async def _guest(self, user_id: str, number: int, stays: list[Session]) -> Guest:
        """Draw the car of a lane and its owner."""

    @abstractmethod
    async def _stay(self, guest: Guest, stay: Session, rng: random.Random) -> None:
        """Play one stay."""


def car_name(user_id: str, number: int) -> str:
    """Return what a user's car of a lane is called."""
    return user_id if number == 0 else f"{user_id}+{number}"


def fitting_battery(
    stays: list[Session], rng: random.Random, *, max_discharge_w: int
) -> BatterySpec:
    """Draw a battery that every recorded charge of a lane fits into."""
    largest_wh = max(stay.energy_wh for stay in stays)
    efficiency = rng.choice((0.90, 0.92, 0.94))
    fitting = [c for c in _CAPACITIES_WH if c * 0.85 >= largest_wh * efficiency]
    capacity_wh = rng.choice(fitting) if fitting else int(largest_wh * efficiency / 0.85)
    fastest_w = max(stay.energy_wh / stay.dwell_h for stay in stays)
    return BatterySpec(
        usable_capacity_wh=capacity_wh,
        max_charge_w=int(max(_CHARGE_W, fastest_w)) + 1,
        max_discharge_w=max_discharge_w,
        charge_efficiency=efficiency,
        discharge_efficiency=efficiency,
    )


def gained_pct(spec: BatterySpec, stay: Session) -> float:
    """Return how much of a battery (%) a stay's recorded energy fills."""
    return 100 * stay.energy_wh * spec.charge_efficiency / spec.usable_capacity_wh


def _lanes(sessions: tuple[Session, ...]) -> dict[tuple[str, int], list[Session]]:
    """Give each user as many cars, each in a hand of its own, as were ever plugged in at once."""
    by_user: dict[str, list[Session]] = defaultdict(list)
    for session in sessions:
        by_user[session.user_id].append(session)
    found: dict[tuple[str, int], list[Session]] = {}
    for user_id, stays in by_user.items():
        for stay in sorted(stays, key=lambda each: each.plugged_in_at):
            found.setdefault((user_id, _free_car(found, user_id, stay)), []).append(stay)
    return found


def _free_car(taken: dict[tuple[str, int], list[Session]], user_id: str, stay: Session) -> int:
    for number in _count():
        lane = taken.get((user_id, number))
        if lane is None or lane[-1].unplugged_at + _CHANGE_OVER <= stay.plugged_in_at:
            return number
    raise AssertionError("counting has no end")


def _count() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1
