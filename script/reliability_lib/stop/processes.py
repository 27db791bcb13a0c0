"""The two processes beside the owner's: `owner-api serve` as installed, and the park."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
import subprocess
import sys
from time import clock_gettime

import orjson

from script.reliability_lib.command_line import OWNER_API, ROOT

from .park_process import Settings

# A charger makes an offer every few seconds here, and one owner has all the cars.
_CONFIG = """
announce = false
asks_per_session_per_hour = 1000
access_token_s = 3600
rate_per_s = 1000000
rate_burst = 10000000
"""


@asynccontextmanager
async def serving(database: Path) -> AsyncIterator[tuple[str, int]]:
    """Serve a fresh database with its timers on; give the URL and the process id."""
    config = database.with_name("stop.toml")
    config.write_text(_CONFIG)
    process = await asyncio.create_subprocess_exec(
        *(*OWNER_API, "serve", "--database", str(database), "--listen", "127.0.0.1:0"),
        *("--config", str(config), "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
    )
    async with _until_left(process) as told:
        first = orjson.loads(await told.readline())
        yield str(first["url"]), process.pid


@asynccontextmanager
async def trading(
    settings: Settings, folder: Path
) -> AsyncIterator[tuple[asyncio.StreamReader, int]]:
    """Run the park; give what it tells, line by line, and its process id."""
    file = folder / "park.json"
    file.touch(mode=0o600)
    file.write_bytes(orjson.dumps(asdict(settings)))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "script.reliability_lib.stop.park_process", str(file)),
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    async with _until_left(process) as told:
        yield told, process.pid


def processor_s(pid: int) -> float:
    """Return the processor time (s) that all threads of a process have used so far."""
    # What clock_getcpuclockid(3) computes for another process; Python offers it for threads only.
    return clock_gettime((~pid << 3) | 2)


@asynccontextmanager
async def _until_left(process: asyncio.subprocess.Process) -> AsyncIterator[asyncio.StreamReader]:
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
