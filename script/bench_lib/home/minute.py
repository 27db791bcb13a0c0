"""A busy minute: every car and charger reports, offers come, some are accepted and delivered."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
import time
from typing import Any, Final

from owner_api.simulation.client import ApiError
from script.demo_lib.hass import DOMAIN, HomeAssistantError, RunningHomeAssistant

from .house import House, Place
from .inside import Inside

# One in so many offers is accepted, the others are declined or left.
_ACCEPT_EVERY: Final = 3
_STARTS_IN_S: Final = 12
# Each place reports once in so many seconds, one after another.
_REPORT_EVERY_S: Final = 5.0
_DISCHARGE_W: Final = -5_000


@dataclass(slots=True, kw_only=True)
class BusyMinute:
    """What happens in the minute; ``done`` counts it for the report."""

    house: House
    home: RunningHomeAssistant
    inside: Inside
    seconds: float
    done: dict[str, int] = field(default_factory=dict)

    async def run(self) -> None:
        """Let everything happen at once until the time is over."""
        end = time.monotonic() + self.seconds
        await asyncio.gather(self._report(end), self._ask(end))

    def _count(self, what: str) -> None:
        self.done[what] = self.done.get(what, 0) + 1

    async def _report(self, end: float) -> None:
        """Let every car and charger say something new every few seconds."""
        places = self.house.places
        while time.monotonic() < end:
            for place in places:
                place.soc_pct -= 0.1
                place.power_w = -5_000 - (place.power_w + 37) % 90
                place.exported_kwh += 0.002
                await self.inside.ask("states", devices=place.devices())
                self._count("reports of a place")
                await asyncio.sleep(_REPORT_EVERY_S / len(places))

    async def _ask(self, end: float) -> None:
        """Send offers to one place after another, as long as there is time to see them through."""
        places = self.house.places
        pause = self.seconds / len(places)
        deals: list[asyncio.Task[None]] = []
        left: list[str] = []
        for number, place in enumerate(places):
            if time.monotonic() > end:
                break
            offer = await self.house.offer(place, starts_in_s=_STARTS_IN_S)
            self._count("offers")
            if number % _ACCEPT_EVERY == 0:
                deals.append(asyncio.create_task(self._deal(place, offer["offer_id"], end)))
            elif number % _ACCEPT_EVERY == 1:
                await self._answer("decline_offer", offer["offer_id"])
            else:
                left.append(offer["offer_id"])
            await asyncio.sleep(pause)
        await asyncio.gather(*deals)
        # Nothing may end by itself later, when all is supposed to be idle.
        for offer_id in left:
            await self._answer("decline_offer", offer_id)
        await self.home.ask(DOMAIN, "stop")
        self._count("stop of all that runs")

    async def _answer(self, action: str, offer_id: str) -> Any:  # noqa: ANN401 - a response
        """Answer an offer in Home Assistant once it has arrived there."""

        async def answered() -> Any:  # noqa: ANN401 - a response
            with suppress(HomeAssistantError):
                return await self.home.ask(DOMAIN, action, {"offer_id": offer_id})

        answer = await self.home.until(answered, f"the offer {offer_id} is answered", 10)
        self._count(action)
        return answer

    async def _deal(self, place: Place, offer_id: str, end: float) -> None:
        """Accept, award, and deliver until the minute is over."""
        answer = await self._answer("accept_offer", offer_id)
        deal_id = str(answer["answer"]["commitment_id"])
        await self.house.award(deal_id)
        await asyncio.sleep(_STARTS_IN_S)
        while time.monotonic() < end:
            await self.house.meter(place)
            with suppress(ApiError):  # a deal may be over before the minute is
                await self.house.instruct(deal_id, _DISCHARGE_W)
                self._count("instructions")
            await asyncio.sleep(2)
