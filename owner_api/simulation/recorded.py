"""A park on recorded plug-in sessions: each stay of an hour or more gets one offer.

The recordings say when a car came and went and how much it charged. What they do not say is drawn
from the seed: per user a battery, wishes and a mind; per stay a state of charge that the recorded
energy fits into. The owner tells the recorded leave time (a forecast is another matter).
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
import random
from typing import Any, Final

from owner_api.sessions_csv import Session

from . import trouble
from .battery import BatterySpec
from .car import Car
from .deal import Deal
from .dispatch import next_step
from .guard import Guard
from .offers import terms
from .stage import Stage
from .trouble import Trouble
from .visit import Guest
from .wishes import Answer, Policy, Wishes

SCENE: Final = "recorded"
SHORTEST_ASKED: Final = timedelta(hours=1)
_CAPACITIES_WH: Final = (40_000, 52_000, 58_000, 64_000, 77_000, 100_000)
_CHARGE_W: Final = 7_400.0
_DISCHARGE_W: Final = 7_400
_LEAD: Final = timedelta(minutes=5)
_BUFFER: Final = timedelta(minutes=16)
_WINDOWS: Final = (timedelta(minutes=15), timedelta(minutes=15), timedelta(minutes=20))
# What a stay is asked for: about ten minutes at full power, so that many stays fit into a run.
_ASK_WH: Final = (700, 1_800)
_RULE_SHARE: Final = 0.25
# Between two stays a car needs a moment to be another one.
_CHANGE_OVER: Final = timedelta(minutes=1)


@dataclass(slots=True)
class Progress:
    """How far a long run has come."""

    total: int
    done: int = 0
    now: datetime | None = None


class Recording:
    """Plays recorded sessions; ``progress`` hears of each stay that has ended."""

    def __init__(
        self,
        stage: Stage,
        sessions: tuple[Session, ...],
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._stage = stage
        self._lanes = lanes(sessions)
        self._progress = Progress(total=len(sessions))
        self._tell = progress

    async def run(self) -> None:
        """Play all sessions; returns when the last settlement has become final."""
        guests = [(await self._guest(*lane, stays), stays) for lane, stays in self._lanes.items()]
        for guest, stays in guests:
            self._stage.world.spawn(self._live(guest, stays))
        await self._stage.world.run()

    async def _guest(self, user_id: str, number: int, stays: list[Session]) -> Guest:
        """Draw a car that every recorded charge of this user fits into, and an owner's mind."""
        rng = random.Random(f"{self._stage.seed}/{user_id}/{number}")
        largest_wh = max(stay.energy_wh for stay in stays)
        efficiency = rng.choice((0.90, 0.92, 0.94))
        fitting = [c for c in _CAPACITIES_WH if c * 0.85 >= largest_wh * efficiency]
        capacity_wh = rng.choice(fitting) if fitting else int(largest_wh * efficiency / 0.85)
        fastest_w = max(stay.energy_wh / stay.dwell_h for stay in stays)
        spec = BatterySpec(
            usable_capacity_wh=capacity_wh,
            max_charge_w=int(max(_CHARGE_W, fastest_w)) + 1,
            max_discharge_w=_DISCHARGE_W,
            charge_efficiency=efficiency,
            discharge_efficiency=efficiency,
        )
        by_rule = rng.random() < _RULE_SHARE
        wishes = Wishes(
            floor_pct=float(rng.randrange(20, 36, 5)),
            min_departure_pct=float(rng.randrange(40, 66, 5)),
            rule_min_price="1.10" if by_rule else None,
            policy=_mind(random.Random(rng.random())),
        )
        name = user_id if number == 0 else f"{user_id}+{number}"
        car = Car(name=name, spec=spec, guard=Guard(floor_pct=wishes.floor_pct))
        return await self._stage.add_guest(name, car, wishes, f"GARAGE-{name}")

    async def _live(self, guest: Guest, stays: list[Session]) -> None:
        rng = random.Random(f"{self._stage.seed}/{guest.owned.car.name}/stays")
        for stay in stays:
            await self._stay(guest, stay, rng)
            self._progress.done += 1
            self._progress.now = self._stage.world.now()
            if self._tell:
                self._tell(self._progress)

    async def _stay(self, guest: Guest, stay: Session, rng: random.Random) -> None:
        """Play one stay: charge what was recorded, perhaps sell in between, leave on time."""
        world, host = self._stage.world, self._stage.host
        spec = guest.owned.car.spec
        await world.until(stay.plugged_in_at)
        gained_pct = 100 * stay.energy_wh * spec.charge_efficiency / spec.usable_capacity_wh
        leaves_pct = rng.uniform(max(gained_pct + 10.0, 55.0), 100.0) if gained_pct < 90 else 100.0
        await host.arrive(guest, leaves_pct - gained_pct, stay.unplugged_at)
        guest.charger.plan_charging(world.now(), float(spec.max_charge_w), leaves_pct)
        leave_at = stay.unplugged_at
        if stay.unplugged_at - stay.plugged_in_at >= SHORTEST_ASKED:
            deal = await self._ask(guest, stay, rng)
            mishap, at = trouble.draw(rng), trouble.moment(deal, rng)
            if mishap is Trouble.GONE:
                await world.until(at)
                leave_at = at if guest.charger.lease_until else leave_at
            elif mishap is not Trouble.NONE and deal.state in ("presented", "accepted"):
                world.spawn(trouble.happen(world, guest, deal, mishap, at))
        await world.until(leave_at)
        await self._look_back(guest)
        await host.leave(guest)

    async def _ask(self, guest: Guest, stay: Session, rng: random.Random) -> Deal:
        world = self._stage.world
        offer_at, start_at, end_at = self._window(guest, stay, rng)
        await world.until(offer_at)
        if offer_at > stay.plugged_in_at + _LEAD:
            await guest.owner.report(guest.owned)
        return await self._stage.host.ask(
            guest,
            purpose="peak_price",
            terms=terms(
                start_at=start_at,
                end_at=end_at,
                energy_wh=rng.randrange(*_ASK_WH, 100),
                price=Decimal(rng.randrange(70, 151, 5)) / 100,
                min_energy_wh=500,
            )
            | {"max_discharge_w": _DISCHARGE_W},
            respond_by=start_at - timedelta(seconds=80),
            look_at=offer_at + timedelta(seconds=rng.randrange(20, 150, 10)),
        )

    def _window(
        self, guest: Guest, stay: Session, rng: random.Random
    ) -> tuple[datetime, datetime, datetime]:
        """Choose (offer, start, end): mostly after charging, always before the owner leaves."""
        length = rng.choice(_WINDOWS)
        latest = stay.unplugged_at - _BUFFER - length
        earliest = stay.plugged_in_at + 2 * _LEAD
        if latest < earliest:
            length, latest = _WINDOWS[0], earliest
        charging = timedelta(hours=stay.energy_wh / guest.owned.car.spec.max_charge_w)
        calm = min(latest, max(earliest, stay.plugged_in_at + charging + _LEAD))
        start_at = next_step(calm + rng.random() * (latest - calm) - timedelta(seconds=50))
        return start_at - _LEAD, start_at, start_at + length

    async def _look_back(self, guest: Guest) -> None:
        """Read how this stay's deal ended, as an owner does when driving off."""
        deal = guest.deals[-1] if guest.deals else None
        if deal and deal.session_id == guest.session_id and deal.commitment_id:
            await guest.owner.outcome(guest.owned, deal.offer_id)


def _mind(rng: random.Random) -> Policy:
    """Return an owner who says yes to two of five offers, no to some, nothing to the rest.

    With those that rules accept, about half of what is feasible is accepted.
    """

    def decide(_offer: dict[str, Any]) -> Answer:
        return rng.choices((Answer.ACCEPT, Answer.DECLINE, Answer.SILENCE), weights=(40, 30, 30))[0]

    return decide


def lanes(sessions: tuple[Session, ...]) -> dict[tuple[str, int], list[Session]]:
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
