"""The export: read from one snapshot and sent piece by piece, so that its size costs no memory."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
import logging
from typing import Final

from aiohttp import web

from owner_api.calls import Principal
from owner_api.clock import Clock
from owner_api.commands.export import Export
from owner_api.config import Config
from owner_api.problems import Problem, ProblemCode
from owner_api.schemas.fields import AnyJson, text, timestamp, typed_id
from owner_api.schemas.views import required
from owner_api.store import Store, Tx
from owner_api.store.snapshot import Snapshot

from .auth import require_live
from .problems import from_exception
from .routing import Endpoint

_RETRY_S: Final = 30
_LOG: Final = logging.getLogger("owner_api.server")
_DESCRIPTION: Final = (
    "The document is sent as it is read, all from one moment. One at a time for an owner. An answer"
    " that breaks off is not the whole document: ask again, with more speed, or have the operator"
    " write it (`owner-api owner export`)."
)


class Places:
    """Whose exports are under way: one an owner, and so many on the whole server."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._owners: set[str] = set()

    @contextmanager
    def of(self, owner_id: str) -> Iterator[None]:
        """Take a place while the block runs; raises rate_limited or unavailable."""
        if owner_id in self._owners:
            raise Problem(
                ProblemCode.RATE_LIMITED,
                "Exports under way at once for an owner: at most 1.",
                retry_after_s=_RETRY_S,
            )
        if len(self._owners) >= self._most:
            raise Problem(
                ProblemCode.UNAVAILABLE,
                f"Exports under way at once on this server: at most {self._most}.",
                retry_after_s=_RETRY_S,
            )
        self._owners.add(owner_id)
        try:
            yield
        finally:
            self._owners.discard(owner_id)


def export_endpoint(store: Store, clock: Clock, config: Config) -> Endpoint:
    """Return the operation that hands owners what is known of them."""
    places = Places(config.max_exports)

    async def serve(request: web.Request, principal: Principal) -> web.StreamResponse:
        due = asyncio.get_running_loop().time() + config.export_timeout_s

        def begin(tx: Tx) -> Export:
            return Export(tx, owner_id=principal.party_id, now=clock.now())

        def in_force(tx: Tx) -> None:
            require_live(tx, principal)

        async def piece_after(snapshot: Snapshot, export: Export) -> bytes:
            piece = await snapshot.read(lambda _tx: export.next())
            # The snapshot knows nothing of who was shut out since.
            await store.read(in_force, few_rows=True)
            return piece

        await store.read(in_force, few_rows=True)
        with places.of(principal.party_id):
            async with store.snapshot() as snapshot:
                async with asyncio.timeout_at(due):
                    export = await snapshot.read(begin)
                snapshot.ending.callback(export.close)
                response = web.StreamResponse(headers={"Content-Type": "application/json"})
                following = partial(piece_after, snapshot, export)
                await _send(request, response, following, config, due)
        return response

    return Endpoint(
        method="GET",
        path="/v1/export",
        role="owner",
        kind="query",
        summary="Everything this server holds about the owner",
        description=_DESCRIPTION,
        answer=required(
            {
                "format": text(1, 100),
                "exported_at": timestamp(),
                "owner_id": typed_id("own"),
                "park_names": AnyJson(),
                "tables": AnyJson(),
            }
        ),
        serve=serve,
    )


async def _send(
    request: web.Request,
    response: web.StreamResponse,
    following: Callable[[], Awaitable[bytes]],
    config: Config,
    due: float,
) -> None:
    """Send every piece, or break off so that nobody takes what came for the whole."""
    whole = False
    if request.transport is not None:
        request.transport.set_write_buffer_limits(high=config.stream_buffer_bytes)
    try:
        async with asyncio.timeout_at(due):
            await response.prepare(request)
            while piece := await following():
                async with asyncio.timeout(config.stream_write_timeout_s):
                    await response.write(piece)
            await response.write_eof()
        whole = True
    except TimeoutError:
        _LOG.warning("an export was broken off: whoever asked for it took too long to read it")
    except ConnectionError:
        # Whoever asked has gone.
        pass
    except Exception as error:  # noqa: BLE001 - no problem can follow what has begun
        from_exception(error)
    finally:
        if not whole and request.transport is not None:
            request.transport.abort()
