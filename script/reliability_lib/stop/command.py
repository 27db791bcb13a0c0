"""Press stop: on open streams, and where link, process or answers are gone."""

import argparse
import asyncio
from pathlib import Path
import tempfile
from typing import Final
from unittest.mock import patch

from owner_api.commands import delivery
from script.reliability_lib.report import counts, percentile

from .arriving import Arrived, stops
from .cut_off import CutOff, cut_off

_STREAM_S: Final = 0.025
_ZERO_S: Final = 5.0
_PROOFS: Final = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--stops", type=int, default=300)
    parser.add_argument("--cut-off", type=int, default=50, help="stops under each fault")
    parser.add_argument("--seed", type=int, default=1)


def run(options: argparse.Namespace) -> bool:
    """Stop, print the times; then with a charger and a server that do not keep the promise."""
    with tempfile.TemporaryDirectory() as made:
        folders = [Path(made) / name for name in ("stream", "cut", "charger", "server")]
        for folder in folders:
            folder.mkdir()
        arrived = asyncio.run(stops(folders[0], options.stops))
        _print_arrived(arrived)
        found = asyncio.run(cut_off(folders[1], options.cut_off, options.seed))
        _print_cut_off(found)
        held = _good(arrived) and not found.late and not found.renewed and not found.early
        if options.no_proof:
            return held
        bad = asyncio.run(cut_off(folders[2], _PROOFS, options.seed, ignores_lease=True))
        with patch.object(delivery, "_check_open", lambda _deal: None):
            lax = asyncio.run(cut_off(folders[3], _PROOFS, options.seed))
    counts(
        "proof: a charger that ignores its lease, and a server that forgets a stop",
        (
            ("cars that went on after the lease", len(bad.late)),
            ("leases renewed after a stop", len(lax.renewed)),
        ),
    )
    return held and bool(bad.late) and bool(lax.renewed)


def _good(arrived: Arrived) -> bool:
    fast = percentile(arrived.to_stream, 0.99) <= _STREAM_S
    return fast and max(arrived.to_zero) <= _ZERO_S and not arrived.never


def _print_arrived(arrived: Arrived) -> None:
    times = [each * 1000 for each in arrived.to_stream]
    counts(
        "stop: from the owner's POST to the park's stream, real sockets",
        (
            ("stops", len(times) + arrived.never),
            ("stops that never arrived", arrived.never),
            ("p50 to the stream (ms)", f"{percentile(times, 0.5):.1f}"),
            ("p99 to the stream (ms), at most 25", f"{percentile(times, 0.99):.1f}"),
            ("slowest to the stream (ms)", f"{max(times):.1f}"),
            (
                "beside it, GET /healthz (ms): p50",
                f"{percentile(arrived.busy, 0.5) * 1000:.1f}",
            ),
            (
                "beside it, GET /healthz (ms): p99",
                f"{percentile(arrived.busy, 0.99) * 1000:.1f}",
            ),
            (
                "processor time of both sides (ms): p50",
                f"{percentile(arrived.spent, 0.5) * 1000:.1f}",
            ),
            ("slowest car at zero (ms), at most 5000", f"{max(arrived.to_zero) * 1000:.1f}"),
        ),
    )


def _print_cut_off(found: CutOff) -> None:
    counts(
        "stop: what cannot reach the charger ends with its lease (virtual clock)",
        (
            *((str(fault), times) for fault, times in found.cases.items()),
            ("cars still discharging after their lease", len(found.late)),
            ("cars silent before their lease ended", found.early),
            ("longest from stop to zero (s)", f"{found.longest_s:.0f}"),
            ("attempts to renew after a stop", found.asked),
            ("renewed", len(found.renewed)),
        ),
    )
    for each in (*found.late[:3], *found.renewed[:3]):
        print(f"  {each}")
