"""From an operation to an aiohttp handler: checks, one transaction, the answer after commit."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
import re
from typing import Any, Final

from aiohttp import web

from owner_api.calls import Call, Principal, Reply
from owner_api.clock import Clock
from owner_api.config import Config
from owner_api.ids import new_id
from owner_api.problems import Problem, ProblemCode
from owner_api.store import Store, Tx
from owner_api.store.documents import to_json

from .admission import Admission
from .auth import require_live
from .headers import client_address
from .idempotency import HEADER, InFlight, Rendered, Ticket
from .limits import parse_body, parse_query, read_body
from .routing import Endpoint, Operation, Route

type AiohttpHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_MOST_ANSWERS: Final = 10_000
_ETAG: Final = re.compile(r'"([\x21\x23-\x7e]{1,64})"|(\*)')


def render(reply: Reply) -> Rendered:
    """Return an answer's status, headers and bytes."""
    headers: dict[str, str] = {}
    if reply.etag is not None:
        headers["ETag"] = f'"{reply.etag}"'
    if reply.location is not None:
        headers["Location"] = reply.location
    match reply.body:
        case None:
            body = b""
        case bytes():
            body = reply.body
        case str() if reply.content_type != "application/json":
            body = reply.body.encode()
        case _:
            body = to_json(reply.body)
    if body or reply.body is not None:
        text = reply.content_type.startswith("text/") and "charset" not in reply.content_type
        headers["Content-Type"] = reply.content_type + ("; charset=utf-8" if text else "")
    return Rendered(status=reply.status, headers=headers, body=body)


class Answers:
    """Answers that hold until the next write, each to one caller and one request."""

    def __init__(self) -> None:
        self._age = -1
        self._kept: dict[object, Rendered] = {}

    def recall(self, age: int, asked: object) -> Rendered | None:
        """Return the answer, None when it was never given or something was written since."""
        return self._kept.get(asked) if age == self._age else None

    def keep(self, age: int, asked: object, rendered: Rendered) -> None:
        """Remember an answer that was read when the store had this age."""
        if age != self._age or len(self._kept) >= _MOST_ANSWERS:
            self._age = age
            self._kept.clear()
        self._kept[asked] = rendered


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Makes handlers that share one store, clock, admission and set of running keys."""

    store: Store
    clock: Clock
    config: Config
    admission: Admission
    in_flight: InFlight
    answers: Answers = field(default_factory=Answers)
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
            principal = await self.admission.admit(request, endpoint)
            parse_query(request, endpoint)
            return await endpoint.serve(request, principal)

        return serve

    def _route(self, route: Route) -> AiohttpHandler:
        async def serve(request: web.Request) -> web.StreamResponse:
            principal = await self.admission.admit(request, route)
            if route.timeless:
                return await self._timeless(request, route, principal)
            raw = await read_body(request, self.config)
            call = self._call(request, route, principal, raw)
            ticket = _ticket(request, route, principal, raw) if route.needs_key else None
            if ticket is None:
                rendered = await self._run(route, call, None)
            else:
                self.in_flight.enter(ticket)
                try:
                    rendered = await self._run(route, call, ticket)
                finally:
                    self.in_flight.leave(ticket)
            return _response(rendered)

        return serve

    async def _timeless(
        self, request: web.Request, route: Route, principal: Principal
    ) -> web.StreamResponse:
        """Answer from memory what was asked since the last write, as when many ask at once."""
        asked = (principal, request.raw_path, request.headers.get("Accept"))
        rendered = None if request.body_exists else self.answers.recall(self.store.age, asked)
        if rendered is None:
            raw = await read_body(request, self.config)
            age = self.store.age
            rendered = await self._run(route, self._call(request, route, principal, raw), None)
            self.answers.keep(age, asked, rendered)
        return _response(rendered)

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
        )

    async def _run(self, route: Route, call: Call, ticket: Ticket | None) -> Rendered:
        def work(tx: Tx) -> Rendered | Problem:
            require_live(tx, call.principal)
            if ticket is not None and (stored := ticket.recall(tx)) is not None:
                return stored
            answer = route.handler(tx, call)
            if isinstance(answer, Problem):
                return answer
            rendered = render(answer)
            if ticket is not None:
                ticket.keep(tx, rendered, call.now)
            return rendered

        async with asyncio.timeout(self.config.answer_timeout_s):
            if route.kind == "command":
                result = await self.store.write(work)
            else:
                result = await self.store.read(work, few_rows=route.few_rows)
        if isinstance(result, Problem):
            raise result
        return result


def _response(rendered: Rendered) -> web.Response:
    return web.Response(
        status=rendered.status, headers=rendered.headers, body=rendered.body or None
    )


def _ticket(request: web.Request, route: Route, principal: Principal, raw: bytes) -> Ticket:
    return Ticket.issue(
        request.headers.get(HEADER),
        client=principal.credential,
        route=route.name,
        target=request.path_qs,
        raw=raw,
        sealed=route.secret_answer,
    )


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
