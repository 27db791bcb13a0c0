"""How many commands of one owner may wait for the writer at once: the others let everybody else by.

The writer works on one command after another, and a judgement with a distant leave time takes it a
tenth of a second. Fifty of one owner in a row would hold up every other owner's stop. A stop waits
for none of them, and no yes that waited for its turn takes effect after it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from owner_api.calls import Principal

# One is worked on while the next arrives. Parks bring the readings of thousands of cars: theirs all
# go to the writer, which takes one of each party in turn.
AT_ONCE: Final = 2


@dataclass(slots=True)
class _Line:
    """An owner's commands: those at the writer, and in their order those that wait here."""

    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    members: int = 0
    # How many stops have passed it.
    stops: int = 0


class Turns:
    """Lines up the commands of each owner; lives on the event loop."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    def pass_by(self, principal: Principal) -> None:
        """Let a stop of this owner pass all that wait for their turn."""
        if (line := self._lines.get(principal.party_id)) is not None:
            line.stops += 1

    @asynccontextmanager
    async def of(self, principal: Principal) -> AsyncIterator[bool]:
        """Wait until fewer than two commands of this owner are at the writer.

        Yields whether the owner has pressed stop meanwhile.
        """
        if principal.kind != "owner":
            yield False
            return
        line = self._lines.setdefault(principal.party_id, _Line())
        line.members += 1
        before = line.stops
        try:
            async with line.turn:
                yield line.stops != before
        finally:
            line.members -= 1
            if not line.members:
                del self._lines[principal.party_id]
