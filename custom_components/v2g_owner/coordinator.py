"""Holds the newest snapshot: repaired by full reads, hurried along by the stream."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import Platform
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers.device_registry import DeviceEntry
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed

from .api import OwnerApi
from .api_errors import OwnerApiAuthError, OwnerApiError
from .const import DOMAIN, LOGGER, SNAPSHOT_INTERVAL
from .decode import BadAnswerError
from .meant import MeantLately
from .showing import DeviceListeners, Queue, Turns, concerned
from .snapshot import Snapshot, StreamEvent, apply, read_snapshot
from .trust_watch import LogWatch

type EventListener = Callable[[StreamEvent], None]
type Changes = Mapping[str, Any] | Callable[[], Mapping[str, Any]]
"""What is written; a function where that builds on the present value, called at its turn."""


@contextmanager
def update_failures() -> Generator[None]:
    """Raise what goes wrong while reading as the failed update that Home Assistant shows."""
    try:
        yield
    except OwnerApiError as error:
        raise UpdateFailed(
            translation_domain=DOMAIN,
            translation_key="cannot_connect",
            translation_placeholders={"detail": str(error)},
        ) from error
    except BadAnswerError as error:
        raise UpdateFailed(
            translation_domain=DOMAIN,
            translation_key="bad_answer",
            translation_placeholders={"detail": str(error)},
        ) from error


class V2GCoordinator(DataUpdateCoordinator[Snapshot]):
    """Keeps one owner's snapshot; the stream and our own writes apply to it at once."""

    config_entry: V2GConfigEntry

    def __init__(
        self,
        hass: HomeAssistant,
        entry: V2GConfigEntry,
        api: OwnerApi,
        drivers: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """Prepare; nothing is read yet."""
        super().__init__(
            hass,
            LOGGER,
            config_entry=entry,
            name=entry.title,
            update_interval=SNAPSHOT_INTERVAL,
            always_update=False,
        )
        self.api = api
        # A full read may be older than events that overtook it; those are applied again.
        self._recent: deque[StreamEvent] = deque(maxlen=256)
        self._event_listeners: list[EventListener] = []
        self._devices = DeviceListeners()
        self.devices: dict[str, DeviceEntry] = {}
        """Our vehicles and chargers that are registered since this entry was loaded, by id."""
        self.turns = Turns()
        """Shared by whatever has much to do."""
        self.meant_lately = MeantLately()
        self.to_show = Queue()
        """Our entities whose state may be old; they are shown once everyone has been told."""
        self._writing: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        self.drivers = drivers
        """Whose yes counts for each car that is or was linked here, as it was when we began."""
        self.stream_position = 0
        """The last event the stream gave us, or where it starts."""
        self.stream_connected = False
        self.reads_begun = 0
        self.newest_read = 0
        """Which of the full reads that were begun is the newest that we have."""
        self.alone = False
        """Whether the API has not answered since the start, so that only this home is set up."""

    @override
    @callback
    def async_add_listener(
        self, update_callback: CALLBACK_TYPE, context: str | None = None
    ) -> CALLBACK_TYPE:
        """Tell a listener of all news, or with a vehicle's or charger's id of what concerns it."""
        if context is None:
            return super().async_add_listener(update_callback)
        return self._devices.add(context, update_callback)

    @override
    @callback
    def async_update_listeners(self) -> None:
        """Tell everyone."""
        self._async_tell(None)

    @callback
    def _async_tell(self, devices: Collection[str] | None) -> None:
        """Tell who listens to everything, and who to some devices (None: to any)."""
        if self.data is not None:
            self.meant_lately.note(self.data.offers_meant, self.hass.loop.time())
        super().async_update_listeners()
        for listener in self._devices.of(devices):
            listener()
        if self.to_show.is_due:
            self.config_entry.async_create_task(
                self.hass, self.to_show.async_show(), name=f"{self.name} show"
            )

    @callback
    def async_start_stream_at_snapshot(self) -> None:
        """Let the stream begin after what the last full read contains."""
        self.stream_position = self.data.last_event_id

    @callback
    def async_forget_stream(self) -> None:
        """Take the next full read as it is: a restored API counts its events anew, from below."""
        self._recent.clear()

    @callback
    def async_set_stream_connected(self, *, connected: bool) -> None:
        """Note whether changes arrive at once, and show it."""
        if connected != self.stream_connected:
            self.stream_connected = connected
            # Only the account shows it.
            self._async_tell(())

    @override
    async def _async_update_data(self) -> Snapshot:
        """Read everything, then catch up with what the stream said meanwhile."""
        self.reads_begun = begun = self.reads_begun + 1
        with update_failures():
            try:
                snapshot = read_snapshot(await self.api.get("/v1/snapshot"))
            except OwnerApiAuthError as error:
                raise ConfigEntryAuthFailed(
                    translation_domain=DOMAIN, translation_key="not_paired"
                ) from error
            for event in self._recent:
                if event.seq > snapshot.last_event_id:
                    snapshot = apply(snapshot, event)
        self.newest_read = begun
        return snapshot

    @callback
    def async_subscribe_events(self, listener: EventListener) -> CALLBACK_TYPE:
        """Call ``listener`` for each event after it has been applied; returns the way out."""
        self._event_listeners.append(listener)
        return lambda: self._event_listeners.remove(listener)

    @callback
    def async_handle_event(self, event: StreamEvent) -> None:
        """Apply one event of the stream, and ask for a full read where that is not enough.

        An event that a full read already contains is still passed on: it happened, and an
        automation may be waiting for it.
        """
        if event.seq <= self.stream_position:
            return
        gap = event.seq != self.stream_position + 1
        self.stream_position = event.seq
        self._recent.append(event)
        try:
            if event.seq > self.data.last_event_id:
                self._async_show(apply(self.data, event))
        except BadAnswerError as error:
            LOGGER.debug("Event %s (%s) cannot be read: %s", event.seq, event.type, error)
            self.async_repair()
            return
        for listener in tuple(self._event_listeners):
            listener(event)
        if gap:
            self.async_repair()

    @callback
    def async_apply(self, event_type: str, view: Mapping[str, Any]) -> None:
        """Show what an answer to our own request told, without waiting for the stream."""
        try:
            event = StreamEvent(seq=self.data.last_event_id, type=event_type, data=dict(view))
            self._async_show(apply(self.data, event))
        except BadAnswerError as error:
            LOGGER.debug("An answer (%s) cannot be read: %s", event_type, error)
            self.async_repair()

    async def async_write(
        self,
        resource: Literal["preferences", "departures"],
        vehicle_id: str,
        changes: Changes,
    ) -> Mapping[str, Any]:
        """Change a vehicle's preferences or leave times, provided nobody else did since we read.

        Returns what they are then. Our own writes queue, so that two of them never look like
        strangers to each other.
        Raises OwnerApiProblem (412 with the current value) when somebody else was first.
        """
        async with self._writing[resource, vehicle_id]:
            known = getattr(self.data, resource).get(vehicle_id)
            body = changes() if callable(changes) else changes
            answer = await self.api.patch(
                f"/v1/vehicles/{vehicle_id}/{resource}", body, known.revision if known else 0
            )
            self.async_apply(f"{resource}.updated", answer)
            return answer

    @callback
    def _async_show(self, snapshot: Snapshot) -> None:
        """Publish a snapshot without touching availability or the timer of full reads."""
        if snapshot != self.data:
            devices = concerned(self.data, snapshot)
            self.data = snapshot
            self._async_tell(devices)

    @callback
    def async_repair(self) -> None:
        """Read everything again soon."""
        self.config_entry.async_create_background_task(
            self.hass, self.async_request_refresh(), name=f"{self.name} repair"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class V2GRuntimeData:
    """What lives as long as a loaded config entry."""

    coordinator: V2GCoordinator
    log: LogWatch
    loaded: Mapping[str, Any]
    """What the entry held when it was loaded: a change of it needs a reload."""
    platforms: Sequence[Platform]
    """What was set up, and is to be unloaded."""


type V2GConfigEntry = ConfigEntry[V2GRuntimeData]
