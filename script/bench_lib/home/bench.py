"""`script/bench home`: the integration in a real Home Assistant with 20 vehicles and chargers."""

import argparse
import asyncio
from typing import Any, Final

from script.bench_lib.api.goals import Figure

from .minute import BusyMinute
from .report import Took, blocks, longest, rewritten, set_up, traffic, writes
from .stage import Stage, open_stage

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
# Longer, as other threads may wait for a processor at the same time, which is taken off.
_DOZE_S: Final = 0.2
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


async def bench(asked: argparse.Namespace) -> list[str]:
    """Run the bench, print its figures, and return the goals it misses."""
    figures: list[Figure] = []
    async with open_stage(asked) as stage:
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


async def _baseline(stage: Stage) -> None:
    """Show what Home Assistant does alone."""
    await stage.inside.ask("states", devices=stage.house.devices())
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
    repeated = await stage.inside.ask(
        "repeat",
        devices=stage.house.devices(),
        every_s=_CONFIRM_EVERY_S,
        seconds=minutes * 60,
    )
    told, passed = await stage.seen()
    print(f"\nidle, {minutes:g} min, every sensor repeats its value each {_CONFIRM_EVERY_S:g} s")
    print(f"  {repeated['said']} values were repeated, each device's by a timer of its own")
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
    await stage.inside.ask("doze", seconds=_DOZE_S)
    told, _ = await stage.seen()
    dozed = not longest("", told, all_of_it=True).reached
    await stage.inside.ask("poll", times=_POLLS)
    _, passed = await stage.seen()
    await stage.inside.ask("rewrite")
    told, _ = await stage.seen()
    found = {
        f"a block of {_BLOCK_S * 1e3:g} ms": blocked,
        f"{_DOZE_S * 1e3:g} ms asleep": dozed,
        f"{_POLLS} polls in a minute": passed.messages() >= _POLLS,
        "a state written as it is": rewritten(told) > 0,
    }
    for what, noticed in found.items():
        print(f"  {'noticed' if noticed else 'NOT NOTICED'}: {what}", flush=True)
    return [f"self-test: {what} went unnoticed" for what, noticed in found.items() if not noticed]
