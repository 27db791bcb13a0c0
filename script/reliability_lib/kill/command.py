"""Kill the served API with -9 at random moments; answered stays, asked again happens once."""

import argparse
import asyncio
from datetime import UTC, datetime
from functools import partial
import os
from pathlib import Path
import tempfile
from time import monotonic
from typing import Final

from script.reliability_lib.apart import apart
from script.reliability_lib.report import counts
from script.reliability_lib.stage import prepare

from .cycles import Counts, Cycles

OWNERS: Final = 16
_PROOF_CYCLES: Final = 25
_LEAST_DECISIONS: Final = 20
_LEAST_FOUND: Final = 0.10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--cycles", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, help="stop after this long")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--offers", type=int, default=400, help="per owner and database")
    parser.add_argument(
        "--instances",
        type=int,
        default=os.cpu_count() or 1,
        help="servers at once, each with a database and sixteen clients of its own",
    )


def kill(
    cycles: int,
    *,
    seed: int,
    offers: int,
    forget: bool = False,
    seconds: float | None = None,
    instances: int = 1,
) -> Counts:
    """Prepare a database and run so many cycles on copies of it, some servers side by side."""
    with tempfile.TemporaryDirectory(prefix="kill-") as made:
        template = Path(made) / "template"
        at = datetime.now(UTC).replace(microsecond=0)
        asyncio.run(prepare(template, owners=OWNERS, offers=offers, at=at))
        work = partial(_cycles, template, forget=forget, seconds=seconds)
        total = Counts()
        for found in apart(work, cycles, range(seed * 1_000, seed * 1_000 + instances)):
            total.add(found)
        return total


def _cycles(
    template: Path, cycles: int, seed: int, *, forget: bool, seconds: float | None
) -> Counts:
    """Run one instance; returns what its cycles came to."""

    async def run(folder: Path) -> Counts:
        until = None if seconds is None else asyncio.get_running_loop().time() + seconds
        return await Cycles(folder, template, seed, forget=forget).run(cycles, until)

    with tempfile.TemporaryDirectory(prefix="kill-") as made:
        return asyncio.run(run(Path(made)))


def run(options: argparse.Namespace) -> bool:
    """Kill the server as it is, then one that forgets keys, to show that doubling is noticed."""
    began = monotonic()
    found = kill(
        options.cycles,
        seed=options.seed,
        offers=options.offers,
        seconds=options.seconds,
        instances=options.instances,
    )
    _print("kill: owner-api serve, kill -9 under 16 clients", found, monotonic() - began)
    held = good(found)
    if options.no_proof:
        return held
    began = monotonic()
    bad = kill(_PROOF_CYCLES, seed=options.seed, offers=100, forget=True)
    _print("proof: without the idempotency row", bad, monotonic() - began)
    return held and bad.doubled > 0


def good(found: Counts) -> bool:
    """Return whether all held and the cycles were worth something."""
    busy = found.decisions >= _LEAST_DECISIONS * found.cycles
    met = found.found >= _LEAST_FOUND * found.retries and found.retries > 0
    return busy and met and not (found.lost or found.doubled or found.invalid or found.changed)


def _print(title: str, found: Counts, seconds: float) -> None:
    cycles = max(1, found.cycles)
    counts(
        title,
        (
            ("cycles", found.cycles),
            ("of these started from nothing by the command", found.from_nothing),
            ("of these killed before they listened", found.while_starting),
            ("acknowledged decisions", found.decisions),
            ("acknowledged decisions per cycle", f"{found.decisions / cycles:.1f}"),
            ("acknowledged stops", found.stops),
            ("unanswered, asked again under their key", found.retries),
            ("of these found already committed", found.found),
            ("share found", f"{found.found / max(1, found.retries):.1%}"),
            ("acknowledged and lost", found.lost),
            ("effects doubled", found.doubled),
            ("answered differently the second time", found.changed),
            ("log, sums, file or answer invalid", found.invalid),
            ("whole audits (owner-api ledger verify)", found.verified),
            ("first things wrong", "; ".join(found.first) or "none"),
            ("seconds", round(seconds)),
        ),
    )
