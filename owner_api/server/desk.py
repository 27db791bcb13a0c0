"""What commands need besides their own words, at hand in the process that runs them.

In a server whose writer is a thread that is the server itself. A writer in a process of its own is
furnished once, by a command, from the same database and keys; what crosses later names things.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from owner_api.access.services import Access
from owner_api.commands import operator
from owner_api.commands.notary import Notary
from owner_api.config import Config
from owner_api.ids import new_id
from owner_api.store import Tx

from . import owner, park, privacy
from .access import access_routes
from .ledger import ledger_routes
from .routing import Operation, Route


@dataclass(frozen=True, kw_only=True)
class Desk:
    """One server's identity, keys, log and settings."""

    access: Access
    notary: Notary
    config: Config

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        """Everything the server offers that has to do with deals, access and the log."""
        return (
            *access_routes(self.access),
            *owner.ROUTES,
            *park.ROUTES,
            *ledger_routes(self.notary),
            *privacy.ROUTES,
        )

    @cached_property
    def routes(self) -> dict[str, Route]:
        """The operations on the store by their names."""
        return {each.name: each for each in self.operations if isinstance(each, Route)}


_DESKS: list[Desk] = []


def here() -> Desk:
    """Return the desk of the process that writes; raises LookupError in any other."""
    if not _DESKS:
        raise LookupError("nobody has furnished this process")
    return _DESKS[0]


def sit(at: Desk) -> None:
    """Make this the desk of the process."""
    _DESKS[:] = [at]


@dataclass(frozen=True, slots=True)
class Operate:
    """An operator's command."""

    desk: Desk
    name: str
    arguments: dict[str, Any]
    now: datetime

    @property
    def whose(self) -> str:
        """Whose commands it takes turns with: others' come between."""
        return "operator"

    def __call__(self, tx: Tx) -> dict[str, Any]:
        """Run it; raises Problem."""
        context = operator.Operator(
            access=self.desk.access, config=self.desk.config, now=self.now, new_id=new_id
        )
        return operator.run(tx, context, self.name, self.arguments)

    def __reduce__(self) -> tuple[Callable[..., Operate], tuple[Any, ...]]:
        """Say how the command is made again where it is run."""
        return _operate_here, (self.name, self.arguments, self.now)


def _operate_here(name: str, arguments: dict[str, Any], now: datetime) -> Operate:
    return Operate(here(), name, arguments, now)
