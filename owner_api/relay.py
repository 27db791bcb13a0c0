"""What leaves after a commit: wakes the streams of the parties that have something new."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from .calls import Principal
from .problems import Problem, ProblemCode
from .store import Store


class Subscription:
    """One open stream: woken by news, closed from outside."""

    def __init__(self, principal: Principal) -> None:
        self.principal = principal
        self.closed = False
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Say that the party's outbox has grown."""
        self._news.set()

    def close(self) -> None:
        """End the stream at its next step."""
        self.closed = True
        self._news.set()

    def listen(self) -> None:
        """Forget earlier news; call it before reading the outbox, so that none is missed."""
        self._news.clear()

    async def wait(self, timeout_s: float) -> bool:
        """Return True on news or closing, False when ``timeout_s`` passed quietly."""
        if self.closed:
            return True
        try:
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        except TimeoutError:
            return False
        return True


class Hub:
    """Knows every open stream of this process; lives on the event loop."""

    def __init__(self, store: Store, *, per_party: int, in_all: int) -> None:
        self._per_party = per_party
        self._in_all = in_all
        self._open: defaultdict[str, set[Subscription]] = defaultdict(set)
        self._unsubscribe = store.subscribe(self._committed)
        self._closing = False

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return sum(len(streams) for streams in self._open.values())

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
        try:
            yield subscription
        finally:
            mine.discard(subscription)
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
        for subscription in self._all():
            subscription.close()

    def _all(self) -> list[Subscription]:
        return [each for streams in self._open.values() for each in streams]

    def _committed(self, parties: frozenset[str]) -> None:
        for party_id in parties:
            for subscription in self._open.get(party_id, ()):
                subscription.wake()
