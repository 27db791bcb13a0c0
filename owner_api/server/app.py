"""The aiohttp application, made from operations."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from aiohttp import web

from owner_api.clock import Clock
from owner_api.config import Config
from owner_api.relay import Hub
from owner_api.store import Store

from .admission import Admission, Authenticate
from .crowd import Crowd
from .deadline import Deadline
from .endpoints import Endpoints
from .exporting import export_endpoint
from .headers import CONFIG, LEAVING, add_headers
from .health import health_operations
from .idempotency import InFlight
from .openapi import contract_endpoint
from .protocol import ProblemRunner
from .routing import Operation
from .stream import events_endpoint

# Many clients return at once after a restart; the kernel's default drops most of them.
BACKLOG: Final = 4_096


def create_app(
    *,
    store: Store,
    clock: Clock,
    config: Config,
    routes: Iterable[Operation],
    authenticate: Authenticate,
    hub: Hub | None = None,
    gate: Callable[[Operation], None] = lambda _operation: None,
) -> web.Application:
    """Return the application that serves ``routes`` and what every server has besides.

    ``authenticate`` reads who calls from the request alone; whether that caller has been shut
    out since is asked again inside each transaction. ``gate`` may raise a Problem for every request
    to an operation, as while the log is not the one that was signed.

    Raises ValueError when two operations claim the same method and path.
    """
    app = web.Application(client_max_size=config.max_body_bytes)
    app[CONFIG] = config
    app[LEAVING] = []
    app.on_response_prepare.append(add_headers)
    streams = hub or Hub(store, config, clock)
    operations = [
        *health_operations(store, clock),
        events_endpoint(store, streams, config),
        export_endpoint(store, clock, config),
        *routes,
    ]
    operations.append(contract_endpoint(operations))
    _refuse_doubles(operations)
    deadline = Deadline(config.answer_timeout_s)
    endpoints = Endpoints(
        store=store,
        clock=clock,
        config=config,
        admission=Admission(store=store, clock=clock, config=config, authenticate=authenticate),
        in_flight=InFlight(),
        deadline=deadline,
        gate=gate,
    )
    # Fixed paths first: aiohttp takes the first match, and {id} matches any word.
    for operation in sorted(operations, key=lambda each: each.path.count("{")):
        app.router.add_route(operation.method, operation.path, endpoints.handler(operation))

    async def close_streams(_app: web.Application) -> None:
        streams.close()

    async def close_deadline(_app: web.Application) -> None:
        deadline.close()

    app.on_shutdown.append(close_streams)
    app.on_cleanup.append(close_deadline)
    return app


def make_runner(app: web.Application, config: Config) -> web.AppRunner:
    """Return a runner with the deadlines that aiohttp leaves open by default."""
    return ProblemRunner(
        app,
        Crowd(config),
        access_log=None,
        handle_signals=False,
        # aiohttp's only deadline for idle connections and for headers that dribble in.
        keepalive_timeout=config.keepalive_s,
        # How long the rest of a body is read after its answer.
        lingering_time=config.linger_s,
        shutdown_timeout=config.shutdown_timeout_s,
        auto_decompress=False,
    )


def _refuse_doubles(operations: Sequence[Operation]) -> None:
    counted = Counter((each.method, each.path) for each in operations)
    doubles = [f"{method} {path}" for (method, path), count in counted.items() if count > 1]
    if doubles:
        raise ValueError(f"declared twice: {', '.join(doubles)}")
