"""A load of prepared requests over kept connections, sent by C: it shares our processors."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
import struct
import tempfile

from .processes import BenchError


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a load took: `latencies` in s, sorted; `wall_s` from first request to last answer."""

    latencies: list[float]
    statuses: Counter[int]
    wall_s: float

    def quantile(self, share: float) -> float:
        """Return the latency in s that `share` of the requests did not exceed."""
        return self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))]


@dataclass(frozen=True, slots=True)
class Loader:
    """The compiled `load.c`."""

    program: Path

    async def run(self, port: int, per_connection: Sequence[Sequence[bytes]]) -> Load:
        """Send each connection's requests in order, all connections at once.

        Raises BenchError when a connection is lost.
        """
        with tempfile.NamedTemporaryFile(dir=self.program.parent) as file:
            file.write(b"".join(_written(per_connection)))
            file.flush()
            process = await asyncio.create_subprocess_exec(
                self.program, str(port), file.name, stdout=asyncio.subprocess.PIPE
            )
            told, _ = await process.communicate()
        if process.returncode:
            raise BenchError(f"the load ended with {process.returncode}")
        wall_s, *lines = told.split(b"\n")
        answers = [line.split() for line in lines if line]
        return Load(
            latencies=sorted(float(took_s) for _, took_s in answers),
            statuses=Counter(int(status) for status, _ in answers),
            wall_s=float(wall_s),
        )


def _written(per_connection: Sequence[Sequence[bytes]]) -> Iterator[bytes]:
    """Yield what `load.c` reads."""
    yield _number(len(per_connection))
    for requests in per_connection:
        yield _number(len(requests))
        for each in requests:
            yield _number(len(each))
            yield each


def _number(value: int) -> bytes:
    return struct.pack("=I", value)


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """Return one request as it goes over the wire; `_` in a header's name stands for `-`."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body:
        lines.append("Content-Type: application/json")
    return "\r\n".join([*lines, "", ""]).encode() + body
