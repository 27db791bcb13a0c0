"""What an operation is: one record from which the server, its checks and OpenAPI are made."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from aiohttp import web
from probatio import Optional

from owner_api.calls import Answer, Call, Principal
from owner_api.commands.paging import DEFAULT_LIMIT
from owner_api.problems import ProblemCode
from owner_api.schemas.fields import integer, text
from owner_api.store.tx import Tx

type Handler = Callable[[Tx, Call], Answer]
type Role = Literal["owner", "park", "any", "public"]
type Serve = Callable[[web.Request, Principal], Awaitable[web.StreamResponse]]

PAGE: Final = {
    Optional("limit", description=f"How many at most; {DEFAULT_LIMIT} if left out."): integer(
        1, 200
    ),
    Optional("cursor"): text(1, 200),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Everything about an operation that a caller can see."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    role: Role
    kind: Literal["command", "query"]
    summary: str
    description: str = ""
    request: Mapping[Any, Any] | None = None
    query: Mapping[Any, Any] | None = None
    answer: Any = None
    status: int = 200
    problems: tuple[ProblemCode, ...] = ()
    needs_if_match: bool = False
    idempotent: bool = True
    secret_answer: bool = False
    media: Literal["json", "form"] = "json"
    answer_type: str = "application/json"

    @property
    def needs_key(self) -> bool:
        """Tell whether the caller must send an Idempotency-Key."""
        return self.kind == "command" and self.method == "POST" and self.idempotent

    @property
    def name(self) -> str:
        """The operation's id: method and path, unique by construction."""
        path = self.path.replace("{", "").replace("}", "").strip("/")
        return f"{self.method.lower()}_{path.replace('/', '_').replace('-', '_').replace('.', '_')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route(Operation):
    """An operation on the store; ``handler`` is plain and synchronous and runs in its threads.

    Every POST that is a command needs an Idempotency-Key unless ``idempotent`` is False.
    ``secret_answer`` marks answers that carry a token or code: what is kept for a repeat can be
    read only by a caller who sends the same key and body again. ``media`` is the body's form.
    A query that reads ``few_rows`` by their keys and plans nothing is answered without a thread.
    One that is ``timeless`` looks at rows and not at the clock: until something is written, the
    same caller gets the same answer. A command that is ``at_once`` waits for none of its owner's
    other ones; one that holds ``until_stop`` is not done once it has been passed by such a one.
    """

    handler: Handler
    few_rows: bool = False
    timeless: bool = False
    at_once: bool = False
    until_stop: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Operation):
    """An operation that answers by itself: health, the contract, streams."""

    serve: Serve
