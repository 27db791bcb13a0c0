"""Deliver messages twice, late and in the wrong order; each takes effect once and none too late."""

import argparse
import asyncio
from collections.abc import Awaitable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
import random
import tempfile
from time import monotonic
from typing import Final
from unittest.mock import patch

from owner_api.commands import delivery
from owner_api.config import Config
from owner_api.server.idempotency import Ticket
from script.reliability_lib.report import counts
from script.reliability_lib.stop.cut_off import next_noon
from tests.owner_api.deal_world import open_world

from .looking import look
from .post import Found, Post
from .trade import STEP_S, Trade

_TOGETHER: Final = 8
_STEPS: Final = 8
_UNTIL_START_S: Final = 1800
_PROOF_DEALS: Final = 8
_FREE: Final = Config(
    rate_per_s=1e6,
    rate_burst=10**7,
    public_rate_per_s=1e6,
    public_rate_burst=10**6,
    failure_rate_per_s=1e6,
    failure_burst=10**6,
    access_token_s=3600,
    park_token_s=3600,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--deals", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)


def deliver(deals: int, *, seed: int) -> Found:
    """Play so many deals, several at once, over real HTTP; then look at the database."""
    found, chance = Found(), random.Random(seed)  # noqa: S311 - a plan to repeat
    with tempfile.TemporaryDirectory(prefix="messages-") as made:
        asyncio.run(_play(Path(made), deals, found, chance))
    return found


async def _play(folder: Path, deals: int, found: Found, chance: random.Random) -> None:
    post, trades = Post(found, chance), list[Trade]()
    async with open_world(folder, _FREE) as world:
        while found.deals < deals and not found.unplayed:
            together = min(_TOGETHER, deals - found.deals)
            opened = [Trade.open(world, post, chance) for _ in range(together)]
            played = await _all(found, opened)
            await _all(found, [trade.agree() for trade in played])
            await world.move(_UNTIL_START_S)
            await _all(found, [trade.begin() for trade in played])
            for _ in range(_STEPS):
                await _all(found, [trade.step() for trade in played])
                await world.move(STEP_S)
            await _all(found, [trade.end() for trade in played])
            await world.move(5)
            await _all(found, [trade.rest() for trade in played])
            trades += played
            found.deals += together
            await next_noon(world)
        await post.empty()
        await world.agent.tick()
    look(folder / "owner.db", post, trades)


async def _all[T](found: Found, work: Iterable[Awaitable[T]]) -> list[T]:
    """Do all of it at once; what ends with an unexpected answer is counted and left out."""
    done = []
    for came in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(came, AssertionError):
            found.note("unplayed", str(came)[:200])
        elif isinstance(came, BaseException):
            raise came
        else:
            done.append(came)
    return done


@contextmanager
def forgetful() -> Iterator[None]:
    """Serve without the row that remembers an Idempotency-Key."""
    with patch.object(Ticket, "keep", lambda *_told: None):
        yield


@contextmanager
def obeys_the_old() -> Iterator[None]:
    """Serve without the look at a setpoint's sequence number."""
    with patch.object(delivery, "_check_newer", lambda *_told: None):
        yield


def run(options: argparse.Namespace) -> bool:
    """Deliver badly, then to a server that forgets keys and to one that obeys old setpoints."""
    began = monotonic()
    found = deliver(options.deals, seed=options.seed)
    title = "messages: owners and parks over HTTP, twice, late and in the wrong order"
    _print(title, found, monotonic() - began)
    held = good(found)
    if options.no_proof:
        return held
    with forgetful():
        twice = deliver(_PROOF_DEALS, seed=options.seed)
    with obeys_the_old():
        old = deliver(_PROOF_DEALS, seed=options.seed)
    counts(
        "proof: without the idempotency row, and without the sequence check",
        (
            ("effects doubled without the row", twice.doubled),
            ("answers that differ without the row", twice.changed),
            ("a lower number taken without the check", old.taken),
        ),
    )
    return held and twice.doubled > 0 and twice.changed > 0 and old.taken > 0


def good(found: Found) -> bool:
    """Return whether all held and there was something to hold."""
    kinds = (found.changed, found.taken, found.doubled, found.lost, found.wrong)
    busy = found.at_once and found.again and found.late and found.overtaken and found.crossed
    return bool(busy) and not any((*kinds, found.unsettled, found.unplayed, found.invalid))


def _print(title: str, found: Found, seconds: float) -> None:
    counts(
        title,
        (
            ("deals", found.deals),
            ("messages sent (POSTs, each under its key)", found.messages),
            ("duplicated at once", found.at_once),
            ("of these told that the first is being worked on", found.in_flight),
            ("duplicated one after the other", found.again),
            ("delayed duplicates, after up to 40 later messages", found.late),
            ("readings and setpoints overtaken by later ones", found.overtaken),
            ("pairs that crossed (yes, back, award, stop, setpoint)", found.crossed),
            ("refused, as they came too late", found.refused),
            *((f"effects: {kind}s", rows) for kind, rows in found.rows.items()),
            ("effects doubled", found.doubled),
            ("effects lost", found.lost),
            ("answers that differ for the same key", found.changed),
            ("a lower number taken after a higher one", found.taken),
            ("crossings with two winners, leases after a stop", found.wrong),
            ("settlements that differ from the charger's meter", found.unsettled),
            ("deals that met an unexpected answer", found.unplayed),
            ("log, sums or file invalid", found.invalid),
            ("first things wrong", "; ".join(found.first[:3]) or "none"),
            ("seconds", round(seconds)),
        ),
    )
