"""A park on recorded plug-in sessions: each stay of an hour or more gets one offer.

The recordings say when a car came and went and how much it charged. What they do not say is drawn
from the seed: per user a battery, wishes and a mind; per stay a state of charge that the recorded
energy fits into. The owner tells the recorded leave time (a forecast is another matter).
"""

from datetime import datetime, timedelta
from decimal import Decimal
import random
from typing import Any, Final

from owner_api.sessions_csv import Session

from . import trouble
from .car import Car
from .deal import Deal
from .dispatch import next_step
from .guard import Guard
from .offers import terms
from .replaying import RULE_SHARE, SHORTEST_ASKED, Replay, car_name, fitting_battery, gained_pct
from .trouble import Trouble
from .visit import Guest
from .wishes import Answer, Policy, Wishes

SCENE: Final = "recorded"
_DISCHARGE_W: Final = 7_400
_LEAD: Final = timedelta(minutes=5)
_BUFFER: Final = timedelta(minutes=16)
_WINDOWS: Final = (timedelta(minutes=15), timedelta(minutes=15), timedelta(minutes=20))
# What a stay is asked for: about ten minutes at full power, so that many stays fit into a run.
_ASK_WH: Final = (700, 1_800)


class Recording(Replay):
    """Plays recorded sessions, with one offer in each that is long enough."""

    async def _guest(self, user_id: str, number: int, stays: list[Session]) -> Guest:
        """Draw a car that every recorded charge of this user fits into, and an owner's mind."""
        rng = random.Random(f"{self._stage.seed}/{user_id}/{number}")
        spec = fitting_battery(stays, rng, max_discharge_w=_DISCHARGE_W)
        by_rule = rng.random() < RULE_SHARE
        wishes = Wishes(
            floor_pct=float(rng.randrange(20, 36, 5)),
            min_departure_pct=float(rng.randrange(40, 66, 5)),
            rule_min_price="1.10" if by_rule else None,
            policy=_mind(random.Random(rng.random())),
        )
        name = car_name(user_id, number)
        car = Car(name=name, spec=spec, guard=Guard(floor_pct=wishes.floor_pct))
        return await self._stage.add_guest(name, car, wishes, f"GARAGE-{name}")

    async def _stay(self, guest: Guest, stay: Session, rng: random.Random) -> None:
        """Play one stay: charge what was recorded, perhaps sell in between, leave on time."""
        world, host = self._stage.world, self._stage.host
        spec = guest.owned.car.spec
        await world.until(stay.plugged_in_at)
        gained = gained_pct(spec, stay)
        leaves_pct = rng.uniform(max(gained + 10.0, 55.0), 100.0) if gained < 90 else 100.0
        await host.arrive(guest, leaves_pct - gained, stay.unplugged_at)
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
