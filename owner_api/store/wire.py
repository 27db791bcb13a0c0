"""How the server and its clerk speak: pickled values with their length, on a pair of sockets.

Both ends are processes of ours, of one program, and nobody else can reach the pair.
"""

from collections.abc import Iterator
import pickle
from struct import Struct
from typing import Any, Final

_LENGTH: Final = Struct(">I")


def pickled(value: Any) -> bytes:  # noqa: ANN401 - anything that can be pickled
    """Return a value as bytes; raises what pickle does for what cannot be."""
    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def frame(value: Any) -> bytes:  # noqa: ANN401 - as above
    """Return a value as it crosses; raises what pickle does for what cannot."""
    made = pickled(value)
    return _LENGTH.pack(len(made)) + made


class Frames:
    """Puts values together from what arrives."""

    def __init__(self) -> None:
        self._received = bytearray()

    def take(self, data: bytes) -> Iterator[bytes]:
        """Return what is whole after so much more has arrived, still pickled."""
        self._received += data
        begin = 0
        with memoryview(self._received) as view:
            while len(view) - begin >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(view, begin)
                end = begin + _LENGTH.size + length
                if end > len(view):
                    break
                yield bytes(view[begin + _LENGTH.size : end])
                begin = end
        del self._received[:begin]


def opened(made: bytes) -> Any:  # noqa: ANN401 - whatever the other end made them of
    """Return a value that crossed."""
    return pickle.loads(made)  # noqa: S301 - from our own other half, see above
