"""The owner API as a process, its operator, and a second device of the owner."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp

from owner_api.cli_operate import operate
from owner_api.simulation.client import Client, Token

from .hass import REPOSITORY
from .processes import Process

_COMMAND: Final = REPOSITORY / ".venv/bin/owner-api"
# Ready in two seconds on a quiet machine; a busy one gets its time.
_START_PATIENCE_S: Final = 120.0

# A demo makes many offers in an hour, and does not wait a quarter of one for a last reading, or
# the whole of it until a settlement is final.
_CONFIG: Final = """\
server_name = "Demo operator"
announce = false
asks_per_session_per_hour = 1000
reading_grace_s = 10
dispute_window_min_s = 0
rate_burst = 1000
"""


@dataclass(slots=True, kw_only=True)
class OwnerApi:
    """One running server."""

    url: str
    folder: Path
    process: Process

    async def command(self, name: str, **arguments: str) -> dict[str, Any]:
        """Run what an operator's `owner-api` command runs, through the running server.

        In this process: a command of its own takes seconds to start on a small machine.
        """
        database = _database(self.folder)
        return await asyncio.to_thread(operate, database, name, arguments, as_json=False)

    def pair_phone(self, http: aiohttp.ClientSession, owner_id: str) -> Client:
        """Return a device of the owner that pairs on first use, apart from Home Assistant."""

        async def renew(client: Client, token: Token | None) -> Token:
            if token is not None and token.refresh:
                form = {"grant_type": "refresh_token", "refresh_token": token.refresh}
                return await client.grant(form)
            code = (await self.command("pair", owner_id=owner_id))["code"]
            return await client.pair(code, "Owner's phone")

        return Client(http, self.url, lambda: datetime.now(UTC), renew)


async def start_owner_api(http: aiohttp.ClientSession, folder: Path, port: int) -> OwnerApi:
    """Serve a database in ``folder``; returns once the server is ready."""
    config = folder / "config.toml"
    config.write_text(_CONFIG, encoding="utf-8")
    process = await Process.start(
        "owner API",
        _COMMAND,
        *("serve", "--database", _database(folder), "--config", config),
        *("--listen", f"127.0.0.1:{port}"),
        log=folder / "owner-api.log",
        folder=folder,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(_START_PATIENCE_S):
            while True:
                process.check()
                try:
                    async with http.get(f"{url}/readyz") as response:
                        if response.status == 200:
                            return OwnerApi(url=url, folder=folder, process=process)
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.1)
    except BaseException:
        await process.stop()
        raise


def _database(folder: Path) -> Path:
    return folder / "owner.db"
