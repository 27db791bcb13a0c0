"""What happens without a request: deadlines, and forgetting what is old."""

import asyncio
from datetime import datetime, timedelta
from functools import partial
import logging
from time import monotonic
from typing import Final

from owner_api.clock import Clock
from owner_api.commands import timers
from owner_api.config import Config
from owner_api.ids import new_id
from owner_api.store import Store, StoreClosedError
from owner_api.store.outbox import prune

_LOG: Final = logging.getLogger("owner_api.timers")
# No tick takes this long beyond its interval: the clock was set, or the machine stood still.
_STEP: Final = timedelta(minutes=1)


class Timers:
    """Runs the deals' deadlines twice a second and the housekeeping once an hour."""

    def __init__(self, store: Store, clock: Clock, config: Config) -> None:
        self._store = store
        self._clock = clock
        self._config = config
        self._pruned_at: datetime | None = None
        self._heard_since = clock.now()
        self._task: asyncio.Task[None] | None = None
        self._done_at = monotonic()

    @property
    def late_s(self) -> float:
        """How long ago (s) the deadlines were last looked at; the machine's time, no clock's."""
        return monotonic() - self._done_at

    def start(self) -> None:
        """Begin to run by itself."""
        self._task = asyncio.create_task(self._run(), name="timers")

    async def stop(self) -> None:
        """End the task and wait for it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def tick(self) -> None:
        """Do once what is due now; raises what a deadline raised."""
        now, config = self._clock.now(), self._config
        # A clock that ran ahead at the start must not make anything wait for that long.
        self._heard_since = min(now, self._heard_since)
        due = partial(timers.tick, now=now, config=config, new_id=new_id)
        await self._store.write(partial(due, heard_since=self._heard_since))
        self._done_at = monotonic()
        interval = timedelta(seconds=config.prune_interval_s)
        if self._pruned_at is None or abs(now - self._pruned_at) >= interval:
            await self._prune(now)

    async def _prune(self, now: datetime) -> None:
        """Forget a bounded piece of what is old; the rest comes at the next ticks."""
        events_before = now - timedelta(seconds=self._config.outbox_keep_s)
        repeats_before = now - timedelta(seconds=self._config.idempotency_keep_s)
        there_is_more = await self._store.write(
            partial(prune, events_before=events_before, repeats_before=repeats_before)
        )
        if not there_is_more:
            self._pruned_at = now

    async def _run(self) -> None:
        at = self._heard_since
        while True:
            at = self._listened(at)
            try:
                await self.tick()
            except StoreClosedError:
                return
            except Exception:  # noqa: BLE001 - logged with its trace, and tried again
                # One bad row must not silence every other deadline for good.
                _LOG.exception("a timer failed; it runs again at the next tick")
            await self._clock.sleep(self._config.tick_interval_s)

    def _listened(self, since: datetime) -> datetime:
        """Return the present, one interval after the tick before, by whatever the clock says.

        What it was set forward by nobody could speak in: a machine without a clock chip starts at
        the time at which it went down, and hears what time it is a moment later.
        """
        now = self._clock.now()
        unheard = now - since - timedelta(seconds=self._config.tick_interval_s)
        if unheard > _STEP:
            self._heard_since += unheard
        return now
