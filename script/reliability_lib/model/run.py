"""Play many worlds, count the transitions, and prove that a wrong model would be noticed."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
import random
import shutil
import tempfile
from time import monotonic

from script.reliability_lib.apart import apart

from .compare import DivergedError
from .desk import Desk
from .drawing import TRANSITIONS, Transition
from .player import Player
from .twin import Twin

# A fresh world before its books get long: holding everything against the model costs its size.
STEPS_PER_WORLD = 500
_DATABASE = "model.db"
# Nothing here asks what survives, so the files may lie in memory.
_MEMORY = Path("/dev/shm")  # noqa: S108 - a fresh private folder is made in it


@dataclass
class Played:
    """What a run of the model counted."""

    steps: int = 0
    worlds: int = 0
    requests: int = 0
    refused: int = 0
    repeated: int = 0
    seconds: float = 0
    taken: Counter[Transition] = field(default_factory=Counter)
    diverged: str | None = None


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None)


async def _template(folder: Path) -> None:
    desk = await Desk.open(folder / _DATABASE)
    await desk.close()


async def _world(
    folder: Path, steps: int, chance: random.Random, altered: Transition | None, played: Played
) -> None:
    desk = await Desk.open(folder / _DATABASE)
    twin = Twin(altered)
    player = Player(desk, twin, chance)
    try:
        await player.set_up()
        for _ in range(steps):
            await player.step()
    finally:
        await desk.close()
        played.steps += player.steps
        played.worlds += 1
        played.requests += player.asked
        played.refused += player.refused
        played.repeated += player.repeated
        played.taken += twin.taken


def play(
    steps: int,
    seed: int | str,
    *,
    altered: Transition | None = None,
    seconds: float | None = None,
) -> Played:
    """Play ``steps`` steps, world after world, until the model and the store disagree.

    ``seconds`` ends it earlier, after the world that was going on.
    """
    played, began = Played(), monotonic()
    # The schema's migrations take longer than a hundred steps.
    with _folder() as template:
        asyncio.run(_template(Path(template)))
        while played.steps < steps and played.diverged is None:
            chance = random.Random(f"{seed}/{played.worlds}")  # noqa: S311 - a plan to repeat
            wanted = min(STEPS_PER_WORLD, steps - played.steps)
            with _folder() as made:
                folder = Path(made) / "world"
                shutil.copytree(template, folder)
                try:
                    asyncio.run(_world(folder, wanted, chance, altered, played))
                except DivergedError as error:
                    played.diverged = f"world {seed}/{played.worlds - 1}: {error}"
            played.seconds = monotonic() - began
            if seconds is not None and played.seconds > seconds:
                break
    return played


def play_apart(steps: int, seed: int, workers: int, *, seconds: float | None = None) -> Played:
    """Play in so many processes, each with seeds of its own, and return their sum."""
    began, seeds = monotonic(), [f"{seed}.{at}" for at in range(workers)]
    total = together(apart(partial(play, seconds=seconds), steps, seeds))
    total.seconds = monotonic() - began
    return total


def together(found: Iterable[Played]) -> Played:
    """Return the sum of several runs; the first divergence stands for all."""
    total = Played()
    for each in found:
        total.steps += each.steps
        total.worlds += each.worlds
        total.requests += each.requests
        total.refused += each.refused
        total.repeated += each.repeated
        total.seconds = max(total.seconds, each.seconds)
        total.taken += each.taken
        total.diverged = total.diverged or each.diverged
    return total


def noticed(altered: Transition, seed: int, most: int) -> Played:
    """Play with one transition of the model altered; ``diverged`` tells whether it was noticed."""
    return play(most, seed, altered=altered)


def table(played: Played, least: int) -> list[str]:
    """Return the transitions and how often each was taken; short ones are marked."""
    lines = []
    for each in TRANSITIONS:
        count = played.taken[each]
        mark = f"  < {least}" if count < least else ""
        lines.append(f"  {each[0]:<10} {each[1]:>13} → {each[2]:<13} {count:>8}{mark}")
    return lines


def short(played: Played, least: int) -> list[Transition]:
    """Return the transitions taken less often than ``least`` times."""
    return [each for each in TRANSITIONS if played.taken[each] < least]
