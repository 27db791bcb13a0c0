"""The simulation's park as a process of its own: ``python -m ...park_process SETTINGS``.

Each of its cars stands at a charger of its own, sells again and again under a lease that the park
renews, and is stopped by nothing but what the park hears. Each line it prints is one thing seen, by
CLOCK_MONOTONIC, which all processes of a machine share.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
import sys
from time import monotonic
from typing import Final, override

import aiohttp
import orjson

from owner_api.simulation.charger import Charger
from owner_api.simulation.client import Client
from owner_api.simulation.credentials import park_access
from owner_api.simulation.deal import Deal
from owner_api.simulation.live_dispatch import LiveDispatch
from owner_api.simulation.live_site import LiveSite
from owner_api.simulation.offers import terms
from owner_api.simulation.park import Park
from owner_api.simulation.wall_world import WallWorld

POWER_W: Final = 7_000
_FOREVER: Final = 2**62
# How late the meter may be seen to fall: it is looked at a hundred times a second.
_LOOK_EVERY_S: Final = 0.01
_BRIEF: Final = timedelta(seconds=0.2)
_REST: Final = timedelta(seconds=1)
_LEAD: Final = timedelta(seconds=5)
_ANSWER: Final = timedelta(seconds=3)
# Short, so that a deal that a stalled machine let pass keeps its car from selling only for so long.
_WINDOW: Final = timedelta(seconds=300)
_ENERGY_WH: Final = 500
_LEASE_S: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the process is started with; ``obeys`` is false only to prove that it is noticed."""

    api_url: str
    client_id: str
    client_secret: str
    cars: int
    meter_log: str
    obeys: bool = True


class DeafCharger(Charger):
    """Is told to stop and does not: only the end of its lease ends what runs."""

    @override
    def zero(self, at: datetime) -> None:
        self.advance(at)


class Stall:
    """One charger with its car, and the deal it runs for."""

    def __init__(self, park: Park, settings: Settings, number: int) -> None:
        self._park = park
        self._site = LiveSite(
            park.world,
            evse_id=f"E{number}",
            soc_pct=80.0,
            power_w=POWER_W,
            meter_log=Path(settings.meter_log),
        )
        if not settings.obeys:
            self._site.charger = DeafCharger(
                self._site.charger.evse_id, park.world.now(), max_power_w=POWER_W
            )
        self._deal: Deal | None = None

    async def trade(self, member_ref: str) -> None:
        """Plug the car in and sell from it, offer after offer, until the process ends."""
        world, site = self._park.world, self._site
        site.plug_in()
        session_id = await self._park.plug_in(site.charger, member_ref=member_ref)
        while await self._state(session_id) != "bound":
            await world.until(world.now() + _BRIEF)
        world.spawn(self._watch_meter())
        sold = False
        while True:
            start_at = world.now() + _LEAD
            wanted = terms(
                start_at=start_at,
                end_at=start_at + _WINDOW,
                energy_wh=_ENERGY_WH,
                price=Decimal("1.2"),
                min_energy_wh=100,
                lease_s=_LEASE_S,
            ) | {"max_discharge_w": POWER_W}
            self._deal = await self._park.offer(
                session_id, purpose="peak_price", respond_by=start_at - _ANSWER, terms=wanted
            )
            await LiveDispatch(self._park, site, self._deal).run()
            if self._deal.state == "auto_declined" and not sold:
                # Else a run that can sell nothing would wait for its first stop for ever.
                raise RuntimeError(f"the first offer was declined: {self._deal.reason}")
            sold = True
            if self._deal.commitment_id and not self._deal.asked_to_stop:
                _explain(self._deal)
            await world.until(world.now() + _REST)
            # Nothing more is sold from a car that goes on: its meter must show how that ends.
            while site.charger.power_w:
                await world.until(world.now() + _BRIEF)

    async def _state(self, session_id: str) -> str:
        session = await self._park.client.get(f"/v1/park/sessions/{session_id}")
        return str(session["state"])

    async def _watch_meter(self) -> None:
        """Tell when power begins and ends by the charger's meter, whatever the park believes."""
        world, charger, before_w = self._park.world, self._site.charger, 0
        running: Deal | None = None
        while True:
            charger.advance(world.now())
            power_w = round(charger.power_w)
            if power_w != before_w and 0 in (power_w, before_w):
                # A charger that goes on does so for the deal it began with, not for the next one.
                running = self._deal if power_w else running
                assert running is not None
                _tell(running, power_w)
            before_w = power_w
            await asyncio.sleep(_LOOK_EVERY_S)


def _explain(deal: Deal) -> None:
    """Say of a deal that nobody stopped how it ended: on a stalled machine it may never begin."""
    print(f"park: {deal.commitment_id} ended unstopped: {deal.commitment_state}", file=sys.stderr)


def _heard(deal: Deal) -> None:
    _tell(deal, None)


def _tell(deal: Deal, power_w: int | None) -> None:
    """Print that power has changed, or without power that a stop was heard; the moment first."""
    line = {"at": monotonic(), "commitment_id": deal.commitment_id, "power_w": power_w}
    print(orjson.dumps(line).decode(), flush=True)


async def run(settings: Settings) -> None:
    """Run until ended."""
    async with aiohttp.ClientSession() as http, WallWorld() as world:
        access = park_access(settings.client_id, settings.client_secret)
        client = Client(http, settings.api_url, world.now, access)
        park = Park(settings.client_id, client, world)
        park.on_stop = _heard
        world.spawn(park.heard(_FOREVER))
        for number, member_ref in enumerate((await park.members())[: settings.cars]):
            world.spawn(Stall(park, settings, number).trade(member_ref))


if __name__ == "__main__":
    asyncio.run(run(Settings(**orjson.loads(Path(sys.argv[1]).read_bytes()))))
