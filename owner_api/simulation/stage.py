"""Builds what every scene needs: the API in this process, a world, a park, owners with cars."""

from datetime import datetime
from pathlib import Path
import random
from types import TracebackType
from typing import Self

import aiohttp

from owner_api.core.keyring import keyring, read_jwk

from .car import Car
from .charger import Charger
from .client import Client, Renew
from .credentials import park_access, phone_access
from .faults import Faults
from .guard import Guard
from .in_process import Agent
from .kept_log import KeptLog
from .log_proofs import LogContradictedError
from .owner_agent import OwnerAgent
from .park import Park
from .tally import CarTally, Result
from .virtual_clock import VirtualClock
from .visit import Guest, Host
from .wishes import Wishes
from .world import World


class Stage:
    """Everything of one run; use as ``async with Stage(...) as stage``."""

    def __init__(
        self,
        *,
        database: Path,
        start_at: datetime,
        seed: int,
        faults: Faults | None = None,
        zone: str = "Asia/Shanghai",
    ) -> None:
        self.clock = VirtualClock(start_at)
        self.world = World(self.clock, self._settle)
        self.seed = seed
        self.rng = random.Random(seed)
        self.faults = faults or Faults()
        self.zone = zone
        self.guests: list[Guest] = []
        self._agent = Agent(database, self.clock)
        self._http: aiohttp.ClientSession | None = None
        self._members: set[str] = set()
        self._requests_before = 0
        self._ticked_at: datetime | None = None
        self._owners: dict[str, OwnerAgent] = {}

    async def __aenter__(self) -> Self:
        await self._agent.start()
        # One connection per party at work is plenty: the API is in the same process.
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=32))
        credentials = await self._agent.add_park("Sunrise Business Park")
        client = self._client(park_access(credentials.client_id, credentials.secret))
        self.park = Park(credentials.park_id, client, self.world, self.faults)
        self.park.log = self._log = KeptLog(client, keyring(read_jwk(credentials.receipt_key)))
        await self._log.check()
        self.host = Host(self.world, self.park)
        await self.park.open()
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self.park.close()
        if self._http:
            await self._http.close()
        await self._agent.close()

    async def add_guest(self, owner_name: str, car: Car, wishes: Wishes, evse_id: str) -> Guest:
        """Give an owner (new or known) a car that comes to one charger of the park."""
        owner = self._owners.get(owner_name)
        if owner is None:
            owner_id = await self._agent.add_owner(owner_name, self.zone)

            async def mint_code() -> str:
                return await self._agent.mint_code(owner_id)

            owner = OwnerAgent(
                owner_name, self._client(phone_access(mint_code, owner_name)), self.world.now
            )
            self._owners[owner_name] = owner
        owned = await owner.own(car, wishes, self.park.park_id, floor_told=not self.faults.floor)
        charger = Charger(
            evse_id,
            self.world.now(),
            # No two chargers keep the same time: up to 100 ppm off.
            drift_ppm=self.rng.uniform(-100, 100),
            ignores_lease=self.faults.lease,
        )
        member_ref = await self._newest_member()
        guest = Guest(owner=owner, owned=owned, charger=charger, member_ref=member_ref)
        self.guests.append(guest)
        return guest

    def clear(self) -> None:
        """Forget what was counted so far: the next scene counts for itself."""
        self.host.sessions = 0
        for guest in self.guests:
            guest.deals, guest.note = [], ""
            car = guest.owned.car
            car.soc_leaving_pct = car.soc_leaving_lowest_pct = None
            car.guard.violations.clear()
        self._requests_before = self._requests()

    async def result(self, scene: str, guests: list[Guest] | None = None) -> Result:
        """Read every deal's outcome on the owner's side and add up; compare with the park's."""
        result = Result(seed=self.seed, sessions=self.host.sessions)
        for guest in self.guests if guests is None else guests:
            row = await self._row(guest, scene, result)
            guard: Guard = guest.owned.car.guard
            row.violations = {str(n): count for n, count in guard.counts().items()}
            result.violations.update(guard.counts())
            result.details += [
                f"promise {v.promise} {row.car} {v.at.isoformat()} {v.detail}"
                for v in guard.violations
            ]
            result.cars.append(row)
        try:
            # Once for all that happened: the proof from the one that is held covers it.
            await self._log.check()
        except LogContradictedError as error:
            result.disagreements.append(f"the log contradicts the checkpoint that is held: {error}")
        result.requests = self._requests() - self._requests_before
        return result

    def _requests(self) -> int:
        clients = [self.park.client, *(owner.client for owner in self._owners.values())]
        return sum(client.requests for client in clients)

    async def _row(self, guest: Guest, scene: str, result: Result) -> CarTally:
        owned = guest.owned
        row = CarTally(car=owned.car.name, scene=scene, note=guest.note)
        row.soc_leaving_pct = owned.car.soc_leaving_pct
        row.soc_leaving_lowest_pct = owned.car.soc_leaving_lowest_pct
        row.offers = len(guest.deals)
        for deal in guest.deals:
            if deal.commitment_id is None:
                continue
            row.accepted += 1
            known = owned.outcomes.get(deal.offer_id)
            stale = known is None or known["settlement"] is None
            if known is None or stale or known["settlement"]["delivered_wh"] != deal.delivered_wh:
                known = await guest.owner.outcome(owned, deal.offer_id)
            settlement = known["settlement"]
            if settlement is None:
                if deal.delivered_wh:
                    result.disagreements.append(f"{deal.commitment_id} was never settled")
                continue
            row.add_settlement(settlement)
            if (settlement["delivered_wh"], settlement["gross_minor"]) != (
                deal.delivered_wh,
                deal.owed_minor,
            ):
                result.disagreements.append(
                    f"{deal.commitment_id}: the owner was told {settlement['delivered_wh']} Wh and "
                    f"{settlement['gross_minor']}, the park's meter and books say "
                    f"{deal.delivered_wh} Wh and {deal.owed_minor}"
                )
        return row

    def _client(self, renew: Renew) -> Client:
        assert self._http is not None
        return Client(self._http, self._agent.base_url, self.world.now, renew)

    async def _newest_member(self) -> str:
        (newest,) = set(await self.park.members()) - self._members
        self._members.add(newest)
        return newest

    async def _settle(self) -> None:
        """Tick once at each instant, then read the park's stream to its head."""
        if self._ticked_at != self.clock.now():
            self._ticked_at = self.clock.now()
            await self._agent.tick()
        if self._agent.has_news(self.park.park_id):
            await self.park.heard(await self._agent.head(self.park.park_id))
