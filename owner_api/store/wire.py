"""How the server and its clerk speak: pickled values with their length, on a pair of sockets.

Both ends are processes of ours, of one program, and nobody else can reach the pair. A reader opens
names of this program only all the same.
"""

from collections.abc import Iterable, Iterator
from io import BytesIO
import pickle
from struct import Struct
import sys
from typing import Any, Final

_LENGTH: Final = Struct(">I")
_PACKAGES: Final = {"owner_api"}
# What commands and answers are made of besides plain values and classes of ours.
_HARMLESS: Final = frozenset(
    {
        ("collections", "OrderedDict"),
        ("datetime", "date"),
        ("datetime", "datetime"),
        ("datetime", "time"),
        ("datetime", "timedelta"),
        ("datetime", "timezone"),
        ("decimal", "Decimal"),
        ("functools", "partial"),
        ("pathlib", "Path"),
        ("pathlib", "PosixPath"),
        ("pathlib._local", "PosixPath"),
        ("zoneinfo", "ZoneInfo"),
        ("zoneinfo", "ZoneInfo._unpickle"),
    }
)


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


class _Reader(pickle.Unpickler):
    """Opens names of ours and of a few harmless kinds, whatever it is given."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - pickle's own
        if (module, name) in _HARMLESS:
            return super().find_class(module, name)
        # What is not ours is not imported for this.
        if _is_ours(module) or module in sys.modules:
            found = super().find_class(module, name)
            error = isinstance(found, type) and issubclass(found, BaseException)
            # A module of ours names others' things too: what counts is where a thing was made.
            if error or _is_ours(getattr(found, "__module__", "")):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} does not cross")


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in _PACKAGES


def trust(packages: Iterable[str]) -> None:
    """Let names of these packages cross to this process too."""
    _PACKAGES.update(packages)


def opened(made: bytes) -> Any:  # noqa: ANN401 - whatever the other end made them of
    """Return a value that crossed; raises pickle.UnpicklingError for a name that must not."""
    return _Reader(BytesIO(made)).load()
