"""A simulated park in real time, as a process of its own: ``python -m ...live_park SETTINGS``.

It buys from one car at one charger, again and again: offer, delivery, settlement, payment, and sun
in between that fills the car up again. Its book, its meter log and the last checkpoint it was sent
are files anyone may check.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
import random
import sys
from typing import Any, Final, override

import aiohttp
import orjson

from owner_api.core.keyring import keyring, read_jwk

from .client import Client
from .credentials import park_access
from .deal import Deal
from .kept_log import Contradiction, KeptLog
from .live_book import Book
from .live_dispatch import LiveDispatch
from .live_site import LiveSite
from .offers import terms
from .park import Park
from .wall_world import WallWorld

_FOREVER: Final = 2**62
_LOOK_EVERY: Final = timedelta(seconds=0.5)
_METER_EVERY_S: Final = 5.0
_REST: Final = timedelta(seconds=10)
_SUN_AT_MOST: Final = timedelta(seconds=120)
_CLOSE_BOOKS: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the process is started with; ``first`` are the price and Wh of the first offer."""

    api_url: str
    client_id: str
    client_secret: str
    home_assistant_url: str
    home_assistant_token: str
    book: str
    meter_log: str
    receipt_key: dict[str, str]
    kept_checkpoint: str
    seed: int
    soc_pct: float
    first_price: str
    first_energy_wh: int
    offers: int | None
    lead_s: int
    window_s: int
    lease_s: int = 10
    dispute_window_s: int = 6
    power_w: int = 60_000
    evse_id: str = "SUNRISE-01"


class PatientClient(Client):
    """Waits for an API that is away: the charger's own lease ends what runs meanwhile."""

    @override
    async def _send(self, *request: Any, **more: Any) -> tuple[Any, str]:
        while True:
            try:
                return await super()._send(*request, **more)
            except aiohttp.ClientError:
                await asyncio.sleep(_LOOK_EVERY.total_seconds())


class LivePark:
    """Runs the business of one charger."""

    def __init__(self, settings: Settings, park: Park, site: LiveSite) -> None:
        self._settings = settings
        self._park = park
        self._site = site
        self._book = Book(Path(settings.book), park.park_id)
        self._rng = random.Random(settings.seed)
        # The first offer was drawn from the same seed and is told in the settings.
        draw(self._rng)
        self._paid: set[str] = set()
        park.on_settled = self._close_book

    async def keep_book(self) -> None:
        """Write down how every deal stands, twice a second."""
        while True:
            self._book.write(list(self._park.deals.values()))
            await self._park.world.until(self._park.world.now() + _LOOK_EVERY)

    async def do_business(self) -> None:
        """Wait for a member, plug the car in, and make offers one after the other."""
        world, settings = self._park.world, self._settings
        while not (members := await self._park.members()):
            await world.until(world.now() + _LOOK_EVERY)
        self._site.plug_in()
        session_id = await self._park.plug_in(self._site.charger, member_ref=members[0])
        world.spawn(self._meter(session_id))
        _say(f"a car was plugged in at {self._site.charger.evse_id}: session {session_id}")
        await self._until_bound(session_id)
        made = 0
        while settings.offers is None or made < settings.offers:
            made += 1
            deal = await self._offer(session_id, first=made == 1)
            await LiveDispatch(self._park, self._site, deal).run()
            await self._until_paid(deal)
            if made != settings.offers:
                await self._let_the_sun_in()

    async def _until_bound(self, session_id: str) -> None:
        while True:
            session = await self._park.client.get(f"/v1/park/sessions/{session_id}")
            if session["state"] == "bound":
                return
            await self._park.world.until(self._park.world.now() + _LOOK_EVERY)

    async def _offer(self, session_id: str, *, first: bool) -> Deal:
        settings, now = self._settings, self._park.world.now()
        start_at = now + timedelta(seconds=settings.lead_s)
        price, energy_wh = Decimal(settings.first_price), settings.first_energy_wh
        if not first:
            price, energy_wh = draw(self._rng)
        wanted = terms(
            start_at=start_at,
            end_at=start_at + timedelta(seconds=settings.window_s),
            energy_wh=energy_wh,
            price=price,
            min_energy_wh=100,
            lease_s=settings.lease_s,
        ) | {
            "max_discharge_w": settings.power_w,
            "dispute_window_s": settings.dispute_window_s,
        }
        respond_by = start_at - timedelta(seconds=2)
        deal = await self._park.offer(
            session_id, purpose="peak_price", respond_by=respond_by, terms=wanted
        )
        _say(f"offers {price} CNY/kWh for {energy_wh} Wh: {deal.offer_id} is {deal.state}")
        return deal

    async def _until_paid(self, deal: Deal) -> None:
        """Wait until the deal's money has been paid, if there is any."""
        ends = self._park.world.now() + _CLOSE_BOOKS
        while deal.delivered_wh and deal.offer_id not in self._paid:
            if not await self._park.world.wait(deal.bell, ends):
                return

    async def _let_the_sun_in(self) -> None:
        """Charge the car from the roof up to where it started, then rest."""
        world, site = self._park.world, self._site
        site.charger.plan_charging(
            world.now(), float(self._settings.power_w), self._settings.soc_pct
        )
        ends = world.now() + _SUN_AT_MOST
        while site.battery.soc_pct < self._settings.soc_pct - 0.05 and world.now() < ends:
            site.charger.advance(world.now())
            await self._park.world.until(self._park.world.now() + _LOOK_EVERY)
        site.charger.plan_charging(world.now(), 0.0, 100.0)
        await world.until(world.now() + _REST)

    async def _meter(self, session_id: str) -> None:
        """Send the meter's readings while no deal does."""
        while True:
            if not any(_delivering(deal) for deal in self._park.deals.values()):
                reading = self._site.read_meter("periodic")
                await self._park.client.post(
                    f"/v1/park/sessions/{session_id}/readings", {"readings": [reading]}
                )
            await asyncio.sleep(_METER_EVERY_S)

    def _close_book(self, deal: Deal) -> None:
        """Confirm what is provisional and pay what is final, as the stream tells of it."""
        settlement = deal.settlement or {}
        state = settlement.get("state")
        if state == "provisional":
            _say(f"owes {deal.owed_minor} fen for {deal.delivered_wh} Wh by its own meter")
            self._park.world.spawn(self._park.settle(deal))
        elif state == "final" and deal.offer_id not in self._paid:
            self._park.world.spawn(self._pay(deal))

    async def _pay(self, deal: Deal) -> None:
        await self._park.pay(deal)
        assert deal.settlement is not None
        deal.settlement = await self._park.client.get(
            f"/v1/park/settlements/{deal.settlement['settlement_id']}"
        )
        self._paid.add(deal.offer_id)
        _say(f"paid {deal.owed_minor} fen: {deal.settlement['settlement_id']}")
        self._park.world.ring(deal.bell)


def draw(rng: random.Random) -> tuple[Decimal, int]:
    """Draw an offer's price, CNY per kWh in [0.9, 1.6), and its energy in Wh, 350 to 550."""
    return Decimal(rng.randrange(9_000, 16_000)) / 10_000, rng.randrange(350, 551)


def _delivering(deal: Deal) -> bool:
    return deal.begin_register_wh is not None and deal.end_register_wh is None


def _contradicted(found: Contradiction) -> None:
    _say(f"holds a checkpoint that the operator's log contradicts: {found.detail}")


def _say(what: str) -> None:
    print(f"park: {what}", flush=True)  # noqa: T201 - the process's own voice, kept in its log


async def run(settings: Settings) -> None:
    """Run until killed."""
    async with aiohttp.ClientSession() as http, WallWorld() as world:
        site = LiveSite(
            world,
            evse_id=settings.evse_id,
            soc_pct=settings.soc_pct,
            power_w=settings.power_w,
            meter_log=Path(settings.meter_log),
        )
        access = park_access(settings.client_id, settings.client_secret)
        client = PatientClient(http, settings.api_url, world.now, access)
        park = Park(settings.client_id, client, world)
        key = keyring(read_jwk(settings.receipt_key))
        park.log = KeptLog(client, key, Path(settings.kept_checkpoint))
        park.log.on_contradiction = _contradicted
        business = LivePark(settings, park, site)
        world.spawn(
            site.tell_home_assistant(
                http, settings.home_assistant_url, settings.home_assistant_token
            )
        )
        world.spawn(park.heard(_FOREVER))
        world.spawn(park.log.watch())
        world.spawn(business.keep_book())
        world.spawn(business.do_business())


if __name__ == "__main__":
    asyncio.run(run(Settings(**orjson.loads(Path(sys.argv[1]).read_bytes()))))
