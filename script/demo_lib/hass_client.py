"""Talk to a Home Assistant as its administrator: REST for states and actions, WebSocket beside."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
import json
import time
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse

from .hass_folder import HomeAssistantError

# Home Assistant answers within 10 s on two quiet cores; a busy machine gets its time.
START_TIMEOUT_S = 120.0


@dataclass(kw_only=True)
class HomeAssistantClient:
    """The administrator's requests to a Home Assistant on this machine."""

    port: int
    http: ClientSession
    token: str = ""
    _socket: ClientWebSocketResponse | None = None
    _pending: dict[int, asyncio.Future[Any]] = field(default_factory=dict)
    _subscribers: dict[int, Callable[[dict[str, Any]], None]] = field(default_factory=dict)
    _reader: asyncio.Task[None] | None = None
    _last_id: int = 0

    @property
    def url(self) -> str:
        """The address, for people and for requests."""
        return f"http://127.0.0.1:{self.port}"

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

    async def connect(self) -> None:
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

    async def disconnect(self) -> None:
        """Close the WebSocket."""
        if self._reader is not None:
            self._reader.cancel()
            with suppress(asyncio.CancelledError):
                await self._reader
            self._reader = None
        if self._socket is not None:
            await self._socket.close()
            self._socket = None
