"""How the server and its clerk speak: pickled values with their length, on a pair of sockets.

Both ends are processes of ours, of one program, and nobody else can reach the pair. A reader opens
names of this program only all the same. Commands that can be told in plain words cross as JSON,
which takes a fifth of the time.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from io import BytesIO
import pickle
from struct import Struct
import sys
from typing import Any, Final

import orjson

from .words import Worded, Words, made

_LENGTH: Final = Struct(">I")
# A command's number, whether what it writes is kept, and whether it is told in JSON.
_ASKED: Final = Struct(">Q??")
# What JSON would turn into something else is refused by it, but for enumerations, which become
# their values.
_EXACTLY: Final = (
    orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATACLASS
)
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


def ask(number: int, asked: Callable[..., Any], *, keep: bool) -> bytes:
    """Return a command as it crosses; raises what pickle does for what cannot."""
    told = _in_json(asked.words()) if isinstance(asked, Worded) else None
    said = pickled(asked) if told is None else told
    begin = _LENGTH.pack(_ASKED.size + len(said)) + _ASKED.pack(number, keep, told is not None)
    return begin + said


def _in_json(words: Words) -> bytes | None:
    """Return words as JSON, None when one of them is an instant or else no JSON."""
    with suppress(TypeError):
        return orjson.dumps(words, None, _EXACTLY)
    return None


def read_asked(frame: bytes) -> tuple[int, bool, bool, bytes]:
    """Return what ``ask`` made: number, whether it is kept, and what ``command`` opens."""
    return *_ASKED.unpack_from(frame), frame[_ASKED.size :]


def command(*, in_words: bool, said: bytes) -> Any:  # noqa: ANN401 - any command
    """Return a command that was asked for; raises what opening it raises.

    It is opened by itself, so that one that cannot be opened is its caller's affair alone.
    """
    return made(orjson.loads(said)) if in_words else opened(said)


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
