"""What the bench saw, as lines and as figures judged by their goals."""

from dataclasses import dataclass
import statistics
from typing import Any, Final

from script.bench_lib.api.goals import Figure

from .counter import Traffic

type Json = dict[str, Any]

BLOCK_MS: Final = 20.0
_SHOWN: Final = 3
_SHOWN_VERBOSE: Final = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """How long one set-up took, and how much of that other processes had the processor."""

    wall_s: float
    stolen_s: float
    entities: int

    @property
    def own_s(self) -> float:
        """How long it takes with a processor to itself."""
        return self.wall_s - self.stolen_s


def set_up(what: str, times: list[Took]) -> Figure:
    """Judge the median of some set-ups, in s."""
    walls = ", ".join(f"{each.own_s:.2f} of {each.wall_s:.2f}" for each in times)
    return Figure(
        name=f"set-up after the API answers, {what}",
        value=statistics.median(each.own_s for each in times),
        goal=1,
        unit=" s",
        detail=f"{times[0].entities} entities enabled; with a core, of all: {walls} s",
        at_most=True,
    )


def _all_blocks(told: Json) -> list[Json]:
    found = [*told["ours"], *told["others"]]
    return sorted(found, key=lambda each: -each["held_ms"])


def blocks(told: Json, *, verbose: bool) -> list[str]:
    """Return the longest callbacks as people read them."""
    lines = [
        f"  {told['callbacks']} callbacks held the loop for {told['held_s']:.2f} s in all; longest:"
    ]
    for each in _all_blocks(told)[: _SHOWN_VERBOSE if verbose else _SHOWN]:
        whose = "ours" if each["ours"] else "not ours"
        parts = f"{each['held_ms']:.1f} ms ({whose}"
        parts += f"; besides {each['gc_ms']:.1f} ms of collecting" if each["gc_ms"] > 1 else ""
        parts += (
            f"; besides {each['stolen_ms']:.1f} ms without a core" if each["stolen_ms"] > 1 else ""
        )
        waited_ms = each["held_ms"] - each["worked_ms"]
        parts += f"; {waited_ms:.1f} ms of it not at work" if waited_ms > 1 else ""
        lines.append(f"    {parts}): {each['what']}")
        if verbose:
            lines += [f"        {where}" for where in each["seen"]]
    return lines


def traffic(passed: Traffic) -> list[str]:
    """Return what passed between Home Assistant and the API."""
    sums = f"{passed.requests.total()} requests, {passed.events.total()} events"
    return [f"  {sums}, {passed.heartbeats} heartbeats: {passed.kinds()}"]


def longest(name: str, told: Json, *, all_of_it: bool = False) -> Figure:
    """Judge the longest block in ms: of ours, or with ``all_of_it`` of anything."""
    found = _all_blocks(told) if all_of_it else told["ours"]
    value = found[0]["held_ms"] if found else 0.0
    others = told["others"][0] if told["others"] and not all_of_it else None
    detail = f"{sum(each['held_ms'] > BLOCK_MS for each in found)} blocks over {BLOCK_MS:g} ms"
    if others:
        detail += f"; the longest with none of our code {others['held_ms']:.1f} ms"
    return Figure(name=name, value=value, goal=BLOCK_MS, unit=" ms", detail=detail, at_most=True)


def rewritten(told: Json) -> int:
    """Return how many writes of our entities told nothing new."""
    return sum(told["rewritten"].values())


def writes(when: str, told: Json) -> Figure:
    """Judge that every write of our entities was a change."""
    most = sorted(told["rewritten"].items(), key=lambda each: -each[1])[:5]
    return Figure(
        name=f"state writes that change nothing, {when}",
        value=rewritten(told),
        goal=0,
        unit="",
        detail=f"{sum(told['changed'].values())} writes changed something"
        + "".join(f"; {count}x {entity_id}" for entity_id, count in most),
        at_most=True,
    )
