"""Server-sent events: a party's outbox from any number on, without gap or repeat."""

import asyncio
import re
from typing import Any, Final

from aiohttp import web
from probatio import Optional

from owner_api.calls import Principal
from owner_api.config import Config
from owner_api.problems import FieldError, Problem, ProblemCode
from owner_api.relay import Hub, Subscription
from owner_api.schemas.fields import integer
from owner_api.store import Store, StoreError, Tx, outbox, times
from owner_api.store.documents import to_json

from .auth import require_live
from .routing import Endpoint

VERSION: Final = 1
_BATCH: Final = 100
_RETRY: Final = b"retry: 2000\n\n"
_HEARTBEAT: Final = b": still here\n\n"
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,17}")


def frame(row: dict[str, Any]) -> bytes:
    """Return one event in the text/event-stream form; its data is the versioned envelope."""
    at = times.render(times.decode(row["at"]))
    kind = to_json(row["type"]).decode()
    data = f'{{"v":{VERSION},"seq":{row["seq"]},"type":{kind},"at":"{at}","data":{row["data"]}}}'
    return f"id: {row['seq']}\nevent: {row['type']}\ndata: {data}\n\n".encode()


def events_endpoint(store: Store, hub: Hub, config: Config) -> Endpoint:
    """Return the operation that streams a party's events."""

    async def serve(request: web.Request, principal: Principal) -> web.StreamResponse:
        wanted = _position(request)
        with hub.subscribe(principal) as subscription:

            def look(tx: Tx) -> outbox.Span:
                require_live(tx, principal)
                return outbox.span(tx, principal.party_id)

            kept = await store.read(look)
            if wanted is not None and not kept.covers(wanted):
                raise Problem(
                    ProblemCode.REPLAY_WINDOW_PASSED,
                    f"Events after {wanted} are not all kept; read the snapshot, then go on.",
                    current={"oldest": kept.oldest, "last_event_id": kept.head},
                )
            response = web.StreamResponse(
                headers={
                    "Content-Type": "text/event-stream; charset=utf-8",
                    "X-Accel-Buffering": "no",
                }
            )
            await response.prepare(request)
            start = kept.head if wanted is None else wanted
            stream = _Stream(request, response, store, config)
            await stream.run(subscription, start)
        return response

    return Endpoint(
        method="GET",
        path="/v1/events",
        role="any",
        kind="query",
        summary="Stream this party's events; replays after Last-Event-ID",
        query={Optional("after"): integer(0, 10**18)},
        answer_type="text/event-stream",
        problems=(ProblemCode.REPLAY_WINDOW_PASSED, ProblemCode.UNAVAILABLE),
        serve=serve,
    )


class _Stream:
    """One connection. The outbox itself is the buffer: a slow client is read for no further."""

    def __init__(
        self, request: web.Request, response: web.StreamResponse, store: Store, config: Config
    ) -> None:
        self._request = request
        self._response = response
        self._store = store
        self._config = config
        if request.transport is not None:
            request.transport.set_write_buffer_limits(high=config.stream_buffer_bytes)

    async def run(self, subscription: Subscription, seq: int) -> None:
        """Send events after ``seq`` until the client leaves, lags or is shut out."""
        principal = subscription.principal
        alive = await self._send(_RETRY)
        while alive and not subscription.closed:
            subscription.listen()
            rows = await self._next(principal, seq)
            if rows is None:
                return
            if rows:
                seq = rows[-1]["seq"]
                alive = await self._send(b"".join(frame(row) for row in rows))
            elif not await subscription.wait(self._config.heartbeat_s):
                alive = await self._send(_HEARTBEAT)

    async def _next(self, principal: Principal, seq: int) -> list[dict[str, Any]] | None:
        """Return what follows, or None when the caller has been shut out meanwhile.

        A revocation is an event of the same party, so it wakes this stream by itself.
        """

        def following(tx: Tx) -> list[dict[str, Any]]:
            require_live(tx, principal)
            return outbox.after(tx, principal.party_id, seq, _BATCH)

        try:
            return await self._store.read(following)
        except Problem, StoreError:
            return None

    async def _send(self, payload: bytes) -> bool:
        try:
            async with asyncio.timeout(self._config.stream_write_timeout_s):
                await self._response.write(payload)
        except TimeoutError:
            # A client that does not read resumes by its last number when it can.
            if self._request.transport is not None:
                self._request.transport.abort()
            return False
        except ConnectionError:
            return False
        return True


def _position(request: web.Request) -> int | None:
    """Return the number to go on from: the header, else ``after``, else None for the head."""
    text = request.headers.get("Last-Event-ID", request.query.get("after"))
    if text is None:
        return None
    if not _NUMBER.fullmatch(text):
        limit = "a whole number, 0 or more"
        raise Problem(
            ProblemCode.INVALID_PARAMETER,
            "Last-Event-ID is not one of ours.",
            errors=(FieldError(pointer="Last-Event-ID", code="format", limit=limit),),
        )
    return int(text)
