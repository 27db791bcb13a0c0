"""`script/bench home`: the integration in a real Home Assistant with 20 vehicles and chargers."""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
import os
from pathlib import Path
import sys
import tempfile
from typing import Any, Final

import aiohttp
import orjson

from script.bench_lib.api.goals import Figure
from script.bench_lib.api.processes import child
from script.demo_lib.hass import (
    HASS,
    RunningHomeAssistant,
    Setup,
    running_home_assistant,
)

from .counter import Relay, Traffic, counting
from .house import House, helpers
from .inside import Inside, line_inside
from .minute import BusyMinute
from .report import Took, blocks, longest, rewritten, set_up, traffic, writes

type Json = dict[str, Any]

PLACES: Final = 20
RELOADS: Final = 3
IDLE_MINUTES: Final = 3.0
# A little more than the integration waits before it confirms unchanged readings.
CONFIRM_MINUTES: Final = 4.5
BUSY_S: Final = 60.0
_CONFIRM_EVERY_S: Final = 15.0
# A reading and its event every four minutes at most, where the car is plugged in.
_FRESH_A_MINUTE: Final = 0.5
# What a set-up leaves behind (readings, plans, Home Assistant's own saving) is no idling.
SETTLE_S: Final = 20.0
# The first readings and plans go out when the entry is ready: their blocks count as set-up.
_AFTER_S: Final = 3.0
_BLOCK_S: Final = 0.05
_POLLS: Final = 10
_SNAPSHOT: Final = "/v1/snapshot"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the bench's options."""
    parser.add_argument("--places", type=int, default=PLACES, help="cars, each at a charger")
    parser.add_argument("--busy-seconds", type=float, default=BUSY_S, help="the busy time")
    parser.add_argument("--idle-minutes", type=float, default=IDLE_MINUTES, help="silence")
    parser.add_argument(
        "--confirm-minutes", type=float, default=CONFIRM_MINUTES, help="unchanged readings"
    )
    parser.add_argument("--settle-seconds", type=float, default=SETTLE_S, help="between phases")
    parser.add_argument("--verbose", action="store_true", help="more of the longest blocks")


@dataclass(slots=True, kw_only=True)
class Stage:
    """All that runs, and how much of each block is printed."""

    house: House
    home: RunningHomeAssistant
    inside: Inside
    relay: Relay
    settle_s: float
    verbose: bool

    async def seen(self) -> tuple[Json, Traffic]:
        """Return what was seen since the last time, inside Home Assistant and on the wire."""
        passed, self.relay.traffic = self.relay.traffic, Traffic()
        return await self.inside.ask("reset"), passed


async def bench(asked: argparse.Namespace) -> list[str]:
    """Run the bench, print its figures, and return the goals it misses."""
    figures: list[Figure] = []
    async with _stage(asked) as stage:
        await _baseline(stage)
        await _set_up(stage, figures)
        await _busy(stage, figures, asked.busy_seconds)
        await _idle(stage, figures, asked.idle_minutes)
        await _confirming(stage, figures, asked.confirm_minutes)
        missed = [figure.name for figure in figures if not figure.reached]
        missed += await _self_test(stage)
        missed += [f"Home Assistant complains: {line}" for line in stage.home.complaints()]
    return missed


def _show(figures: list[Figure], *more: Figure) -> None:
    for figure in more:
        print(figure.line(), flush=True)
        figures.append(figure)


@asynccontextmanager
async def _stage(asked: argparse.Namespace) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-"))
        )
        database, config = folder / "api", folder / "config"
        database.mkdir()
        server = await stack.enter_async_context(
            child(sys.executable, "-m", f"{__package__}.server", database)
        )
        told = orjson.loads(await server.line())
        relay = await stack.enter_async_context(counting(told["port"]))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        house = House(port=told["port"], http=http, told=told)
        await house.build(asked.places)
        socket = folder / "inside"
        os.environ["BENCH_SOCKET"] = str(socket)
        home = await stack.enter_async_context(
            running_home_assistant(
                Setup(folder=config, name="Bench", extra=helpers(asked.places)),
                (str(HASS.with_name("python")), str(Path(__file__).with_name("hass_side.py"))),
            )
        )
        inside = await stack.enter_async_context(line_inside(socket))
        yield Stage(
            house=house,
            home=home,
            inside=inside,
            relay=relay,
            settle_s=asked.settle_seconds,
            verbose=asked.verbose,
        )


async def _baseline(stage: Stage) -> None:
    """Show what Home Assistant does alone."""
    await stage.inside.ask("states", states=stage.house.states())
    await asyncio.sleep(stage.settle_s)
    await stage.inside.ask("reset")
    await asyncio.sleep(stage.settle_s)
    told, _ = await stage.seen()
    print(f"\nHome Assistant alone, {stage.settle_s:g} s")
    print(*blocks(told, verbose=stage.verbose), sep="\n", flush=True)


async def _set_up(stage: Stage, figures: list[Figure]) -> None:
    """Set the entry up with all entities new, then again as after a restart."""
    entry = await stage.house.pair_home_assistant(f"http://127.0.0.1:{stage.relay.port}")
    await stage.seen()
    new = _took(stage, await stage.inside.ask("add", entry=entry))
    await asyncio.sleep(_AFTER_S)
    told, _ = await stage.seen()
    print(f"\nset-up, {len(stage.house.places)} vehicles and chargers, all entities new")
    print(*blocks(told, verbose=stage.verbose), sep="\n", flush=True)
    name = "longest block of the loop in set-up, entities new"
    # No goal: Home Assistant registers, and its recorder meets, a thousand entities once.
    print(f"set-up after the API answers, entities new: {new.own_s:.2f} s (once, no goal)")
    _show(figures, longest(name, told, all_of_it=True))
    await asyncio.sleep(stage.settle_s)
    known, worst = [], []
    for _ in range(RELOADS):
        await stage.inside.ask("unload")
        await asyncio.sleep(1)
        await stage.seen()
        known.append(_took(stage, await stage.inside.ask("set_up")))
        await asyncio.sleep(_AFTER_S)
        worst.append((await stage.seen())[0])
    told = max(worst, key=lambda each: longest("", each, all_of_it=True).value)
    print("\nset-up again, as after a restart")
    print(*blocks(told, verbose=stage.verbose), sep="\n", flush=True)
    name = "longest block of the loop in set-up, entities known"
    _show(figures, set_up("entities known", known), longest(name, told, all_of_it=True))


def _took(stage: Stage, ready: Json) -> Took:
    """Count from the last byte of the API's first answer until the entry is loaded."""
    return Took(
        wall_s=ready["ready_at"] - stage.relay.traffic.answered_at[_SNAPSHOT],
        stolen_s=ready["stolen_s"],
        entities=ready["entities"],
    )


async def _busy(stage: Stage, figures: list[Figure], seconds: float) -> None:
    """Let offers, telemetry, deals and deliveries happen."""
    await stage.house.open_sessions()
    await stage.inside.ask("name_cars")
    await asyncio.sleep(stage.settle_s)
    await stage.seen()
    minute = BusyMinute(house=stage.house, home=stage.home, inside=stage.inside, seconds=seconds)
    await minute.run()
    told, passed = await stage.seen()
    done = ", ".join(f"{count} {what}" for what, count in minute.done.items())
    print(f"\nbusy, {seconds:g} s: {done}")
    print(*traffic(passed), *blocks(told, verbose=stage.verbose), sep="\n", flush=True)
    _show(figures, longest("longest block of ours while busy", told), writes("busy", told))


async def _idle(stage: Stage, figures: list[Figure], minutes: float) -> None:
    """Let nothing happen at all."""
    # Settling the deals takes the API some seconds.
    await asyncio.sleep(3 * stage.settle_s)
    await stage.seen()
    await asyncio.sleep(minutes * 60)
    told, passed = await stage.seen()
    print(f"\nidle, {minutes:g} min, no sensor speaks")
    print(*traffic(passed), *blocks(told, verbose=stage.verbose), sep="\n", flush=True)
    _show(
        figures,
        Figure(
            name="messages a minute while idle, heartbeats apart",
            value=passed.messages() / minutes,
            goal=1,
            unit="/min",
            detail=f"{passed.messages()} in {minutes:g} min: {passed.kinds()}",
            at_most=True,
        ),
        longest("longest block of ours while idle", told),
        writes("idle", told),
    )


async def _confirming(stage: Stage, figures: list[Figure], minutes: float) -> None:
    """Let every sensor say again what it said before."""
    loop = asyncio.get_running_loop()
    end = loop.time() + minutes * 60
    while loop.time() < end:
        await stage.inside.ask("states", states=stage.house.states())
        await asyncio.sleep(min(_CONFIRM_EVERY_S, max(0, end - loop.time())))
    told, passed = await stage.seen()
    print(f"\nidle, {minutes:g} min, every sensor repeats its value each {_CONFIRM_EVERY_S:g} s")
    print(*traffic(passed), *blocks(told, verbose=stage.verbose), sep="\n", flush=True)
    _show(
        figures,
        Figure(
            name="messages a minute and car to keep its unchanged values fresh",
            value=passed.confirmations() / minutes / len(stage.house.places),
            goal=_FRESH_A_MINUTE,
            unit="/min",
            detail=f"{passed.confirmations()} in {minutes:g} min; the meters of deals that wait to"
            " be settled speak besides",
            at_most=True,
        ),
        longest("longest block of ours while values repeat", told),
        writes("values repeat", told),
    )


async def _self_test(stage: Stage) -> list[str]:
    """Prove that each goal can be missed."""
    print("\nself-test: the bench must notice")
    await stage.seen()
    await stage.inside.ask("block", seconds=_BLOCK_S)
    told, _ = await stage.seen()
    blocked = not longest("", told, all_of_it=True).reached
    await stage.inside.ask("poll", times=_POLLS)
    _, passed = await stage.seen()
    await stage.inside.ask("rewrite")
    told, _ = await stage.seen()
    found = {
        f"a block of {_BLOCK_S * 1e3:g} ms": blocked,
        f"{_POLLS} polls in a minute": passed.messages() >= _POLLS,
        "a state written as it is": rewritten(told) > 0,
    }
    for what, noticed in found.items():
        print(f"  {'noticed' if noticed else 'NOT NOTICED'}: {what}", flush=True)
    return [f"self-test: {what} went unnoticed" for what, noticed in found.items() if not noticed]
