"""Cut the power at random operations on the database's files; nothing answered may be lost."""

import argparse
import os
from pathlib import Path
import subprocess
import sys
import tempfile
from time import monotonic
from typing import Any, Final

import orjson

from script.reliability_lib.report import counts

from .compiler import compile_shim

_ROOT: Final = Path(__file__).parents[3]
_PROOF_CUTS: Final = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--cuts", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)


def cut_power(cuts: int, mode: str, seed: int, *, offers: int = 120) -> dict[str, Any]:
    """Cut so often with SQLite's ``synchronous`` in this mode; return the counts."""
    with tempfile.TemporaryDirectory(prefix="powercut-") as made:
        folder = Path(made)
        library = compile_shim(folder)
        words = [sys.executable, "-m", "script.reliability_lib.powercut.plant"]
        done = subprocess.run(
            [*words, str(folder), str(cuts), mode, str(seed), str(offers)],
            cwd=_ROOT,
            env=os.environ | {"LD_PRELOAD": str(library)},
            stdout=subprocess.PIPE,
            check=True,
        )
    found: dict[str, Any] = orjson.loads(done.stdout.splitlines()[-1])
    return found


def run(options: argparse.Namespace) -> bool:
    """Cut with synchronous=FULL as served, then with NORMAL to show that loss is noticed."""
    began = monotonic()
    found = cut_power(options.cuts, "FULL", options.seed)
    _print("powercut: synchronous=FULL, as served", found, monotonic() - began)
    wrong = [found[name] for name in ("lost", "doubled", "invalid", "changed")]
    held = not any(wrong) and found["acknowledged"] > 0 and found["disk"].get("dropped", 0) > 0
    if options.no_proof:
        return held
    began = monotonic()
    loose = cut_power(_PROOF_CUTS, "NORMAL", options.seed)
    _print("proof: synchronous=NORMAL loses what was answered", loose, monotonic() - began)
    return held and loose["lost"] > 0


def _print(title: str, found: dict[str, Any], seconds: float) -> None:
    disk = found["disk"]
    counts(
        title,
        (
            ("power cuts", found["cuts"]),
            ("acknowledged answers and stops", found["acknowledged"]),
            ("acknowledged and lost", found["lost"]),
            ("effects doubled", found["doubled"]),
            ("log, sums or file invalid after a cut", found["invalid"]),
            ("asked again under their key", found["retried"]),
            ("of these found already committed", found["found"]),
            ("of these answered differently", found["changed"]),
            ("writes to the files", disk.get("writes", 0)),
            ("syncs of the files", disk.get("syncs", 0)),
            ("unsynced pages dropped at the cuts", disk.get("dropped", 0)),
            ("unsynced pages that survived by luck", disk.get("kept", 0)),
            ("writes torn in the middle", disk.get("torn", 0)),
            ("first thing wrong", found["first"] or "none"),
            ("seconds", round(seconds)),
        ),
    )
