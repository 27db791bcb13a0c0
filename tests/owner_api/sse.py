"""A reader of event streams for tests: nothing but the wire format."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientResponse
import orjson


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event as it stood on the wire."""

    seq: int
    kind: str
    body: Any


async def events(response: ClientResponse) -> AsyncIterator[Event]:
    """Yield the events of an open stream until it ends; comments are skipped."""
    fields: dict[str, str] = {}
    async for raw in response.content:
        line = raw.decode().rstrip("\n")
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            body = orjson.loads(fields["data"])
            yield Event(seq=int(fields["id"]), kind=fields["event"], body=body)
            fields = {}
        else:
            fields = {}
