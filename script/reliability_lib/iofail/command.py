"""Let the disk fail or be full under the API, then cut the power; nothing answered may be lost."""

import argparse
import asyncio
from datetime import UTC, datetime
from pathlib import Path
import tempfile
from time import monotonic
from typing import Final

from script.reliability_lib.kill.command import OWNERS
from script.reliability_lib.kill.cycles import Counts
from script.reliability_lib.powercut.compiler import compile_shim
from script.reliability_lib.report import counts
from script.reliability_lib.stage import prepare

from .cycles import FailingCycles, Faults

_PROOF_CYCLES: Final = 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--cycles", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--offers", type=int, default=300, help="per owner and database")
    parser.add_argument(
        "--full", action="store_true", help="no room for a while (ENOSPC) instead of failures"
    )


def fail_disk(
    cycles: int, *, seed: int, offers: int, full: bool = False, lie: bool = False
) -> tuple[Counts, Faults]:
    """Prepare a database and run so many cycles on copies of it."""
    with tempfile.TemporaryDirectory(prefix="iofail-") as made:
        folder, at = Path(made), datetime.now(UTC).replace(microsecond=0)
        library = compile_shim(folder)

        async def run() -> tuple[Counts, Faults]:
            template = folder / "template"
            await prepare(template, owners=OWNERS, offers=offers, at=at)
            work = FailingCycles(folder, template, seed, library=library, full=full, lie=lie)
            return await work.run(cycles), work.faults

        return asyncio.run(run())


def run(options: argparse.Namespace) -> bool:
    """Fail as disks do, then as one that lies about it, to show that loss is noticed."""
    began = monotonic()
    full: bool = options.full
    found, faults = fail_disk(options.cycles, seed=options.seed, offers=options.offers, full=full)
    disk = "a disk without room" if full else "a failing disk"
    _print(f"iofail: owner-api serve on {disk}", found, faults, monotonic() - began)
    wrong = found.lost or found.doubled or found.invalid or found.changed
    # A full disk fails before anything is written, so nothing need be found afterwards.
    held = not wrong and faults.refused > 0 and (full or found.found > 0)
    if options.no_proof:
        return held
    began = monotonic()
    bad, lies = fail_disk(_PROOF_CYCLES, seed=options.seed, offers=100, full=full, lie=True)
    about = "what it had no room for" if full else "failed syncs"
    _print(f"proof: a disk that lies about {about}", bad, lies, monotonic() - began)
    return held and bad.lost > 0


def _print(title: str, found: Counts, faults: Faults, seconds: float) -> None:
    disk = faults.disk
    counts(
        title,
        (
            ("cycles", found.cycles),
            ("operations failed: reads", disk["failed_reads"]),
            ("operations failed: writes and truncations", disk["failed_writes"]),
            ("operations failed: syncs", disk["failed_syncs"]),
            ("servers that would not start on it", faults.not_started),
            ("servers that stopped by themselves", faults.stopped),
            ("servers that outlived the time for a cut, killed", faults.not_cut),
            ("acknowledged decisions", found.decisions),
            ("acknowledged stops", found.stops),
            ("refused with 503, asked again under their key", faults.refused),
            ("times that service went on after a refusal", faults.recovered),
            ("unanswered at the cut, asked again", found.retries),
            ("of these found already committed", found.found),
            ("acknowledged and lost", found.lost),
            ("effects doubled", found.doubled),
            ("answered differently the second time", found.changed),
            ("log, sums, file or answer invalid", found.invalid),
            ("whole audits (owner-api ledger verify)", found.verified),
            ("first things wrong", "; ".join(found.first) or "none"),
            ("seconds", round(seconds)),
        ),
    )
