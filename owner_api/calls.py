"""What a command or query gets and gives, free of HTTP."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from typing import Any, Final, Literal

from .config import Config
from .problems import Problem, ProblemCode

type NewId = Callable[[str], str]
type PrincipalKind = Literal["owner", "park", "public"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who is calling: a party, and for an owner which of the owner's devices.

    ``public`` (with an empty ``party_id``) stands only on routes that need no token.
    ``token_epoch`` is the credential's revocation epoch when its token was made: the store knows
    whether that still holds (``server.auth.require_live``). None where no token was involved.
    ``expires_at`` (epoch seconds) is when that token ends, and with it what was opened by it.
    """

    kind: PrincipalKind
    party_id: str
    device_id: str | None = None
    token_epoch: int | None = None
    # Not part of who is calling: the same caller comes back with a new token.
    expires_at: float = field(default=inf, compare=False)

    @property
    def credential(self) -> str:
        """The thing that is rate limited and owns idempotency keys: device, park or nobody."""
        return self.device_id or self.party_id or "public"


PUBLIC: Final = Principal(kind="public", party_id="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request after every check that needs no state.

    ``body`` and ``query`` hold validated values (instants as aware UTC datetimes); ``if_match``
    is the revision inside the If-Match header's quotes. ``authorization`` is handed on only to
    public routes, which authenticate by themselves; ``remote`` is the caller's address; ``accept``
    and ``accept_language`` are those headers, for the few answers that have several forms.
    """

    principal: Principal
    now: datetime
    config: Config
    new_id: NewId
    params: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = field(default_factory=dict)
    if_match: str | None = None
    authorization: str | None = None
    remote: str = ""
    accept: str = ""
    accept_language: str = ""

    def require_revision(self, revision: int, current: Mapping[str, Any]) -> None:
        """Raise precondition_failed with ``current`` unless If-Match named ``revision``."""
        if self.if_match not in ("*", str(revision)):
            raise Problem(
                ProblemCode.PRECONDITION_FAILED,
                f"If-Match named another revision; the current one is {revision}.",
                current=current,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a command or query answers; ``etag`` is the bare revision, quotes are added later.

    ``body`` is any JSON value (datetimes allowed), or text or bytes with another content type,
    or None for no body. ``language`` is what an answer for people is written in.
    """

    body: Any
    status: int = 200
    etag: str | None = None
    location: str | None = None
    content_type: str = "application/json"
    language: str | None = None


# A handler raises a Problem to undo what it wrote, and returns one to keep it: a wrong pairing
# code must stay counted although the answer is no.
type Answer = Reply | Problem
