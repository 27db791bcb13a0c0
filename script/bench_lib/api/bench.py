"""`script/bench api`: the owner API's speed as ratios to anchors of the same run."""

import argparse
from pathlib import Path
import tempfile

import aiohttp
import orjson

from .answers import OWNERS, answers, offer_to_event
from .fanout import fan_out
from .goals import Figure
from .load import Loader
from .processes import child, compile_c, module
from .stage import Stage

REPEATS = 5
STREAMS = 10_000
# With the work done this often per answer, the first goal must be missed.
SLOWER = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the bench's options."""
    parser.add_argument("--repeats", type=int, default=REPEATS, help="rounds (default 5)")
    parser.add_argument("--streams", type=int, default=STREAMS, help="streams (default 10000)")
    parser.add_argument("--self-test", action="store_true", help="only prove that it can fail")


async def bench(asked: argparse.Namespace) -> list[str]:
    """Run the bench, print its figures, and return the goals it misses."""
    missed = []
    if not asked.self_test:
        figures = await _measure(asked.repeats, asked.streams, slower=1)
        for figure in figures:
            print(figure.line(), flush=True)
        missed = [
            f"{figure.name}: {figure.value:.2f}{figure.unit}"
            for figure in figures
            if not figure.reached
        ]
    print("\nself-test: the bench must notice an API that does its work eight times")
    slow = await _measure(1, 0, slower=SLOWER)
    noticed = not slow[0].reached
    print(f"  {'noticed' if noticed else 'NOT NOTICED'}: {slow[0].line()}")
    return missed if noticed else [*missed, "self-test: a slow API went unnoticed"]


async def _measure(repeats: int, streams: int, *, slower: int) -> list[Figure]:
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as name:
        folder = Path(name)
        async with (
            child(*module("server"), folder, str(OWNERS)) as server,
            child(*module("bare")) as bare,
            aiohttp.ClientSession() as http,
        ):
            told = orjson.loads(await server.line())
            bare_port = orjson.loads(await bare.line())["port"]
            stage = Stage(http, told)
            await stage.build()
            loader = Loader(compile_c("load", folder))
            figures = await answers(stage, loader, bare_port, folder, repeats, slower)
            if streams:
                figures.append(await offer_to_event(stage, stage.owners[0]))
                figures += await fan_out(stage, server, folder, streams=streams, repeats=repeats)
            return figures
