"""A real Home Assistant for the demo and the end-to-end tests: start it, sign in, talk to it.

Home Assistant runs from ``.venv-ha`` in a folder of its own on 127.0.0.1, with our integration
linked in, an administrator who can sign in, and onboarding done. Nothing is fetched at run time.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
import json
from pathlib import Path
import signal
import socket
import time
from typing import Any, Self

from aiohttp import ClientError, ClientSession, ClientTimeout, ClientWebSocketResponse

REPOSITORY = Path(__file__).resolve().parents[2]
HASS = REPOSITORY / ".venv-ha/bin/hass"
DOMAIN = "v2g_owner"
# Home Assistant answers within 10 s on two quiet cores; a busy machine gets its time.
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0

_CONFIGURATION = """\
homeassistant:
  name: {name}
  time_zone: {time_zone}
  country: {country}
  currency: {currency}
  language: {language}
  unit_system: metric
http:
  server_host: 127.0.0.1
  server_port: {port}
config:
api:
automation:
calendar:
diagnostics:
energy:
frontend:
history:
logbook:
recorder:
script:
system_health:
logger:
  default: warning
  logs:
    custom_components.{domain}: info
"""


class HomeAssistantError(Exception):
    """Home Assistant did not do what it was asked; the text names the request and the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a new Home Assistant is started with; ``extra`` is more YAML for its configuration."""

    folder: Path
    port: int = 0
    name: str = "Demo home"
    username: str = "owner"
    password: str = "owner-demo"  # noqa: S105 - printed for everyone who runs the demo
    language: str = "en"
    time_zone: str = "Asia/Shanghai"
    country: str = "CN"
    currency: str = "CNY"
    extra: str = ""


@dataclass(kw_only=True)
class RunningHomeAssistant:
    """A Home Assistant that answers, seen by its administrator."""

    setup: Setup
    port: int
    http: ClientSession
    token: str = ""
    _process: asyncio.subprocess.Process | None = None
    _socket: ClientWebSocketResponse | None = None
    _pending: dict[int, asyncio.Future[Any]] = field(default_factory=dict)
    _subscribers: dict[int, Callable[[dict[str, Any]], None]] = field(default_factory=dict)
    _reader: asyncio.Task[None] | None = None
    _last_id: int = 0

    @property
    def url(self) -> str:
        """The address, for people and for requests."""
        return f"http://127.0.0.1:{self.port}"

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

    # Life

    async def start(self) -> Self:
        """Start the process, wait until it answers, sign in and open the WebSocket."""
        output = (self.setup.folder / "home-assistant-output.log").open("ab")
        try:
            self._process = await asyncio.create_subprocess_exec(
                str(HASS),
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
        self.token = await self._sign_in()
        await self._connect()
        await self.until(self._is_running, "Home Assistant runs")
        # An address that nobody confirms is taken back after five minutes, by a restart.
        if (await self.command("http/config"))["pending"]:
            await self.command("http/config/promote")
        return self

    async def stop(self) -> None:
        """Close the WebSocket and end the process, by force if it does not go."""
        if self._reader is not None:
            self._reader.cancel()
            with suppress(asyncio.CancelledError):
                await self._reader
            self._reader = None
        if self._socket is not None:
            await self._socket.close()
            self._socket = None
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

    # REST

    async def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON of a GET."""
        return await self._request("GET", path)

    async def post(self, path: str, body: Any = None) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON of a POST."""
        return await self._request("POST", path, body)

    async def _request(self, method: str, path: str, body: Any = None) -> Any:  # noqa: ANN401
        """Send one request as the administrator; raises HomeAssistantError on a no."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.http.request(
            method, self.url + path, json=body, headers=headers
        ) as response:
            if response.status >= 400:
                text = await response.text()
                raise HomeAssistantError(f"{method} {path}: {response.status} {text}")
            return await response.json(content_type=None)

    async def states(self) -> dict[str, dict[str, Any]]:
        """Return every state by entity id."""
        return {state["entity_id"]: state for state in await self.get("/api/states")}

    async def state(self, entity_id: str) -> dict[str, Any]:
        """Return one state with its attributes."""
        found: dict[str, Any] = await self.get(f"/api/states/{entity_id}")
        return found

    async def set_state(self, entity_id: str, state: Any, **attributes: Any) -> None:  # noqa: ANN401
        """Set the state of an entity that nothing else provides, such as a simulated sensor."""
        body = {"state": str(state), "attributes": attributes, "force_update": False}
        await self.post(f"/api/states/{entity_id}", body)

    async def call(
        self, domain: str, action: str, data: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Call an action; returns the states it changed."""
        changed: list[dict[str, Any]] = await self.post(
            f"/api/services/{domain}/{action}", dict(data or {})
        )
        return changed

    async def ask(
        self, domain: str, action: str, data: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Call an action that answers; returns its response."""
        answer = await self.post(
            f"/api/services/{domain}/{action}?return_response", dict(data or {})
        )
        response: dict[str, Any] = answer["service_response"]
        return response

    async def until(
        self, check: Callable[[], Any], what: str, timeout_s: float = 60, every_s: float = 0.1
    ) -> Any:  # noqa: ANN401 - whatever the check returns
        """Wait until the coroutine function ``check`` returns something true, and return it.

        Raises HomeAssistantError naming ``what`` was awaited.
        """
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if found := await check():
                return found
            await asyncio.sleep(every_s)
        raise HomeAssistantError(f"waited {timeout_s:g} s in vain until {what}")

    # WebSocket

    async def command(self, kind: str, **fields: Any) -> Any:  # noqa: ANN401 - JSON
        """Send a WebSocket command and return its result."""
        return await self._send(self._next_id(), kind, fields)

    async def subscribe(
        self,
        callback: Callable[[dict[str, Any]], None],
        kind: str,
        **fields: Any,  # noqa: ANN401 - each command has its own
    ) -> None:
        """Send a WebSocket command that goes on answering; each event goes to ``callback``."""
        number = self._next_id()
        self._subscribers[number] = callback
        await self._send(number, kind, fields)

    def _next_id(self) -> int:
        """Return the next command's number."""
        self._last_id += 1
        return self._last_id

    async def _send(self, number: int, kind: str, fields: Mapping[str, Any]) -> Any:  # noqa: ANN401
        """Send a command and await its result."""
        if self._socket is None:
            raise HomeAssistantError("the WebSocket is closed")
        future = asyncio.get_running_loop().create_future()
        self._pending[number] = future
        await self._socket.send_json({"id": number, "type": kind, **fields})
        async with asyncio.timeout(START_TIMEOUT_S):
            answer = await future
        if not answer["success"]:
            raise HomeAssistantError(f"{kind}: {answer['error']}")
        return answer["result"]

    async def _connect(self) -> None:
        """Open the WebSocket and sign in on it."""
        self._last_id = 0
        self._subscribers.clear()
        connection = await self.http.ws_connect(f"{self.url}/api/websocket", max_msg_size=0)
        await connection.receive_json()
        await connection.send_json({"type": "auth", "access_token": self.token})
        answer = await connection.receive_json()
        if answer["type"] != "auth_ok":
            raise HomeAssistantError(f"the WebSocket refused us: {answer}")
        self._socket = connection
        self._reader = asyncio.create_task(self._read(connection))

    async def _read(self, connection: ClientWebSocketResponse) -> None:
        """Hand each message to whoever waits for it."""
        async for message in connection:
            content = json.loads(message.data)
            for each in content if isinstance(content, list) else [content]:
                if each["type"] == "event" and each["id"] in self._subscribers:
                    self._subscribers[each["id"]](each["event"])
                elif (future := self._pending.pop(each["id"], None)) and not future.done():
                    future.set_result(each)

    # Our integration

    async def pair(self, url: str, code: str) -> tuple[str, str | None]:
        """Add our entry by address and code; returns its id and the chained vehicle's flow id."""
        flow = await self.post("/api/config/config_entries/flow", {"handler": DOMAIN})
        answer = await self.post(
            f"/api/config/config_entries/flow/{flow['flow_id']}",
            {"url": url, "pairing_code": code},
        )
        if answer["type"] != "create_entry":
            raise HomeAssistantError(f"pairing: {answer.get('errors') or answer}")
        chained = answer.get("next_flow")
        return answer["result"]["entry_id"], chained[1] if chained else None

    async def start_subentry(self, entry_id: str, kind: str) -> str:
        """Begin to add a vehicle or charger; returns the flow id."""
        flow = await self.post(
            "/api/config/config_entries/subentries/flow", {"handler": [entry_id, kind]}
        )
        return str(flow["flow_id"])

    async def add_device(
        self,
        flow_id: str,
        *,
        facts: Mapping[str, Any],
        entities: Mapping[str, Any],
        link: str | None = None,
    ) -> dict[str, Any]:
        """Walk a vehicle's or charger's flow to its end; returns the last answer.

        ``link`` names one that the API already knows; else one is made from ``facts``.
        """
        path = f"/api/config/config_entries/subentries/flow/{flow_id}"
        step = await self.get(path)
        if step["step_id"] == "user":
            step = await self.post(path, {"link": link or "new"})
        if step["step_id"] == "facts":
            step = await self.post(path, dict(facts))
        answer: dict[str, Any] = await self.post(path, dict(entities))
        if answer["type"] != "create_entry":
            raise HomeAssistantError(f"adding a device: {answer.get('errors') or answer}")
        return answer

    async def entity_ids(self) -> dict[str, str]:
        """Return our entity ids by ``platform.unique_id``, whatever language named them."""
        entries = await self.command("config/entity_registry/list")
        return {
            f"{entry['entity_id'].partition('.')[0]}.{entry['unique_id']}": entry["entity_id"]
            for entry in entries
            if entry["platform"] == DOMAIN
        }

    async def save_dashboard(self, url_path: str, config: Mapping[str, Any]) -> None:
        """Add a dashboard at ``url_path``, which needs a hyphen, and open it first for everyone."""
        made = {"url_path": url_path, "title": config["title"], "icon": config["icon"]}
        await self.command("lovelace/dashboards/create", **made)
        await self.command("lovelace/config/save", config=dict(config), url_path=url_path)
        await self.command(
            "frontend/set_system_data", key="core", value={"default_panel": url_path}
        )


def free_port() -> int:
    """Return a port on 127.0.0.1 that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def _prepare(setup: Setup, port: int) -> None:
    """Write a new folder: configuration, our integration, an administrator, onboarding done."""
    folder = setup.folder
    (folder / ".storage").mkdir(parents=True, exist_ok=True)
    values = {
        "name": json.dumps(setup.name, ensure_ascii=False),
        "time_zone": setup.time_zone,
        "country": setup.country,
        "currency": setup.currency,
        "language": json.dumps(setup.language),
        "port": port,
        "domain": DOMAIN,
    }
    configuration = _CONFIGURATION.format(**values) + setup.extra
    (folder / "configuration.yaml").write_text(configuration, encoding="utf-8")
    link = folder / "custom_components"
    if not link.exists():
        link.symlink_to(REPOSITORY / "custom_components", target_is_directory=True)
    onboarding = folder / ".storage/onboarding"
    if onboarding.exists():
        return
    # The steps of onboarding would set up weather and radio, which need the internet.
    done = {"done": ["user", "core_config", "analytics", "integration"]}
    content = {"version": 4, "minor_version": 1, "key": "onboarding", "data": done}
    onboarding.write_text(json.dumps(content), encoding="utf-8")
    command = (
        *("--script", "auth", "-c", str(folder)),
        *("add", setup.username, setup.password),
    )
    process = await asyncio.create_subprocess_exec(
        str(HASS),
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise HomeAssistantError(f"could not add the administrator:\n{output.decode()}")


@asynccontextmanager
async def running_home_assistant(setup: Setup) -> AsyncIterator[RunningHomeAssistant]:
    """Run Home Assistant in ``setup.folder`` until the block ends."""
    if not HASS.exists():
        raise HomeAssistantError(f"{HASS} is missing: run script/setup first")
    port = setup.port or free_port()
    await _prepare(setup, port)
    timeout = ClientTimeout(total=START_TIMEOUT_S)
    async with ClientSession(timeout=timeout) as http:
        home = RunningHomeAssistant(setup=setup, port=port, http=http)
        try:
            await home.start()
            yield home
        finally:
            await home.stop()
