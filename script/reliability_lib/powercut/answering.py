"""What runs when the power goes: sixteen owners answer and press stop on the real store.

Answers are named on a pipe only after their commit, as an HTTP answer would be sent. Retries come
under their old key.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
import hashlib
import os
from pathlib import Path
from typing import Final

import orjson
from probatio import Schema

from owner_api.access.services import open_access
from owner_api.calls import Call, Principal
from owner_api.commands.notary import attach
from owner_api.ids import new_id
from owner_api.server import owner
from owner_api.server.answers import Rendered
from owner_api.server.errand import once
from owner_api.server.idempotency import Ticket
from owner_api.server.routing import Route
from owner_api.store import Store, Tx
from script.reliability_lib.model.desk import CONFIG, NOON
from script.reliability_lib.stage import Answerer, Plan

DECIDE: Final = "/v1/decisions"
STOP: Final = "/v1/stops"
_ROUTES: Final = {route.path: route for route in owner.ROUTES if route.method == "POST"}
_SCHEMAS: Final = {path: Schema(_ROUTES[path].request or {}) for path in (DECIDE, STOP)}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of one owner; ``offer`` is the place in its list, -1 for a stop."""

    owner: int
    number: int
    offer: int

    @property
    def key(self) -> str:
        """The Idempotency-Key, and the name of the request in the books."""
        return f"{self.owner}.{self.number}.{self.offer}"

    @classmethod
    def named(cls, key: str) -> Asked:
        """Return the request of a key."""
        return cls(*(int(part) for part in key.split(".")))


def request_of(asked: Asked, person: Answerer) -> tuple[str, dict[str, object]]:
    """Return the path and body of a request."""
    if asked.offer < 0:
        return STOP, {"vehicle_id": person.vehicle_id}
    offer_id, sha256 = person.offers[asked.offer]
    return DECIDE, {
        "offer_id": offer_id,
        "revision": 1,
        "terms_sha256": sha256,
        "decision": "decline",
        "method": "tap",
    }


async def answer(folder: Path, database: Path, work: Sequence[Sequence[Asked]], mode: str) -> None:
    """Serve every owner's requests in order, all owners at once; name each answer on fd 1."""
    plan = Plan.load(folder)
    store = await Store.open(database, create=False, synchronous=mode)
    await attach(store, database, await open_access(store, database), NOON)
    await asyncio.gather(
        *(_person(store, plan.answerers[at], each) for at, each in enumerate(work))
    )
    await store.close()


async def _person(store: Store, person: Answerer, work: Iterable[Asked]) -> None:
    for asked in work:
        path, body = request_of(asked, person)
        rendered = await store.write(_Command(_ROUTES[path], person, asked.key, body))
        assert rendered.status == 201, rendered
        os.write(1, f"{asked.key} {hashlib.sha256(rendered.body).hexdigest()}\n".encode())


@dataclass(frozen=True, slots=True)
class _Command:
    """The transaction of an endpoint: what was answered before, or the handler and its row."""

    route: Route
    person: Answerer
    key: str
    body: dict[str, object]

    def __call__(self, tx: Tx) -> Rendered:
        device = self.person.device_id
        ticket = Ticket.issue(
            self.key,
            client=device,
            route=self.route.name,
            target=self.route.path,
            raw=orjson.dumps(self.body),
            sealed=False,
        )
        principal = Principal(kind="owner", party_id=self.person.owner_id, device_id=device)
        call = Call(
            principal=principal,
            now=NOON,
            config=CONFIG,
            new_id=new_id,
            body=_SCHEMAS[self.route.path](dict(self.body)),
        )
        rendered = once(tx, self.route, call, ticket)
        assert isinstance(rendered, Rendered), rendered
        return rendered
