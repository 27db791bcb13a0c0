"""Server-sent events: a party's outbox from any number on, without gap or repeat."""

import asyncio
import re
from typing import Final

from aiohttp import HttpVersion11, web
from probatio import Optional

from owner_api.calls import Principal
from owner_api.config import Config
from owner_api.problems import FieldError, Problem, ProblemCode
from owner_api.relay import Hub, Subscription, frame
from owner_api.schemas.fields import integer
from owner_api.store import Event, Store, StoreError, Tx, outbox

from .auth import require_live
from .routing import Endpoint

_BATCH: Final = 100
_OPENING: Final = "id: {}\nretry: 2000\n\n"
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,17}")
_DESCRIPTION: Final = (
    "With `after`, or the header Last-Event-ID, the stream begins with the event that follows this"
    " number, and 0 asks for all. Without either nothing is replayed: the stream begins with what"
    " happens next. The first `id`, without an event, is the number it begins after. Events are"
    " kept for two weeks unless the operator set another time. A number"
    " whose followers are not all kept, 0 too, is answered `replay_window_passed`: read the lists,"
    " then go on from its `current.last_event_id` (`current.oldest` is the oldest that is kept)."
    " The stream ends with the token it was opened with: get a new one and go on from the last"
    " number that was read."
)
_AFTER: Final = (
    "Go on with the event that follows this number; 0 asks for all. Without it, and without"
    " Last-Event-ID, nothing is replayed. Last-Event-ID counts before it."
)


def events_endpoint(store: Store, hub: Hub, config: Config) -> Endpoint:
    """Return the operation that streams a party's events."""

    async def serve(request: web.Request, principal: Principal) -> web.StreamResponse:
        wanted = _position(request)
        with hub.subscribe(principal) as subscription:

            def look(tx: Tx) -> outbox.Span:
                require_live(tx, principal)
                return outbox.span(tx, principal.party_id)

            kept = await store.read(look, few_rows=True)
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
        description=_DESCRIPTION,
        query={Optional("after", description=_AFTER): integer(0, 10**18)},
        answer_type="text/event-stream",
        problems=(ProblemCode.REPLAY_WINDOW_PASSED, ProblemCode.UNAVAILABLE),
        serve=serve,
    )


class _Stream:
    """One connection. The outbox itself is the buffer: a slow client is read for no further."""

    __slots__ = ("_config", "_request", "_response", "_store")

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
        """Send events after ``seq`` until the client or its token goes, it lags or is shut out."""
        # Who is cut off before the first event goes on from this number, and misses nothing.
        alive = await self._send(_OPENING.format(seq).encode())
        # They are on their way, and a stream stays open for days.
        self._response.headers.clear()
        while alive and not subscription.closed:
            subscription.listen()
            events = await self._next(subscription.principal, seq)
            transport = self._request.transport
            if events is None or transport is None or transport.is_closing():
                return
            if events:
                seq = events[-1].seq
                alive = await self._send(b"".join(frame(event) for event in events))
                continue
            await subscription.follow(
                seq,
                transport,
                chunked=self._request.version >= HttpVersion11,
                high=self._config.stream_buffer_bytes,
            )
            seq = subscription.seq

    async def _next(self, principal: Principal, seq: int) -> list[Event] | None:
        """Return what follows, or None when the caller has been shut out meanwhile.

        A revocation wakes every stream, so this one asks at once.
        """

        def following(tx: Tx) -> list[Event]:
            require_live(tx, principal)
            return outbox.after(tx, principal.party_id, seq, _BATCH)

        try:
            return await self._store.read(following, few_rows=True)
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
