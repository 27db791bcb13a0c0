"""A real Home Assistant for the demo and the end-to-end tests: start it, sign in, stop it.

It runs in a folder of its own on 127.0.0.1; how the folder is made is in ``hass_folder``, what can
be asked of it in ``hass_client`` and ``hass_owner``.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
import signal
import socket
import time
from typing import Any, Self

from aiohttp import ClientError, ClientSession, ClientTimeout

from .hass_client import START_TIMEOUT_S
from .hass_folder import DOMAIN, HASS, REPOSITORY, HomeAssistantError, Setup, prepare_folder
from .hass_owner import HomeAssistantOwner

__all__ = [
    "DOMAIN",
    "HASS",
    "REPOSITORY",
    "HomeAssistantError",
    "RunningHomeAssistant",
    "Setup",
    "free_port",
    "running_home_assistant",
]

STOP_TIMEOUT_S = 30.0


@dataclass(kw_only=True)
class RunningHomeAssistant(HomeAssistantOwner):
    """A Home Assistant that answers, seen by its administrator."""

    setup: Setup
    command_line: tuple[str, ...] = (str(HASS),)
    _process: asyncio.subprocess.Process | None = None

    @property
    def process_id(self) -> int:
        """The process that must end with us."""
        if self._process is None:
            raise HomeAssistantError("Home Assistant is not running")
        return self._process.pid

    @property
    def log(self) -> str:
        """Everything logged so far."""
        return (self.setup.folder / "home-assistant-output.log").read_text(encoding="utf-8")

    def complaints(self, word: str = DOMAIN) -> list[str]:
        """Return the log's warnings and errors that mention ``word``.

        What Home Assistant says of every custom integration is no complaint about this one.
        """
        return [
            line
            for line in self.log.splitlines()
            if word in line
            and (" WARNING " in line or " ERROR " in line)
            and "has not been tested by Home Assistant" not in line
        ]

    async def start(self) -> Self:
        """Start the process, wait until it answers, sign in and open the WebSocket."""
        output = (self.setup.folder / "home-assistant-output.log").open("ab")
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.command_line,
                "-c",
                str(self.setup.folder),
                "--log-no-color",
                "--skip-pip",
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        finally:
            output.close()
        await self._answers()
        if not (self.setup.folder / ".storage/auth_provider.homeassistant").exists():
            await self._add_owner()
        self.token = await self._sign_in()
        await self.connect()
        await self.until(self._is_running, "Home Assistant runs")
        # An address that nobody confirms is taken back after five minutes, by a restart.
        if (await self.command("http/config"))["pending"]:
            await self.command("http/config/promote")
        return self

    async def stop(self) -> None:
        """Close the WebSocket and end the process, by force if it does not go."""
        await self.disconnect()
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def restart(self) -> None:
        """Stop and start again on the same folder."""
        await self.stop()
        await self.start()

    async def _answers(self) -> None:
        """Wait until the web server answers."""
        began = time.monotonic()
        while time.monotonic() - began < START_TIMEOUT_S:
            if self._process is not None and self._process.returncode is not None:
                raise HomeAssistantError(f"Home Assistant ended at once:\n{self.log[-2000:]}")
            with suppress(ClientError, TimeoutError):
                async with self.http.get(f"{self.url}/manifest.json") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.2)
        raise HomeAssistantError(f"no answer after {START_TIMEOUT_S:g} s:\n{self.log[-2000:]}")

    async def _is_running(self) -> bool:
        """Tell whether every integration has been started."""
        return bool((await self.get("/api/config"))["state"] == "RUNNING")

    async def _add_owner(self) -> None:
        """Fill in the first page that a new Home Assistant shows: whom it belongs to."""
        whose = {
            "client_id": f"{self.url}/",
            "name": self.setup.username,
            "username": self.setup.username,
            "password": self.setup.password,
            "language": self.setup.language,
        }
        await self._anonymous("/api/onboarding/users", json=whose)

    async def _sign_in(self) -> str:
        """Sign in as the administrator; returns a token that lives for the run."""
        client = {"client_id": f"{self.url}/"}
        begin = {**client, "handler": ["homeassistant", None], "redirect_uri": f"{self.url}/"}
        flow = await self._anonymous("/auth/login_flow", json=begin)
        answer = await self._anonymous(
            f"/auth/login_flow/{flow['flow_id']}",
            json={**client, "username": self.setup.username, "password": self.setup.password},
        )
        form = {**client, "grant_type": "authorization_code", "code": answer["result"]}
        granted = await self._anonymous("/auth/token", data=form)
        return str(granted["access_token"])

    async def _anonymous(self, path: str, **content: Any) -> Any:  # noqa: ANN401 - JSON
        """Post without a token."""
        async with self.http.post(self.url + path, **content) as response:
            if response.status >= 400:
                raise HomeAssistantError(f"POST {path}: {response.status} {await response.text()}")
            return await response.json()


def free_port() -> int:
    """Return a port on 127.0.0.1 that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@asynccontextmanager
async def running_home_assistant(
    setup: Setup, command_line: tuple[str, ...] = (str(HASS),)
) -> AsyncIterator[RunningHomeAssistant]:
    """Run Home Assistant in ``setup.folder`` until the block ends.

    ``command_line`` starts it in another way, for who wants to look inside.
    """
    if not HASS.exists():
        raise HomeAssistantError(f"{HASS} is missing: run script/setup first")
    port = setup.port or free_port()
    prepare_folder(setup, port)
    timeout = ClientTimeout(total=START_TIMEOUT_S)
    async with ClientSession(timeout=timeout) as http:
        home = RunningHomeAssistant(setup=setup, port=port, http=http, command_line=command_line)
        try:
            await home.start()
            yield home
        finally:
            await home.stop()
