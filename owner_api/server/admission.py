"""Who may go on: transport, failures, credentials, rate and role, in this order."""

from collections.abc import Callable
from typing import Final

from aiohttp import web

from owner_api.calls import PUBLIC, Principal
from owner_api.clock import Clock
from owner_api.config import Config
from owner_api.problems import Problem, ProblemCode
from owner_api.store import Store

from .headers import client_address, household, require_private_transport
from .limits import RateLimiter
from .logs import CALLER
from .routing import Operation

type Authenticate = Callable[[web.Request, Store, Clock], Principal]

# A wrong guess at any of these counts against the address it came from.
GUESSES: Final = frozenset(
    {
        ProblemCode.UNAUTHENTICATED,
        ProblemCode.INVALID_CLIENT,
        ProblemCode.INVALID_GRANT,
        ProblemCode.PAIRING_CODE_INVALID,
        ProblemCode.PAIRING_CODE_EXPIRED,
        ProblemCode.PAIRING_CODE_EXHAUSTED,
    }
)


class Admission:
    """Lets a request in as somebody, or raises the problem that says why not."""

    def __init__(
        self, *, store: Store, clock: Clock, config: Config, authenticate: Authenticate
    ) -> None:
        self._store = store
        self._clock = clock
        self._authenticate = authenticate
        self._known = RateLimiter(clock, rate_per_s=config.rate_per_s, burst=config.rate_burst)
        self._public = RateLimiter(
            clock, rate_per_s=config.public_rate_per_s, burst=config.public_rate_burst
        )
        self._failures = RateLimiter(
            clock, rate_per_s=config.failure_rate_per_s, burst=config.failure_burst
        )

    def admit(self, request: web.Request, operation: Operation) -> Principal:
        """Return who calls, after every check that needs no body."""
        require_private_transport(request)
        if operation.role == "public":
            address = household(client_address(request))
            self._failures.take(address, cost=0)
            self._public.take(address)
            request[CALLER] = PUBLIC.credential
            return PUBLIC
        principal = self._authenticate(request, self._store, self._clock)
        request[CALLER] = principal.credential
        self._known.take(principal.credential)
        if operation.role not in ("any", principal.kind):
            raise Problem(
                ProblemCode.FORBIDDEN,
                f"This operation is for an {operation.role}."
                if operation.role == "owner"
                else f"This operation is for a {operation.role}.",
            )
        return principal

    def count_failure(self, request: web.Request, problem: Problem) -> None:
        """Count a wrong guess against its address; raises rate_limited from one too many on.

        Only who guesses is held up: behind a shared address, valid tokens go on working.
        """
        if problem.code in GUESSES:
            self._failures.take(household(client_address(request)))
