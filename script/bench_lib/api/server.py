"""The real owner API in a process of its own, with owners to pair; `server FOLDER OWNERS`.

Prints one JSON line with its port, the park's client and one pairing code per owner, then obeys
standard input: `event` puts one event on the first owners' streams, the end of the input stops it.
"""

import asyncio
from functools import partial
from pathlib import Path
import sys
from typing import Any

import orjson

from owner_api.clock import SystemClock
from owner_api.config import Config
from owner_api.server.agent import Agent, build_agent
from owner_api.server.desk import Operate
from owner_api.server.process import settle_process

from .events import STREAMED, emit

UNLIMITED = 1_000_000
CONFIG = Config(
    announce=False,
    rate_per_s=UNLIMITED,
    rate_burst=UNLIMITED,
    public_rate_per_s=UNLIMITED,
    public_rate_burst=UNLIMITED,
    asks_per_session_per_hour=1_000,
    waiting_offers_per_session=1_000,
    max_streams=20_000,
    max_streams_per_party=1_000,
    access_token_s=3_600,
    # No heartbeat may be mistaken for the event.
    heartbeat_s=300,
)


async def serve(folder: Path, owners: int, config: Config = CONFIG, devices: int = 1) -> None:
    """Serve until standard input ends; each owner gets ``devices`` pairing codes in a row."""
    async with await build_agent(
        folder / "owner.db", SystemClock(), config, apart=True, packages=("script",)
    ) as agent:
        port = await agent.start("127.0.0.1", 0)
        settle_process()
        park = await _operate(agent, "park add", {"display_name": "Bench park"})
        named = [one for number in range(owners) for one in await _owner(agent, number, devices)]
        told = {
            "port": port,
            "client_id": park["client_id"],
            "client_secret": park["client_secret"],
            "codes": [code for _, code in named],
        }
        print(orjson.dumps(told).decode(), flush=True)
        parties = [owner_id for owner_id, _ in named[::devices]][:STREAMED]
        while await asyncio.to_thread(sys.stdin.readline):
            await agent.store.write(partial(emit, parties=parties))


async def _owner(agent: Agent, number: int, devices: int) -> list[tuple[str, str]]:
    wanted = {"display_name": f"Owner {number}", "time_zone": "Europe/Oslo"}
    owner_id = str((await _operate(agent, "owner add", wanted))["owner_id"])
    made = [await _operate(agent, "pair", {"owner_id": owner_id}) for _ in range(devices)]
    return [(owner_id, str(each["code"])) for each in made]


async def _operate(agent: Agent, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return await agent.store.write(Operate(agent.desk, name, arguments, agent.clock.now()))


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
