"""The bench's line to what watches inside Home Assistant."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any, Final

type Json = dict[str, Any]

_LINE: Final = 1 << 24


class InsideError(Exception):
    """What watches inside Home Assistant could not do what it was asked."""


@dataclass(slots=True)
class Inside:
    """One connection; a question at a time."""

    _reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter
    _asking: asyncio.Lock

    async def ask(self, do: str, **more: Any) -> Json:  # noqa: ANN401 - JSON
        """Ask for one thing and return the answer; raises InsideError."""
        async with self._asking:
            self._writer.write(json.dumps({"do": do, **more}).encode() + b"\n")
            await self._writer.drain()
            told: Json = json.loads(await self._reader.readline())
        if "error" in told:
            raise InsideError(f"{do}: {told['error']}")
        return told


@asynccontextmanager
async def line_inside(path: Path) -> AsyncIterator[Inside]:
    """Connect to the socket for the time of the block."""
    reader, writer = await asyncio.open_unix_connection(path, limit=_LINE)
    try:
        yield Inside(reader, writer, asyncio.Lock())
    finally:
        writer.close()
