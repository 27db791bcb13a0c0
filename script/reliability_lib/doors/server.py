"""`owner-api serve` in a process of its own, and somebody who is to be served meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
import sqlite3
import subprocess
from time import monotonic
from typing import Final

import aiohttp
import orjson

from owner_api.access.keys import load_keys
from owner_api.access.tokens import Tokens
from script.reliability_lib.command_line import OWNER_API, ROOT
from script.reliability_lib.stage import DATABASE, prepare

# Shorter than served by default (30 s and 10 s), so that a run takes no minute for each.
KEEPALIVE_S: Final = 3.0
BODY_S: Final = 2.0
_FREE: Final = """
rate_per_s = 1000000
rate_burst = 10000000
public_rate_per_s = 1000000
public_rate_burst = 10000000
"""
# Fewer than served by default; loopback is not held to a number of its own.
MOST: Final = 500


@dataclass(kw_only=True)
class Served:
    """A running server and somebody who is welcome."""

    port: int
    pid: int
    token: str
    scheme: str = "http"

    def rss_kib(self) -> int:
        """Return the memory that the server holds (KiB)."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise RuntimeError("no VmRSS: this harness needs Linux")

    def held(self) -> int:
        """Return how many files and connections the server has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    async def welcome(self, http: aiohttp.ClientSession) -> float:
        """Ask as the owner and return how long it took (s); raises when it is not served."""
        began = monotonic()
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.scheme}://127.0.0.1:{self.port}/v1/me"
        async with http.get(url, headers=headers, ssl=False) as answer:
            await answer.read()
            if answer.status != 200:
                raise RuntimeError(f"somebody welcome was answered {answer.status}")
        return monotonic() - began


@asynccontextmanager
async def served(
    folder: Path,
    *,
    body_s: float = BODY_S,
    keepalive_s: float = KEEPALIVE_S,
    most: int = MOST,
    tls: bool = False,
) -> AsyncIterator[Served]:
    """Run the command on a fresh database until the block ends."""
    place = folder / f"served-{body_s:g}-{keepalive_s:g}-{tls}"
    plan = await prepare(place, owners=1, offers=0, at=datetime.now(UTC))
    database, person = place / DATABASE, plan.answerers[0]
    connection = sqlite3.connect(database)
    row = connection.execute("SELECT value FROM meta WHERE key = 'server_id'").fetchone()
    connection.close()
    token = Tokens(load_keys(database), str(row[0])).issue(
        role="owner",
        party_id=person.owner_id,
        client_id=person.device_id,
        epoch=0,
        now=datetime.now(UTC),
        life_s=3_600,
    )
    config = place / "doors.toml"
    config.write_text(
        f"{_FREE}keepalive_s = {keepalive_s}\nbody_timeout_s = {body_s}\nmax_connections = {most}\n"
    )
    process = await asyncio.create_subprocess_exec(
        *(*OWNER_API, "serve", "--database", str(database), "--listen", "127.0.0.1:0"),
        *("--config", str(config), "--json", *(("--self-signed",) if tls else ())),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
    )
    try:
        assert process.stdout is not None
        told = orjson.loads(await process.stdout.readline())
        scheme = "https" if tls else "http"
        yield Served(port=told["port"], pid=process.pid, token=token, scheme=scheme)
    finally:
        process.terminate()
        await process.wait()
