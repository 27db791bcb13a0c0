"""What leaves after a commit: the new events, made into bytes once and written to every stream."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

from .calls import Principal
from .clock import Clock
from .config import Config
from .problems import Problem, ProblemCode
from .store import Commit, Event, Store, times
from .store.documents import to_json

VERSION: Final = 1
HEARTBEAT: Final = b": still here\n\n"


# Events of one command share their instant, and so do the streams that they go out on.
@lru_cache(maxsize=512)
def _rendered(stored: str) -> str:
    return times.render(times.decode(stored))


def frame(event: Event) -> bytes:
    """Return one event in the text/event-stream form; its data is the versioned envelope."""
    kind = to_json(event.type).decode()
    at = _rendered(event.at)
    data = f'{{"v":{VERSION},"seq":{event.seq},"type":{kind},"at":"{at}","data":{event.data}}}'
    return f"id: {event.seq}\nevent: {event.type}\ndata: {data}\n\n".encode()


class Subscription:
    """One open stream. While it follows, the hub writes to its connection without waking it.

    It follows from the moment it has sent everything that is kept (``follow``) until it is closed,
    its connection is slow or gone, or somebody's access has ended: then it is woken, and reads for
    itself what comes next.
    """

    __slots__ = (
        "_chunked",
        "_high",
        "_quiet",
        "_transport",
        "_woken",
        "closed",
        "principal",
        "seq",
    )

    def __init__(self, principal: Principal) -> None:
        self.principal = principal
        self.closed = False
        self.seq = 0
        self._transport: asyncio.Transport | None = None
        self._chunked = True
        self._high = 0
        self._quiet = False
        self._woken: asyncio.Future[None] | None = None

    def listen(self) -> None:
        """Forget earlier news; call it before reading the outbox, so that none is missed."""
        self._woken = asyncio.get_running_loop().create_future()

    async def follow(
        self, seq: int, transport: asyncio.Transport, *, chunked: bool, high: int
    ) -> None:
        """Let the hub write what follows ``seq``; return when this stream must act by itself.

        ``high`` is how many bytes may wait in the connection before it counts as slow.
        """
        woken = self._woken
        assert woken is not None
        self.seq = seq
        if not self.closed and not woken.done():
            self._transport, self._chunked, self._high = transport, chunked, high
        await woken

    def wake(self) -> None:
        """End following: the stream looks for itself what there is."""
        self._transport = None
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    def ended_with_its_token(self, now: float) -> bool:
        """Close the stream when the token it was opened with has expired, and tell whether."""
        if now >= self.principal.expires_at:
            self.close()
        return self.closed

    def close(self) -> None:
        """End the stream at its next step."""
        self.closed = True
        self.wake()

    def take(self, events: Sequence[Event], payload: _Payload) -> None:
        """Write events that follow what was sent; wake the stream when it cannot take them."""
        if events[-1].seq <= self.seq:
            return
        if self._transport is None or events[0].seq != self.seq + 1 or not self._write(payload):
            self.wake()
            return
        self.seq = events[-1].seq
        self._quiet = False

    def beat(self) -> None:
        """Write a heartbeat unless something was written since the last call."""
        if self._transport is not None and self._quiet and not self._write(_HEARTBEAT):
            self.wake()
        self._quiet = True

    def _write(self, payload: _Payload) -> bool:
        transport = self._transport
        assert transport is not None
        if transport.is_closing() or transport.get_write_buffer_size() > self._high:
            return False
        transport.write(payload.chunk if self._chunked else payload.plain)
        return True


class _Payload:
    """Bytes for many connections: as they are, and as one chunk of HTTP/1.1."""

    __slots__ = ("chunk", "plain")

    def __init__(self, plain: bytes) -> None:
        self.plain = plain
        self.chunk = b"%x\r\n%b\r\n" % (len(plain), plain)


_HEARTBEAT: Final = _Payload(HEARTBEAT)


class Hub:
    """Knows every open stream of this process; lives on the event loop."""

    def __init__(self, store: Store, config: Config, clock: Clock) -> None:
        self._clock = clock
        self._per_party = config.max_streams_per_party
        self._in_all = config.max_streams
        # A stream is silent for at most two of these.
        self._half_beat_s = config.heartbeat_s / 2
        self._open: defaultdict[str, set[Subscription]] = defaultdict(set)
        self._unsubscribe = store.subscribe(self._committed)
        self._closing = False
        self._beating: asyncio.TimerHandle | None = None
        self.streams = 0

    @contextmanager
    def subscribe(self, principal: Principal) -> Iterator[Subscription]:
        """Register a stream while it lasts; raises rate_limited or unavailable at the bounds."""
        if self._closing or self.streams >= self._in_all:
            raise Problem(ProblemCode.UNAVAILABLE, "No more streams now.", retry_after_s=5)
        mine = self._open[principal.party_id]
        if len(mine) >= self._per_party:
            raise Problem(
                ProblemCode.RATE_LIMITED,
                f"A party may have {self._per_party} streams open at once.",
                retry_after_s=30,
            )
        subscription = Subscription(principal)
        mine.add(subscription)
        self.streams += 1
        if self._beating is None:
            self._beat()
        try:
            yield subscription
        finally:
            mine.discard(subscription)
            self.streams -= 1
            if not mine:
                self._open.pop(principal.party_id, None)

    def close_device(self, device_id: str) -> None:
        """End the streams of one device, as when it is revoked."""
        for subscription in self._all():
            if subscription.principal.device_id == device_id:
                subscription.close()

    def close(self) -> None:
        """End every stream and take no more: the server is stopping."""
        if not self._closing:
            self._closing = True
            self._unsubscribe()
        if self._beating is not None:
            self._beating.cancel()
        for subscription in self._all():
            subscription.close()

    def _all(self) -> list[Subscription]:
        return [each for streams in self._open.values() for each in streams]

    def _committed(self, commit: Commit) -> None:
        if commit.doors:
            # Whoever was shut out must not get another byte, so every stream asks whether it is.
            for subscription in self._all():
                subscription.wake()
        for party_id, events in _by_party(commit.events, self._open).items():
            payload = _Payload(b"".join(frame(event) for event in events))
            now = self._clock.now().timestamp()
            for subscription in self._open[party_id]:
                if not subscription.ended_with_its_token(now):
                    subscription.take(events, payload)

    def _beat(self) -> None:
        now = self._clock.now().timestamp()
        for subscription in self._all():
            if not subscription.ended_with_its_token(now):
                subscription.beat()
        loop = asyncio.get_running_loop()
        open_streams = self.streams and not self._closing
        self._beating = loop.call_later(self._half_beat_s, self._beat) if open_streams else None


def _by_party(
    events: Iterable[Event], wanted: defaultdict[str, set[Subscription]]
) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = {}
    for event in events:
        if event.party_id in wanted:
            found.setdefault(event.party_id, []).append(event)
    return found
