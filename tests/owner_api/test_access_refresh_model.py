"""Refresh tokens against a model: any order of uses, repeats and waits, thieves included."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
import random

import pytest

from owner_api.commands import devices

from .access_server import Server, running

# More than --fast has time for.
pytestmark = pytest.mark.slow

GRACE = timedelta(seconds=10)
LIFE = timedelta(days=180)


@pytest.fixture(name="server")
async def _server(tmp_path: Path) -> AsyncIterator[Server]:
    unlimited = {"failure_burst": 10**6, "public_rate_burst": 10**6, "max_devices_per_owner": 1000}
    async with running(tmp_path / "owner.db", **unlimited) as server:
        yield server


@dataclass
class Known:
    """What the model knows of one token; ``successor`` is what it was traded for last."""

    issued: datetime
    used: datetime | None = None
    successor: str | None = None


@dataclass
class Model:
    """One device by the rules: a token works once, ten seconds longer, and until its answer came.

    That it came shows when its successor is used; the device does nothing else here.
    """

    alive: bool = True
    tokens: dict[str, Known] = field(default_factory=dict)
    traded: Known | None = None

    def present(self, token: str, now: datetime) -> bool:
        """Tell whether ``token`` is to be traded at ``now``, and remember what that changes."""
        known = self.tokens[token]
        self.traded = None
        if not self.alive or now >= known.issued + LIFE:
            return False
        if known.used is None or (now - known.used > GRACE and self._was_lost(known)):
            for each in self.tokens.values():
                each.used = each.used or now
            known.used, self.traded = now, known
            return True
        if now - known.used <= GRACE:
            return True
        self.alive = False
        return False

    def _was_lost(self, known: Known) -> bool:
        return known.successor is not None and self.tokens[known.successor].used is None

    def give(self, token: str, now: datetime) -> None:
        """Remember what was given for the token that was presented last."""
        self.tokens[token] = Known(now)
        if self.traded is not None:
            self.traded.successor = token


@pytest.mark.parametrize("seed", range(4))
async def test_no_order_of_uses_repeats_and_waits_breaks_the_rules_of_rotation(
    server: Server, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - drawn again by the same seed
    owner_id = await server.add_owner()
    shut_out = 0
    for _ in range(12):
        device = await server.device(owner_id)
        model = Model()
        model.tokens[device["refresh_token"]] = Known(server.clock.now())
        for _ in range(10):
            server.clock.move(chance.choice([0, 1, 5, 10, 10, 10.001, 900]))
            # Any of the last three: the newest as a client would, another as a thief would.
            token = chance.choice(list(model.tokens)[-3:])
            expected = model.present(token, server.clock.now())

            answer = await server.refresh(token)

            assert (answer.status == 200) == expected
            if expected:
                model.give(answer.body["refresh_token"], server.clock.now())
                access = answer.body["access_token"]
                assert (await server.call("GET", "/v1/me", token=access)).status == 200
            elif not model.alive:
                shut_out += 1
                break
        listed = await server.store.read(lambda tx: devices.views(tx, owner_id))
        alive = device["device_id"] in {each["device_id"] for each in listed}
        assert alive == model.alive
    assert shut_out > 0
