"""The agent in a process of its own, on whose streams events never stop until it is told so.

``DATABASE SEED`` are its words. It prints its port as a line; any line on stdin ends the events,
which it answers with ``quiet``; the end of stdin or SIGTERM stops it in order.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
import itertools
from pathlib import Path
import random
import signal
import socket
import sys
from typing import Final
from unittest.mock import patch

from owner_api.clock import SystemClock
from owner_api.config import Config
from owner_api.server.agent import Agent, build_agent
from owner_api.store import Tx
from script.reliability_lib.stage import Plan

# Soon dropped when nobody reads, and with room for streams whose end nobody has noticed yet.
CONFIG: Final = Config(
    rate_per_s=1e6,
    rate_burst=10**7,
    heartbeat_s=0.5,
    stream_write_timeout_s=0.3,
    stream_buffer_bytes=16_384,
    max_streams_per_party=1_000,
    shutdown_timeout_s=1,
)
_MOST_AT_ONCE: Final = 6
_PAUSE_S: Final = 0.02
_LARGE: Final = 60_000
_FLOODS: Final = 0.01
_FLOOD: Final = 6
_BUFFER: Final = 16_384


async def _emit(
    agent: Agent, parties: list[str], chance: random.Random, quiet: asyncio.Event
) -> None:
    """Add events for random parties, some in one commit, some a flood, until it is quiet."""
    numbers = itertools.count()
    while not quiet.is_set():
        told = chance.choices(parties, k=chance.randrange(1, _MOST_AT_ONCE))
        size, times = 40, 1
        if chance.random() < _FLOODS:
            # More than the buffers between here and a client that does not read.
            told, size, times = parties, _LARGE, _FLOOD
        for _ in range(times):
            data: dict[str, object] = {"number": next(numbers), "x": "x" * size}
            await agent.store.write(partial(_write, agent, told, data))
        await asyncio.sleep(chance.random() * _PAUSE_S)


async def _small(
    create: Callable[..., Awaitable[asyncio.Server]], *words: object, **more: object
) -> asyncio.Server:
    """Listen with small buffers in the kernel, which would hold minutes of a slow stream."""
    server = await create(*words, **more)
    for listening in server.sockets:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    return server


def _both(*events: asyncio.Event) -> None:
    for each in events:
        each.set()


def _write(agent: Agent, told: list[str], data: dict[str, object], tx: Tx) -> None:
    for party in told:
        tx.emit(party, "noted", agent.clock.now(), data)


async def main(database: Path, seed: int) -> None:
    """Serve until told to stop."""
    plan, stop = Plan.load(database.parent), asyncio.Event()
    parties = [plan.park_id, *(person.owner_id for person in plan.answerers)]
    agent = await build_agent(database, SystemClock(), CONFIG)
    loop = asyncio.get_running_loop()
    with patch.object(loop, "create_server", partial(_small, loop.create_server)):
        port = await agent.start("127.0.0.1", 0)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    chance = random.Random(seed)  # noqa: S311 - a plan to repeat
    quiet = asyncio.Event()
    emitting = asyncio.create_task(_emit(agent, parties, chance, quiet))

    def told() -> None:
        quiet.set()
        if not sys.stdin.readline():
            stop.set()

    loop.add_reader(sys.stdin.fileno(), told)
    loop.add_signal_handler(signal.SIGTERM, _both, quiet, stop)
    # What is being written is written to its end, so that nothing follows the word.
    await emitting
    sys.stdout.write("quiet\n")
    sys.stdout.flush()
    await stop.wait()
    loop.remove_reader(sys.stdin.fileno())
    await agent.stop()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
