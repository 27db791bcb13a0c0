"""From an operation to an aiohttp handler: checks, one transaction, the answer after commit."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
import re
from typing import Any, Final

from aiohttp import web

from owner_api.calls import Call, Principal
from owner_api.clock import Clock
from owner_api.config import Config
from owner_api.ids import new_id
from owner_api.problems import Problem, ProblemCode
from owner_api.store import Store

from .admission import Admission
from .answers import Rendered, respond
from .deadline import Deadline
from .errand import Errand
from .headers import client_address
from .idempotency import HEADER, InFlight, Ticket
from .kept import Answers
from .limits import parse_body, parse_query, read_body
from .routing import Endpoint, Operation, Route
from .turns import Turns

type AiohttpHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# What takes longer to read than most requests take in all.
_BULKY_BYTES: Final = 2_048
_STOPPED: Final = "You pressed stop meanwhile, so nothing was agreed. Answer again if you want to."
_ETAG: Final = re.compile(r'"([\x21\x23-\x7e]{1,64})"|(\*)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Makes handlers that share one store, clock, admission and set of running keys."""

    store: Store
    clock: Clock
    config: Config
    admission: Admission
    in_flight: InFlight
    deadline: Deadline
    answers: Answers = field(default_factory=Answers)
    turns: Turns = field(default_factory=Turns)
    bulky: asyncio.Lock = field(default_factory=asyncio.Lock)
    gate: Callable[[Operation], None] = lambda _operation: None

    def handler(self, operation: Operation) -> AiohttpHandler:
        """Return the aiohttp handler of an operation."""
        match operation:
            case Route():
                inner = self._route(operation)
            case Endpoint():
                inner = self._endpoint(operation)
            case _:
                raise TypeError(f"{operation.path}: neither a Route nor an Endpoint")

        async def serve(request: web.Request) -> web.StreamResponse:
            try:
                self.gate(operation)
                return await inner(request)
            except Problem as problem:
                self.admission.count_failure(request, problem)
                raise

        return serve

    def _endpoint(self, endpoint: Endpoint) -> AiohttpHandler:
        async def serve(request: web.Request) -> web.StreamResponse:
            principal = self.admission.admit(request, endpoint)
            parse_query(request, endpoint)
            return await endpoint.serve(request, principal)

        return serve

    def _route(self, route: Route) -> AiohttpHandler:
        name = route.name if route.needs_key else None

        async def serve(request: web.Request) -> web.StreamResponse:
            principal = self.admission.admit(request, route)
            if route.timeless:
                return await self._timeless(request, route, principal)
            raw = await read_body(request, self.config)
            if len(raw) > _BULKY_BYTES:
                async with self.bulky:
                    call = self._call(request, route, principal, raw)
                    # One in a turn of the loop, which sees before the next who else has come.
                    await asyncio.sleep(0)
            else:
                call = self._call(request, route, principal, raw)
            if name is None:
                rendered = await self._run(route, call, None)
            else:
                ticket = Ticket.issue(
                    request.headers.get(HEADER),
                    client=principal.credential,
                    route=name,
                    target=request.path_qs,
                    raw=raw,
                    sealed=route.secret_answer,
                )
                self.in_flight.enter(ticket)
                try:
                    rendered = await self._run(route, call, ticket)
                finally:
                    self.in_flight.leave(ticket)
            return respond(request, rendered)

        return serve

    async def _timeless(
        self, request: web.Request, route: Route, principal: Principal
    ) -> web.StreamResponse:
        """Answer from memory what was asked since the last write, as when many ask at once."""
        forms = (request.headers.get("Accept"), request.headers.get("Accept-Language"))
        asked = (principal, request.raw_path, forms)
        rendered = None if request.body_exists else self.answers.recall(self.store.age, asked)
        if rendered is None:
            raw = await read_body(request, self.config)
            age = self.store.age
            rendered = await self._run(route, self._call(request, route, principal, raw), None)
            self.answers.keep(age, asked, rendered)
        return respond(request, rendered)

    def _call(self, request: web.Request, route: Route, principal: Principal, raw: bytes) -> Call:
        return Call(
            principal=principal,
            now=self.clock.now(),
            config=self.config,
            new_id=new_id,
            params=dict(request.match_info),
            query=parse_query(request, route),
            body=parse_body(raw, request, route, self.config),
            if_match=_if_match(request, route),
            authorization=(
                request.headers.get("Authorization") if route.role == "public" else None
            ),
            remote=client_address(request),
            accept=request.headers.get("Accept", ""),
            accept_language=request.headers.get("Accept-Language", ""),
        )

    async def _run(self, route: Route, call: Call, ticket: Ticket | None) -> Rendered:
        errand = Errand(route, call, ticket)
        with self.deadline:
            if route.at_once:
                self.turns.pass_by(call.principal)
                result = await self.store.write(errand)
            elif route.kind == "command":
                async with self.turns.of(call.principal) as stopped:
                    if stopped and route.until_stop:
                        raise Problem(ProblemCode.CONFLICT, _STOPPED, reason="stopped_meanwhile")
                    result = await self.store.write(errand)
            else:
                result = await self.store.read(errand, few_rows=route.few_rows)
        if isinstance(result, Problem):
            raise result
        return result


def _if_match(request: web.Request, route: Route) -> str | None:
    text = request.headers.get("If-Match")
    if text is None:
        if route.needs_if_match:
            raise Problem(
                ProblemCode.PRECONDITION_REQUIRED,
                'Send If-Match with the ETag that was read, such as "3".',
            )
        return None
    match = _ETAG.fullmatch(text.strip())
    if match is None:
        raise Problem(ProblemCode.BAD_REQUEST, 'If-Match takes one strong ETag such as "3", or *.')
    found: Any = match[1] or match[2]
    return str(found)
