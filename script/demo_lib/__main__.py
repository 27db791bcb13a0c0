"""`script/demo`: a real Home Assistant, a real owner API and a simulated park, playing together."""

import argparse
import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
import secrets
import shutil
import signal
import sys
import tempfile
import time

from .processes import ProcessEndedError
from .stage import Plot, start_demo
from .stations import Check, StationError

EXIT_BROKEN = 1
EXIT_CANNOT_RUN = 3
EXIT_INTERRUPTED = 130


def main() -> int:
    """Run the demo, or check one deal; returns the exit code."""
    parser = argparse.ArgumentParser(prog="script/demo", description=__doc__)
    parser.add_argument("--check", action="store_true", help="follow one deal without a person")
    parser.add_argument("--seed", type=int, help="what price, energy and charge are drawn from")
    parser.add_argument("--break", dest="broken", choices=["park"], help=argparse.SUPPRESS)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep every file of the run")
    arguments = parser.parse_args()
    try:
        return asyncio.run(_interruptible(arguments))
    except asyncio.CancelledError, KeyboardInterrupt:
        return EXIT_INTERRUPTED


async def _interruptible(arguments: argparse.Namespace) -> int:
    """Run so that Ctrl-C and SIGTERM stop every process in order."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="v2g-owner-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    code = await _run(arguments, folder)
    if arguments.keep is None and code == 0:
        shutil.rmtree(folder)
    elif code:
        print(f"The logs are in {folder}", file=sys.stderr)
    return code


async def _run(arguments: argparse.Namespace, folder: Path) -> int:
    seed = secrets.randbelow(10**6) if arguments.seed is None else arguments.seed
    try:
        return await _check(Plot.drawn(seed, offers=1, lead_s=10, window_s=60), folder, arguments)
    except ProcessEndedError as error:
        print(error, file=sys.stderr)
        return EXIT_CANNOT_RUN


async def _check(plot: Plot, folder: Path, arguments: argparse.Namespace) -> int:
    began = time.monotonic()
    print(
        f"seed {plot.seed}: {plot.energy_wh} Wh at {plot.price} CNY/kWh, car at {plot.soc_pct} %",
        flush=True,
    )
    async with AsyncExitStack() as stack:
        demo = await start_demo(stack, plot, folder)
        _say(f"  all up after {time.monotonic() - began:.0f} s: {demo.home.url}, {demo.api.url}")
        try:
            await Check(demo=demo, say=_say, break_park=arguments.broken == "park").run()
        except StationError as error:
            _say(f"✗ {error}")
            return EXIT_BROKEN
    _say(f"one deal, {time.monotonic() - began:.0f} s")
    return 0


def _say(what: str) -> None:
    print(what, flush=True)


if __name__ == "__main__":
    sys.exit(main())
