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

from .browser import NoBrowserError
from .hass import HomeAssistantError
from .processes import ProcessEndedError
from .screenshot import take_screenshot
from .show import show
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
    parser.add_argument(
        "--screenshot", type=Path, metavar="FILE", help="play one deal, picture the next offer"
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep every file of the run")
    # For the test that a broken deal is noticed, and where.
    parser.add_argument("--break", dest="broken", choices=["park"], help=argparse.SUPPRESS)
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
    folder = (arguments.keep or Path(tempfile.mkdtemp(prefix="v2g-owner-demo-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    code = EXIT_INTERRUPTED
    try:
        code = await _run(arguments, folder)
    except (ProcessEndedError, HomeAssistantError, NoBrowserError) as error:
        print(error, file=sys.stderr)
        code = EXIT_CANNOT_RUN
    finally:
        if arguments.keep is None and code in {0, EXIT_INTERRUPTED}:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"every file of this run is in {folder}", file=sys.stderr)
    return code


async def _run(arguments: argparse.Namespace, folder: Path) -> int:
    seed = secrets.randbelow(10**6) if arguments.seed is None else arguments.seed
    if arguments.check:
        return await _check(seed, folder, break_park=arguments.broken == "park")
    if arguments.screenshot:
        return await _picture(seed, folder, arguments.screenshot)
    plot = Plot.drawn(seed, offers=None, lead_s=40, window_s=75)
    async with AsyncExitStack() as stack:
        _say("starting: half a minute on a quiet machine")
        demo = await start_demo(stack, plot, folder, api_port=8477, hass_port=8123)
        await show(demo, _say)
    return 0


async def _check(seed: int, folder: Path, *, break_park: bool) -> int:
    began = time.monotonic()
    plot = Plot.drawn(seed, offers=1, lead_s=10, window_s=60)
    _say(f"seed {seed}: {plot.energy_wh} Wh at {plot.price} CNY/kWh, car at {plot.soc_pct} %")
    async with AsyncExitStack() as stack:
        demo = await start_demo(stack, plot, folder)
        _say(f"  all up after {time.monotonic() - began:.0f} s: {demo.home.url}, {demo.api.url}")
        try:
            await Check(demo=demo, say=_say, break_park=break_park).run()
        except StationError as error:
            _say(f"✗ {error}")
            return EXIT_BROKEN
    _say(f"one deal, {time.monotonic() - began:.0f} s")
    return 0


async def _picture(seed: int, folder: Path, file: Path) -> int:
    """Play one deal, so that there is a reward to see, and picture the offer after it."""
    plot = Plot.drawn(seed, offers=None, lead_s=60, window_s=75)
    async with AsyncExitStack() as stack:
        demo = await start_demo(stack, plot, folder)
        try:
            check = Check(demo=demo, say=_say)
            await check.run()
            await check.next_offer()
        except StationError as error:
            _say(f"✗ {error}")
            return EXIT_BROKEN
        await take_screenshot(demo.home, file)
    _say(f"saved {file}")
    return 0


def _say(what: str) -> None:
    print(what, flush=True)


if __name__ == "__main__":
    sys.exit(main())
