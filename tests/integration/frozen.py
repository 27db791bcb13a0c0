"""Let the owner API live in frozen time: what it makes once by type is made beforehand.

Under a frozen clock ``datetime`` is another class: codecs made then would ask for it, and orjson
knows no class below ``datetime``, so documents are written by way of plain values here.
"""

from contextlib import suppress
from dataclasses import is_dataclass
from datetime import datetime
from functools import cache
import sys
from typing import Any, Final

from freezegun.api import FrozenDateTimeFactory
from mashumaro.codecs.basic import BasicEncoder
import orjson
import pytest

from custom_components.v2g_owner.decode import decode
from owner_api.commands import edge
from owner_api.server import agent
from owner_api.store import documents

# Imported for what it imports: with the server come all the documents it reads and writes.
_SERVER: Final = agent
_OURS: Final = ("owner_api.", "custom_components.v2g_owner.")


class _PlainEncoder:
    """Writes a document as ORJSONEncoder does, instants included."""

    def __init__(self, cls: Any) -> None:
        self._encoder = BasicEncoder[Any](cls)

    def encode(self, document: object) -> bytes:
        """Return the JSON of a document."""
        return orjson.dumps(self._encoder.encode(document))


@cache
def make_codecs() -> None:
    """Make the readers and writers of every dataclass that is loaded; call it before freezing."""
    for name, module in list(sys.modules.items()):
        if name.startswith(_OURS):
            for item in list(vars(module).values()):
                if isinstance(item, type) and is_dataclass(item) and item.__module__ == name:
                    _make(item)


def _make(cls: Any) -> None:
    """Ask for a codec with nothing to read: it is kept, whatever it says to nothing."""
    with suppress(Exception):
        documents._ENCODERS[cls] = _PlainEncoder(cls)  # type: ignore[assignment]
    with suppress(Exception):
        documents.load(cls, "{}")
    with suppress(Exception):
        edge.build(cls, {})
    with suppress(Exception):
        decode(cls, {})


def stopped_clock(request: pytest.FixtureRequest, at: datetime) -> FrozenDateTimeFactory:
    """Stop the clock at an instant, after what must be made before."""
    make_codecs()
    freezer: FrozenDateTimeFactory = request.getfixturevalue("freezer")
    freezer.move_to(at)
    return freezer
