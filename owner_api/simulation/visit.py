"""One car's stay at a park: arrive, be asked, perhaps sell, leave; shared by every scene."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from . import recharge
from .charger import Charger
from .client import LinkDownError
from .deal import Deal
from .dispatch import Dispatch
from .owner_agent import OwnedCar, OwnerAgent
from .park import Park
from .wishes import Answer
from .world import World

# A car on the move of its battery tells its state of charge this often; the promise is 15 min.
REPORT_EVERY: Final = timedelta(minutes=5)
_BEFORE_START: Final = timedelta(seconds=20)


@dataclass(slots=True)
class Guest:
    """A car, its owner's phone, its usual charger and the name the park may use for it."""

    owner: OwnerAgent
    owned: OwnedCar
    charger: Charger
    member_ref: str
    session_id: str | None = None
    deals: list[Deal] = field(default_factory=list)
    note: str = ""


class Host:
    """Runs stays at one park in one world."""

    def __init__(self, world: World, park: Park) -> None:
        self.world = world
        self.park = park
        self.sessions = 0
        park.on_settled = self._close_books

    async def arrive(
        self,
        guest: Guest,
        soc_pct: float,
        leave_at: datetime | None,
        session_recharge: dict[str, Any] | None = None,
    ) -> None:
        """Plug in, open the park's session, tell state of charge and, if known, leave time."""
        guest.owned.car.arrive(self.world.now(), guest.charger, soc_pct)
        self.sessions += 1
        await guest.owner.set_leave(guest.owned, leave_at)
        guest.session_id = await self.park.plug_in(
            guest.charger, member_ref=guest.member_ref, recharge=session_recharge
        )
        await guest.owner.report(guest.owned)

    async def leave(self, guest: Guest) -> None:
        """Drive off; the guard judges, the park and the phone tell."""
        assert guest.session_id is not None
        guest.owned.car.leave(self.world.now(), guest.owned.wishes.min_departure_pct)
        await self.park.unplug(guest.session_id)
        await guest.owner.report(guest.owned, plugged_in=False)
        guest.session_id = None

    async def ask(
        self,
        guest: Guest,
        *,
        purpose: str,
        terms: dict[str, Any],
        respond_by: datetime,
        look_at: datetime,
    ) -> Deal:
        """Offer to buy; the phone buzzes and the owner looks at it at ``look_at``."""
        assert guest.session_id is not None
        deal = await self.park.offer(
            guest.session_id, purpose=purpose, respond_by=respond_by, terms=terms
        )
        guest.deals.append(deal)
        if deal.state in ("presented", "accepted"):
            self.world.spawn(self._look(guest, deal, look_at))
            self.world.spawn(Dispatch(self.park, deal).run())
            self.world.spawn(self._keep_reporting(guest, deal))
            self.world.spawn(recharge.keep(self.park, deal))
        return deal

    async def _look(self, guest: Guest, deal: Deal, look_at: datetime) -> None:
        await self.world.until(look_at)
        answer = await guest.owner.look(guest.owned, deal.offer_id)
        # A counter may bring a better offer: look once more before it is too late.
        if answer is Answer.COUNTER:
            await self.world.until(deal.respond_by - timedelta(seconds=40))
            await guest.owner.look(guest.owned, deal.offer_id)

    async def _keep_reporting(self, guest: Guest, deal: Deal) -> None:
        """Tell the state of charge before the start and every few minutes while it falls."""
        world, session_id = self.world, guest.session_id
        await world.until(deal.start_at - _BEFORE_START)
        if deal.state != "accepted" and not self.park.faults.consent:
            return
        while world.now() < deal.end_at and not deal.over and guest.session_id == session_id:
            told_at = guest.owned.told_soc_at
            if told_at is None or world.now() - told_at >= REPORT_EVERY:
                await guest.owner.report(guest.owned)
            await world.until(_after(world.now(), deal.start_at))

    def _close_books(self, deal: Deal) -> None:
        """Confirm what is provisional and pay what is final, as the stream tells of it."""
        state = deal.settlement["state"] if deal.settlement else ""
        if state == "provisional":
            self.world.spawn(self._tolerating_link(self.park.settle, deal))
        elif state == "final" and deal.delivered_wh > 0:
            self.world.spawn(self._tolerating_link(self.park.pay, deal))

    async def _tolerating_link(self, act: Any, deal: Deal) -> None:  # noqa: ANN401 - a bound method
        try:
            await act(deal)
        except LinkDownError:
            await self.world.until(self.world.now() + timedelta(minutes=10))
            await act(deal)


def _after(now: datetime, start_at: datetime) -> datetime:
    """Return the next reporting instant, counted from the start of the window."""
    if now < start_at:
        return start_at + REPORT_EVERY
    return start_at + ((now - start_at) // REPORT_EVERY + 1) * REPORT_EVERY
