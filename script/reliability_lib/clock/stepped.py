"""A world whose server clock is wrong by some offset, while cars and parks keep the true time."""

import base64
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
import uuid

import orjson

from script.reliability_lib.report import Faults
from tests.owner_api.deal_world import Answer, Caller, Deal, World, rfc

# What a token may be stamped ahead of the clock that reads it (docs/reliability.md, The clock).
AHEAD_S: Final = 60
_LIVES_S: Final = {"owner": 900, "park": 3_600}


@dataclass(kw_only=True)
class Found(Faults):
    """What the steps came to."""

    deals: int = 0
    leases: int = 0
    late: int = 0
    longer: int = 0
    longest_s: float = 0
    lapsed: int = 0
    expired_taken: int = 0
    repeats: int = 0
    changed: int = 0
    events: int = 0
    twice: int = 0
    settled: int = 0
    early: int = 0
    resettled: int = 0
    tokens: int = 0
    refused: int = 0
    beyond: int = 0
    renewed: int = 0
    invalid: int = 0
    states: Counter[str] = field(default_factory=Counter)


@dataclass(kw_only=True)
class Stepped:
    """The server's clock is ``offset`` ahead of the true time."""

    world: World
    found: Found
    offset: timedelta = timedelta(0)
    known: dict[tuple[str, int], tuple[str, str]] = field(default_factory=dict)

    @property
    def true(self) -> datetime:
        """What every other clock shows."""
        return self.world.clock.at - self.offset

    async def step(self, seconds: float, *parties: Caller) -> None:
        """Step the server's clock, try each party's newest token, then renew it."""
        for party in parties:
            # One that was never used is not remembered as verified.
            await party.renew()
        tokens = [(party, party.token) for party in parties]
        self.offset += timedelta(seconds=seconds)
        self.world.clock.at += timedelta(seconds=seconds)
        for party, token in tokens:
            await self._try(party, token)
        for party in parties:
            await party.renew()
            self.found.renewed += 1
        await self.world.agent.tick()
        self.world.renew_at.clear()

    async def _try(self, party: Caller, token: str) -> None:
        """Count a valid token that is refused, and whether anything but the step explains it."""
        headers = {"Authorization": f"Bearer {token}"}
        async with self.world.http.get(self.world.url + "/v1/me", headers=headers) as answer:
            status = answer.status
        part = token.split(".")[1]
        issued = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["iat"]
        age_s = self.world.clock.at.timestamp() - issued
        life_s = _LIVES_S["owner" if "refresh_token" in party.grant else "park"]
        self.found.tokens += 1
        self.found.refused += status == 401
        if status not in {200, 401} or (status == 401 and -AHEAD_S <= age_s < life_s):
            self.found.note("beyond", f"{status} at an age of {age_s:.0f} s")

    async def send(self, party: Caller, path: str, body: Any) -> tuple[str, Answer]:  # noqa: ANN401 - any JSON body
        """POST under a key that can be used again."""
        key = uuid.uuid4().hex
        return key, await party.call("POST", path, body, key=key)

    async def again(self, party: Caller, path: str, body: Any, first: tuple[str, Answer]) -> None:  # noqa: ANN401 - any JSON body
        """Repeat what was answered before the step: it must be answered as then."""
        key, before = first
        after = await party.call("POST", path, body, key=key)
        self.found.repeats += 1
        if after.raw != before.raw:
            self.found.note("changed", f"{path}: {before.status}, then {after.status}")

    async def read(self, deal: Deal, power_w: int, context: str = "periodic") -> Answer:
        """Send the charger's reading by its own, true clock."""
        reading = {
            "measured_at": rfc(self.true),
            "import_register_wh": 100_000,
            "export_register_wh": self.world.exported_wh,
            "power_w": power_w,
            "context": context,
        }
        path = f"/v1/park/sessions/{deal.session_id}/readings"
        return await deal.park.call("POST", path, {"readings": [reading]})

    async def listen(self, *parties: Caller) -> None:
        """Hold each party's events against what was heard before under the same numbers."""
        for party in parties:
            for row in await party.events():
                place, said = (party.party_id, row["seq"]), (row["type"], row["data"])
                self.found.events += place not in self.known
                if self.known.setdefault(place, said) != said:
                    self.found.note("twice", str(place))
