"""Step the server's clock and set it back under what is live; nothing lasts or pays more."""

import argparse
import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
import random
import sqlite3
import tempfile
from time import monotonic
from typing import Final
from unittest.mock import patch

from owner_api.commands import guard
from script.reliability_lib.powercut.books import unsound
from script.reliability_lib.report import counts
from tests.owner_api.deal_world import open_world

from .cases import case
from .stepped import AHEAD_S, Found, Stepped

KINDS: Final = {
    "ten minutes ahead": (600, 600),
    "ten minutes back": (-600, -600),
    "half a minute ahead": (30, 30),
    "half a minute back": (-30, -30),
    "set back by hours": (-12 * 3600, -3600),
}
_PROOF: Final = "ten minutes back"
_PROOF_CASES: Final = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--cases", type=int, default=100, help="deals for each kind of step")
    parser.add_argument("--seed", type=int, default=1)


def step(kind: str, cases: int, *, seed: int) -> Found:
    """Play so many deals with a step of this kind somewhere in each."""

    async def play(folder: Path) -> Found:
        found, chance = Found(), random.Random(f"{seed}/{kind}")  # noqa: S311 - a plan to repeat
        async with open_world(folder) as world:
            at = Stepped(world=world, found=found)
            for _ in range(cases):
                await case(at, chance.randint(*KINDS[kind]), chance)
        with closing(sqlite3.connect(folder / "owner.db", isolation_level=None)) as connection:
            for what in unsound(connection, whole=True, file=True):
                found.note("invalid", what)
        return found

    with tempfile.TemporaryDirectory(prefix="clock-") as made:
        return asyncio.run(play(Path(made)))


def _age_alone(
    known_at: datetime, now: datetime, most: timedelta, clock: datetime | None = None
) -> bool:
    """Take what lies ahead for new, as a plain look at the age does."""
    del clock
    return now - known_at > most


@contextmanager
def trusting() -> Iterator[None]:
    """Serve with a guard that takes a reading from the future for a new one."""
    with patch.object(guard, "too_old", _age_alone):
        yield


def run(options: argparse.Namespace) -> bool:
    """Step in every way, then under a guard that trusts the wall clock."""
    held = True
    for kind in KINDS:
        began = monotonic()
        found = step(kind, options.cases, seed=options.seed)
        _print(kind, found, monotonic() - began)
        held = good(found) and held
    if options.no_proof:
        return held
    with trusting():
        bad = step(_PROOF, _PROOF_CASES, seed=options.seed)
    counts(
        "proof: a guard that takes a reading from the future for a new one, ten minutes back",
        (
            ("cars that discharged longer than a reading allows", bad.late),
            ("longest from the last reading to zero (s)", f"{bad.longest_s:.0f}"),
        ),
    )
    return held and bad.late > 0


def good(found: Found) -> bool:
    """Return whether all held and there was something to hold."""
    busy = found.leases and found.repeats and found.settled and found.tokens
    wrong = (found.late, found.longer, found.expired_taken, found.changed, found.twice)
    return bool(busy) and not any((*wrong, found.resettled, found.beyond, found.invalid))


def _print(kind: str, found: Found, seconds: float) -> None:
    ends = ", ".join(f"{state} {times}" for state, times in sorted(found.states.items()))
    counts(
        f"clock: {kind}",
        (
            ("deals, each with a step", found.deals),
            ("leases granted", found.leases),
            ("leases longer than agreed", found.longer),
            ("cars that discharged longer than a reading allows", found.late),
            ("longest from the last reading to zero (s)", f"{found.longest_s:.0f}"),
            ("offers that had expired before the step", found.lapsed),
            ("consents taken from them", found.expired_taken),
            ("requests asked again after it under their key", found.repeats),
            ("of these answered differently", found.changed),
            ("events", found.events),
            ("numbers of events given twice", found.twice),
            ("settlements", found.settled),
            ("of these made by the clock before the meter was at rest", found.early),
            ("settlements changed by a step, or other than the meter", found.resettled),
            ("tokens tried after a step", found.tokens),
            ("of these refused (too old, or not valid yet)", found.refused),
            ("tokens renewed after a step", found.renewed),
            (f"refused though by that clock {AHEAD_S} s ahead or less", found.beyond),
            ("log, sums or file invalid", found.invalid),
            ("first things wrong", "; ".join(found.first) or "none"),
            ("seconds", round(seconds)),
        ),
    )
    print(f"  ends: {ends}", flush=True)
