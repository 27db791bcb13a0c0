"""The real side: the routes' own commands on the real store, without a socket in between.

What HTTP adds (tokens, limits, transport) is left out, as it has harnesses of its own; validation,
idempotency, transaction, ledger, seal and commit are the server's own code. ``synchronous=OFF``,
because this harness asks what is computed, not what survives.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
import sqlite3
from typing import Any, Final, Self

import orjson
from probatio import Schema

from owner_api.access.services import open_access
from owner_api.calls import Call, Principal, PrincipalKind
from owner_api.commands import epochs, owners, parks
from owner_api.commands.notary import attach
from owner_api.config import Config
from owner_api.ids import new_id
from owner_api.problems import Problem
from owner_api.server import owner, park
from owner_api.server.errand import once
from owner_api.server.idempotency import Ticket
from owner_api.server.routing import Route
from owner_api.server.timers import Timers
from owner_api.store import Store

from .things import Party

NOON: Final = datetime(2026, 12, 1, 5, 30, tzinfo=UTC)
ROUTES: Final[dict[tuple[str, str], Route]] = {
    (route.method, route.path): route for route in (*owner.ROUTES, *park.ROUTES)
}
CONFIG: Final = Config(
    asks_per_session_per_hour=1000, waiting_offers_per_session=1000, dispute_window_min_s=600
)


class HandClock:
    """A clock that only the harness moves."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def now(self) -> datetime:
        """Return where the harness put it."""
        return self.at

    async def sleep(self, seconds: float) -> None:
        """Refuse: nothing here waits."""
        raise AssertionError(f"nothing waits {seconds} s in the model")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status, the problem's code if any, and the body."""

    status: int
    code: str | None
    raw: bytes

    @property
    def body(self) -> Any:  # noqa: ANN401 - any JSON value
        """Return the body, read."""
        return orjson.loads(self.raw)


@cache
def _schema(method: str, path: str) -> Schema:
    return Schema(ROUTES[method, path].request or {})


class Desk:
    """Sends commands as the server's endpoints do, each in one write."""

    def __init__(self, store: Store, clock: HandClock) -> None:
        self.store = store
        self.clock = clock
        self.timers = Timers(store, clock, CONFIG)
        self.seen = sqlite3.connect(store.path, isolation_level=None)

    @classmethod
    async def open(cls, database: Path, at: datetime = NOON) -> Self:
        """Open or make a database, sealed like a served one, and stand at one moment."""
        store = await Store.open(database, synchronous="OFF")
        await attach(store, database, await open_access(store, database), at)
        return cls(store, HandClock(at))

    async def close(self) -> None:
        """Give everything free."""
        self.seen.close()
        await self.store.close()

    def at(self, seconds: float) -> str:
        """Return a moment so many seconds from now as text."""
        return text(self.clock.at + timedelta(seconds=seconds))

    async def send(
        self,
        party: Party,
        method: str,
        path: str,
        body: Mapping[str, Any],
        *,
        key: str,
        revision: int | None = None,
        **params: str,
    ) -> Answer:
        """Send one request under an idempotency key."""
        route = ROUTES[method, path]
        call = self._call(party, route, body, params, revision)
        ticket = None
        if route.needs_key:
            ticket = Ticket.issue(
                key,
                client=call.principal.credential,
                route=route.name,
                target=path.format(**params),
                raw=orjson.dumps(dict(body)),
                sealed=route.secret_answer,
            )

        try:
            result = await self.store.write(lambda tx: once(tx, route, call, ticket))
        except Problem as problem:
            return Answer(problem.code.status, problem.code.value, b"")
        if isinstance(result, Problem):
            return Answer(result.code.status, result.code.value, b"")
        return Answer(result.status, None, result.body)

    def _call(
        self,
        party: Party,
        route: Route,
        body: Mapping[str, Any],
        params: Mapping[str, str],
        revision: int | None,
    ) -> Call:
        kind: PrincipalKind = "owner" if party.kind == "owner" else "park"
        return Call(
            principal=Principal(kind=kind, party_id=party.party_id, device_id=party.device_id),
            now=self.clock.at,
            config=CONFIG,
            new_id=new_id,
            params=params,
            body=_schema(route.method, route.path)(dict(body)),
            if_match=None if revision is None else str(revision),
        )

    async def restored(self) -> None:
        """Have the log go on in a new epoch, as after a restore that lost nothing."""
        await self.store.write(lambda tx: epochs.ask_for(tx, reason="model", lost_note=None))
        await self.store.write(lambda tx: epochs.open_pending(tx, self.clock.at))

    async def add_owner(self) -> Party:
        """Add an owner."""
        row = await self.store.write(
            lambda tx: owners.add_owner(
                tx, now=self.clock.at, new_id=new_id, display_name="O", time_zone="Asia/Shanghai"
            )
        )
        return Party(kind="owner", party_id=row["owner_id"], device_id=new_id("dev"))

    async def add_park(self) -> Party:
        """Add a park."""
        made = await self.store.write(
            lambda tx: parks.add_park(tx, now=self.clock.at, new_id=new_id, display_name="P")
        )
        return Party(kind="park", party_id=made.park_id)


def text(at: datetime) -> str:
    """Return an instant as the API writes it."""
    return at.isoformat().replace("+00:00", "Z")
