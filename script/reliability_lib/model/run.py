"""Play many worlds, count the transitions, and prove that a wrong model would be noticed."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
import random
import shutil
import tempfile
from time import monotonic

from .compare import DivergedError
from .desk import Desk
from .drawing import NOT_OFFERED, REACHABLE, TRANSITIONS, Transition
from .player import Player
from .twin import Twin

# A fresh world before its books get long: holding everything against the model costs its size.
STEPS_PER_WORLD = 500
_DATABASE = "model.db"


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
    seed: int,
    *,
    altered: Transition | None = None,
    until: Callable[[Played], bool] = lambda _played: False,
) -> Played:
    """Play ``steps`` steps, world after world, until the model and the store disagree."""
    played = Played()
    with tempfile.TemporaryDirectory() as template:
        # The schema's migrations take longer than a hundred steps.
        asyncio.run(_template(Path(template)))
        _play(played, steps, seed, Path(template), altered, until)
    return played


def _play(
    played: Played,
    steps: int,
    seed: int,
    template: Path,
    altered: Transition | None,
    until: Callable[[Played], bool],
) -> None:
    began = monotonic()
    while played.steps < steps and played.diverged is None and not until(played):
        chance = random.Random(f"{seed}/{played.worlds}")  # noqa: S311 - a plan to repeat
        wanted = min(STEPS_PER_WORLD, steps - played.steps)
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made) / "world"
            shutil.copytree(template, folder)
            try:
                asyncio.run(_world(folder, wanted, chance, altered, played))
            except DivergedError as error:
                played.diverged = f"world {seed}/{played.worlds - 1}: {error}"
        played.seconds = monotonic() - began


def noticed(altered: Transition, seed: int, most: int) -> Played:
    """Play with one transition of the model altered; ``diverged`` tells whether it was noticed."""
    return play(most, seed, altered=altered)


def table(played: Played, least: int) -> list[str]:
    """Return the transitions and how often each was taken; short ones are marked."""
    lines = []
    for each in TRANSITIONS:
        count, mark = played.taken[each], ""
        if each in NOT_OFFERED:
            mark = "  drawn, but no command leads there"
        elif count < least:
            mark = f"  < {least}"
        lines.append(f"  {each[0]:<10} {each[1]:>13} → {each[2]:<13} {count:>8}{mark}")
    return lines


def short(played: Played, least: int) -> list[Transition]:
    """Return the transitions taken less often than ``least`` times."""
    return [each for each in REACHABLE if played.taken[each] < least]
