"""Knock at the doors in every bad way; each is bounded, and others are served meanwhile."""

import argparse
import asyncio
from pathlib import Path
import resource
import tempfile
from typing import Final

from script.reliability_lib.report import counts

from .knocks import (
    WAYS,
    Knock,
    guessed_codes,
    hostile_tokens,
    idle_crowd,
    reused_refresh,
    silent_handshakes,
    slow_body,
)
from .server import served

_FILES: Final = 30_000
# Long enough that the first to come is still there when the last one is.
_CROWD_KEEPALIVE_S: Final = 45.0
_FAR_TOO_LONG_S: Final = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--idle", type=int, default=10_000, help="idle connections")


def run(options: argparse.Namespace) -> bool:
    """Knock, print what was seen, then knock at a door that is known not to hold."""
    _raise_file_limit()
    with tempfile.TemporaryDirectory() as made:
        seen = asyncio.run(_all(Path(made), options.idle))
        _print("doors: owner-api serve, and what came to it", seen)
        held = all(each.held for each in seen)
        if options.no_proof:
            return held
        loose = asyncio.run(_loose(Path(made)))
    _print(
        "proof: a server that waits a minute for a body, and an honest token among forged", loose
    )
    return held and not any(each.held for each in loose)


async def _all(folder: Path, idle: int) -> list[Knock]:
    seen = [
        await hostile_tokens(folder),
        await reused_refresh(folder),
        await guessed_codes(folder),
    ]
    async with served(folder) as server:
        seen += [await way(server) for way in WAYS]
    async with served(folder, tls=True) as server:
        seen.append(await silent_handshakes(server))
    async with served(folder, keepalive_s=_CROWD_KEEPALIVE_S, most=2 * idle) as server:
        return [*seen, await idle_crowd(server, idle)]


async def _loose(folder: Path) -> list[Knock]:
    place = folder / "loose"
    place.mkdir()
    honest = await hostile_tokens(place, with_a_genuine_one=True)
    async with served(folder, body_s=_FAR_TOO_LONG_S) as server:
        return [honest, await slow_body(server, dribble=False)]


def _raise_file_limit() -> None:
    """Let this process, and the servers it starts, hold as many connections as are asked for."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if most == resource.RLIM_INFINITY else min(_FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _print(title: str, seen: list[Knock]) -> None:
    print(title)
    for each in seen:
        print(f"  {'held' if each.held else 'OPEN':<5} {each.name:<28} {each.saw}", flush=True)
    counts("in all", (("ways", len(seen)), ("held", sum(each.held for each in seen))))
