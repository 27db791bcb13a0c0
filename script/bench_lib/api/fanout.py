"""One event to very many streams, beside one loop of C that sends as many bytes."""

from pathlib import Path
import statistics
import time

from .events import STREAMED
from .goals import Figure
from .load import request
from .processes import Child, child, compile_c
from .stage import Stage

EVENT_BYTES = 420
MS = 1e3
KIB = 1024


async def fan_out(
    stage: Stage, server: Child, folder: Path, *, streams: int, repeats: int
) -> list[Figure]:
    """Open `streams` streams, spread over the first owners, and time events to all of them."""
    program = compile_c("fanout", folder)
    floors = await _floor(program, streams, repeats)
    files = []
    for number, owner in enumerate(stage.owners[:STREAMED]):
        file = folder / f"stream-{number}"
        bearer = f"Bearer {owner.token}"
        file.write_bytes(request("GET", "/v1/events", Authorization=bearer))
        files.append(file)
    before = server.resident_bytes()
    async with child(program, "read", str(stage.port), str(streams), *files) as reader:
        await reader.line()
        times = [await _once(reader, server) for _ in range(repeats)]
        each = (server.resident_bytes() - before) / streams
    floor, ours = statistics.median(floors), statistics.median(times)
    return [
        Figure(
            name=f"one event to {streams} streams, last byte",
            value=ours / floor,
            goal=2.5,
            unit="x",
            detail=f"{ours * MS:.0f} ms; loop of C {floor * MS:.0f} ms; median of {len(times)}",
            at_most=True,
        ),
        Figure(
            name="memory per stream",
            value=each / KIB,
            goal=16,
            unit=" KiB",
            detail=f"resident memory of the server with {streams} streams less without",
            at_most=True,
        ),
    ]


async def _floor(program: Path, streams: int, repeats: int) -> list[float]:
    async with child(program, "floor", str(streams), str(EVENT_BYTES)) as sender:
        port = await sender.line()
        async with child(program, "read", port, str(streams)) as reader:
            await reader.line()
            return [await _once(reader, sender) for _ in range(repeats)]


async def _once(reader: Child, sender: Child) -> float:
    """Return the time in s from asking for an event until the last stream has it."""
    reader.say("next")
    await reader.line()
    begun = time.monotonic()
    sender.say("event")
    return float(await reader.line()) - begun
