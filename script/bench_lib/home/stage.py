"""What the bench measures: the API, a relay, and a Home Assistant that is watched from inside."""

import argparse
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
import os
from pathlib import Path
import sys
import tempfile
from typing import Any

import aiohttp
import orjson

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

type Json = dict[str, Any]


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


@asynccontextmanager
async def open_stage(asked: argparse.Namespace) -> AsyncIterator[Stage]:
    """Start the API, the relay and Home Assistant for the time of the block."""
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
