"""What a park can see of one owner, byte for byte: answers with headers, and its event stream."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
import re
from typing import Any
import uuid

from .deal_world import Answer, Caller, World

_ID = re.compile(rb"([a-z]{3})_[0-9a-f]{32}")
# The size and the root of the whole server's log, and the signature over both.
_CHECKPOINT = re.compile(rb'"checkpoint":"[^"]*"')
# Set by the clock of the machine, not by anything of the owner's.
_NOT_OURS = {"date"}


@dataclass(kw_only=True)
class ParkRecord:
    """One owner and one park of its own; keeps every answer the park gets."""

    world: World
    owner: Caller
    park: Caller
    vehicle_id: str
    member: str = ""
    session_id: str = ""
    offer: dict[str, Any] = field(default_factory=dict)
    commitment_id: str = ""
    settlement_id: str = ""
    exported_wh: int = 5_000
    soc_pct: float = 0.0
    seq: int = 0
    lease_until: datetime | None = None
    answers: list[bytes] = field(default_factory=list)

    async def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """Call as the park does and keep the whole answer, its headers in order."""
        headers = {"Authorization": f"Bearer {self.park.token}"}
        if method == "POST":
            headers["Idempotency-Key"] = uuid.uuid4().hex
            body = {} if body is None else body
        async with self.world.http.request(
            method, self.world.url + path, json=body, headers=headers
        ) as response:
            raw = await response.read()
            found = await response.json(content_type=None) if raw else None
            shown = [
                b"%s: %s" % (name, value)
                for name, value in response.raw_headers
                if name.decode().lower() not in _NOT_OURS
            ]
            status = str(response.status).encode()
        asked = f"{method} {path}".encode()
        self.answers.append(b"\n".join([asked, status, *shown, raw]))
        return Answer(response.status, found, dict(response.headers), raw)

    async def transcript(self) -> bytes:
        """Return every answer and the whole event stream, ids numbered in order of appearance."""
        text = b"\n\n".join([*self.answers, await self._stream()])
        # A problem's instance names the request, so it is an id of its own kind.
        text = re.sub(rb"urn:request:[0-9a-f]+", b"urn:request", text)
        text = _CHECKPOINT.sub(b'"checkpoint"', text)
        return _ID.sub(_numbered(), text)

    async def _stream(self) -> bytes:
        """Read the park's event stream over its socket from the first event to the last."""
        events = await self.park.events()
        last = b"id: %d\n" % events[-1]["seq"]
        headers = {"Authorization": f"Bearer {self.park.token}", "Last-Event-ID": "0"}
        found = b""
        async with self.world.http.get(self.world.url + "/v1/events", headers=headers) as response:
            async for chunk in response.content.iter_any():
                found += chunk
                if last in found and found.endswith(b"\n\n"):
                    break
        return found

    async def tell(self) -> None:
        """Let the car report what is in its battery, exactly."""
        left = self.soc_pct - (self.exported_wh - 5_000) / 0.933 / 600
        await self.world.telemetry(self.owner, self.vehicle_id, soc_pct=round(left, 4))

    async def meter(self, power_w: int) -> None:
        """Send the charger's reading."""
        reading = {
            "measured_at": self.world.at(0),
            "import_register_wh": 100_000,
            "export_register_wh": self.exported_wh,
            "power_w": power_w,
        }
        path = f"/v1/park/sessions/{self.session_id}/readings"
        await self.ask("POST", path, {"readings": [reading]})

    def runs(self, power_w: int, seconds: float) -> None:
        """Let the charger discharge as long as its lease allows."""
        if self.lease_until is not None:
            start = self.world.clock.at
            allowed = max(0.0, (self.lease_until - start).total_seconds())
            self.exported_wh += int(-power_w * min(seconds, allowed) / 3600)

    async def instruct(self, power_w: int) -> None:
        """Ask for a setpoint; without a lease the charger stands still."""
        self.seq += 1
        body = {"seq": self.seq, "power_setpoint_w": power_w}
        path = f"/v1/park/commitments/{self.commitment_id}/instructions"
        answer = await self.ask("POST", path, body)
        granted = answer.status == 201
        self.lease_until = datetime.fromisoformat(answer.body["valid_until"]) if granted else None


def _numbered() -> Callable[[re.Match[bytes]], bytes]:
    seen: dict[bytes, bytes] = {}

    def number(match: re.Match[bytes]) -> bytes:
        name = match[0]
        return seen.setdefault(name, b"%s_%d" % (match[1], len(seen)))

    return number
