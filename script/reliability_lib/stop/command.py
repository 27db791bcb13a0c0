"""Press stop: on open streams, and where link, process or answers are gone."""

import argparse
import asyncio
from collections.abc import Iterator
from math import inf
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
    parser.add_argument("--cars", type=int, default=4, help="cars that deliver at the same time")
    parser.add_argument("--cut-off", type=int, default=50, help="stops under each fault")
    parser.add_argument("--seed", type=int, default=1)


def run(options: argparse.Namespace) -> bool:
    """Stop, print the times; then with parts that do not keep the promise."""
    with tempfile.TemporaryDirectory() as made:
        names = ("stream", "cut", "deaf", "charger", "server")
        folders = [Path(made) / name for name in names]
        for folder in folders:
            folder.mkdir()
        arrived = asyncio.run(stops(folders[0], options.stops, cars=options.cars))
        _print_arrived(arrived)
        found = asyncio.run(cut_off(folders[1], options.cut_off, options.seed))
        _print_cut_off(found)
        held = good(arrived) and not found.late and not found.renewed and not found.early
        if options.no_proof:
            return held
        deaf = asyncio.run(stops(folders[2], _PROOFS, cars=_PROOFS, obeys=False))
        bad = asyncio.run(cut_off(folders[3], _PROOFS, options.seed, ignores_lease=True))
        with patch.object(delivery, "_check_open", lambda _deal: None):
            lax = asyncio.run(cut_off(folders[4], _PROOFS, options.seed))
    counts(
        "proof: a park that does not obey, a charger that ignores its lease, and a server that"
        " forgets a stop",
        (
            ("cars not at zero 5 s after the stop", late(deaf)),
            ("cars that went on after the lease", len(bad.late)),
            ("leases renewed after a stop", len(lax.renewed)),
        ),
    )
    return held and late(deaf) == _PROOFS and bool(bad.late) and bool(lax.renewed)


def late(arrived: Arrived) -> int:
    """Return how many cars were not at zero, and stayed there, five seconds after their stop."""
    slow = sum(each > _ZERO_S for each in arrived.to_zero)
    return slow + arrived.never + arrived.again


def good(arrived: Arrived) -> bool:
    """Tell whether every stop was in the park's stream and every car at zero in time."""
    return not late(arrived) and percentile(arrived.to_stream, 0.99) <= _STREAM_S


def _print_arrived(arrived: Arrived) -> None:
    counts(
        "stop: owner, server and park in processes of their own, real sockets, timers on",
        (
            ("stops", arrived.stops),
            ("stops that never arrived, or not at the car", arrived.never),
            *_times("POST to the park's stream (ms)", arrived.to_stream, ", at most 25"),
            *_times("POST to the car at zero by its meter (ms)", arrived.to_zero),
            ("cars not at zero within 5 s, or not for good", late(arrived)),
            *_times("beside it, GET /healthz (ms)", arrived.busy),
            *_times("processor time of all three (ms)", arrived.spent),
        ),
    )


def _times(what: str, seconds: list[float], limit: str = "") -> Iterator[tuple[str, str]]:
    times = [each * 1000 for each in seconds] or [inf]
    yield f"{what}: p50", f"{percentile(times, 0.5):.1f}"
    yield f"{what}: p99{limit}", f"{percentile(times, 0.99):.1f}"
    yield f"{what}: slowest", f"{max(times):.1f}"


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
