"""Refresh tokens against a model: any order of uses, repeats and waits, thieves included."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
import random

import pytest

from .access_server import Server, running

GRACE = timedelta(seconds=10)
LIFE = timedelta(days=180)


@pytest.fixture(name="server")
async def _server(tmp_path: Path) -> AsyncIterator[Server]:
    unlimited = {"failure_burst": 10**6, "public_rate_burst": 10**6}
    async with running(tmp_path / "owner.db", **unlimited) as server:
        yield server


@dataclass
class Known:
    """What the model knows of one token."""

    issued: datetime
    used: datetime | None = None


@dataclass
class Model:
    """One device by the rules: a token works once, and ten seconds longer."""

    alive: bool = True
    tokens: dict[str, Known] = field(default_factory=dict)

    def present(self, token: str, now: datetime) -> bool:
        """Tell whether ``token`` is to be traded at ``now``, and remember what that changes."""
        known = self.tokens[token]
        if not self.alive or now >= known.issued + LIFE:
            return False
        if known.used is None:
            for each in self.tokens.values():
                each.used = each.used or now
            return True
        if now - known.used <= GRACE:
            return True
        self.alive = False
        return False


@pytest.mark.parametrize("seed", range(12))
async def test_no_order_of_uses_repeats_and_waits_breaks_the_rules_of_rotation(
    server: Server, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - drawn again by the same seed
    device = await server.device(await server.add_owner())
    model = Model()
    model.tokens[device["refresh_token"]] = Known(server.clock.now())
    access = [device["access_token"]]
    for _ in range(40):
        server.clock.move(chance.choice([0, 0, 1, 5, 10, 10.5, 899, 900]))
        newest_first = list(reversed(model.tokens))
        # Mostly the newest, as a client would; sometimes any other, as a thief or a crash would.
        token = newest_first[0] if chance.random() < 0.8 else chance.choice(newest_first)
        expected = model.present(token, server.clock.now())

        answer = await server.refresh(token)

        assert (answer.status == 200) == expected
        if expected:
            model.tokens[answer.body["refresh_token"]] = Known(server.clock.now())
            access.append(answer.body["access_token"])
        me = await server.call("GET", "/v1/me", token=access[-1])
        fresh = expected and model.alive
        assert me.status == 200 if fresh else me.status in (200, 401)
        assert model.alive or me.status == 401
    rows = await server.store.read(lambda tx: tx.one("SELECT count(*) AS n FROM refresh_token"))
    assert rows is not None
    assert (rows["n"] == 0) == (not model.alive)
