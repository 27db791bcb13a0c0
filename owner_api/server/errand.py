"""A request's work on the store, in whichever process and thread that is done."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from math import inf
from traceback import format_exception
from typing import Any

from owner_api.calls import Call, Principal
from owner_api.commands.devices import note_seen
from owner_api.ids import new_id
from owner_api.problems import Problem
from owner_api.store import Tx
from owner_api.store.documents import from_json, to_json
from owner_api.store.words import Worded, Words, understand

from . import desk
from .answers import Rendered, render
from .auth import require_live
from .idempotency import Ticket
from .routing import Route


def once(tx: Tx, route: Route, call: Call, ticket: Ticket | None) -> Rendered | Problem:
    """Do what a route does for a call, or return what its key was answered before."""
    if ticket is not None and (stored := ticket.recall(tx)) is not None:
        return stored
    answer = route.handler(tx, call)
    if isinstance(answer, Problem):
        return answer
    rendered = render(answer)
    if ticket is not None:
        ticket.keep(tx, rendered, call.now)
    return rendered


@dataclass(frozen=True, slots=True)
class Errand(Worded):
    """What a route does for one call, once per key, and only while the caller is in force."""

    route: Route
    call: Call
    ticket: Ticket | None

    def __call__(self, tx: Tx) -> Rendered | Problem:
        """Do it in a transaction; raises Problem to undo it."""
        require_live(tx, self.call.principal)
        if self.route.kind == "command":
            note_seen(tx, self.call)
        return once(tx, self.route, self.call, self.ticket)

    @property
    def whose(self) -> str:
        """Whose commands it takes turns with: others' come between."""
        return self.call.principal.party_id or self.call.principal.kind

    def words(self) -> Words:
        """Say how the errand is made again at the desk of another process."""
        call, ticket, who = self.call, self.ticket, self.call.principal
        keyed = None
        if ticket is not None:
            keyed = (ticket.client, ticket.route, ticket.key_sha256, ticket.asked_sha256)
        return (
            self.route.name,
            (who.kind, who.party_id, who.device_id, who.token_epoch, who.expires_at),
            # As text: a datetime is no JSON, and takes as long to pickle as all the rest.
            call.now.isoformat(),
            (call.params, call.query, call.body, call.if_match),
            (call.authorization, call.remote, call.accept, call.accept_language),
            keyed,
            None if ticket is None else ticket.secret,
        )


@dataclass(frozen=True, slots=True)
class _Afar:
    """An errand in the process that writes: what it answers must be able to leave that."""

    errand: Errand

    @property
    def whose(self) -> str:
        """Whose the errand is."""
        return self.errand.whose

    def __call__(self, tx: Tx) -> Rendered | Problem:
        try:
            answer = self.errand(tx)
        except Problem as problem:
            _make_plain(problem)
            raise
        except Exception as error:
            # Where it happened does not cross with an error; what is written on it does.
            error.add_note("".join(format_exception(error)))
            raise
        if isinstance(answer, Problem):
            _make_plain(answer)
        return answer


def _make_plain(problem: Problem) -> None:
    """Turn what is JSON already inside a problem into values: it is in no form to be pickled."""
    if problem.current is not None:
        problem.current = from_json(to_json(problem.current))


@lru_cache(maxsize=4_096)
def _principal(who: tuple[Any, ...]) -> Principal:
    kind, party_id, device_id, token_epoch, expires_at = who
    return Principal(
        kind=kind,
        party_id=party_id,
        device_id=device_id,
        token_epoch=token_epoch,
        # JSON has no word for what never ends.
        expires_at=inf if expires_at is None else expires_at,
    )


def _afar(words: Words) -> _Afar:
    name, who, now, (params, query, body, if_match), more, keyed, secret = words
    authorization, remote, accept, accept_language = more
    at = desk.here()
    call = Call(
        principal=_principal(tuple(who)),
        now=datetime.fromisoformat(now),
        config=at.config,
        new_id=new_id,
        params=params,
        query=query,
        body=body,
        if_match=if_match,
        authorization=authorization,
        remote=remote,
        accept=accept,
        accept_language=accept_language,
    )
    ticket = None
    if keyed is not None:
        client, route, key_sha256, asked_sha256 = keyed
        ticket = Ticket(
            client=client,
            route=route,
            key_sha256=key_sha256,
            asked_sha256=asked_sha256,
            secret=secret,
        )
    return _Afar(Errand(at.routes[name], call, ticket))


understand(_afar)
