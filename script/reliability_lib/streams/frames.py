"""The wire format of a stream, byte by byte, so that a link can be cut inside a frame."""

from dataclasses import dataclass
from typing import Final

import orjson

_END: Final = b"\n\n"


@dataclass(frozen=True, slots=True)
class Heard:
    """One whole event as it stood on the wire: its number, and its type and data as text."""

    seq: int
    said: str


class Frames:
    """Collects bytes; what is left when the link goes was half a frame, and was never heard."""

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, received: bytes) -> list[Heard]:
        """Return the events that these bytes complete."""
        *whole, self.rest = (self.rest + received).split(_END)
        found = []
        for frame in whole:
            lines = dict(line.partition(b": ")[::2] for line in frame.split(b"\n"))
            if b"data" in lines:
                body = orjson.loads(lines[b"data"])
                assert body["seq"] == int(lines[b"id"]), frame
                found.append(Heard(int(lines[b"id"]), said(body["type"], body["data"])))
        return found


def said(kind: str, data: object) -> str:
    """Return what an event says in one spelling."""
    return kind + orjson.dumps(data, option=orjson.OPT_SORT_KEYS).decode()
