"""Raise repairs about the account: clocks, time zones, versions that do not fit, changed terms."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from homeassistant.const import EVENT_CORE_CONFIG_UPDATE
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.util import dt as dt_util

from .api_errors import OwnerApiError
from .const import DOMAIN, LOGGER
from .coordinator import V2GCoordinator
from .models import Agreement, Park
from .unsubscribing import together

# Readings carry our clock and leases the server's: a lease is 60 s by default.
MOST_SKEW: Final = timedelta(seconds=30)
API_VERSION: Final = 1
_LOOK_EVERY: Final = timedelta(hours=1)


class AccountCheck:
    """Looks at the server on each new connection and every hour, at the terms whenever read."""

    def __init__(self, hass: HomeAssistant, coordinator: V2GCoordinator) -> None:
        """Prepare; nothing is asked yet."""
        self._hass = hass
        self._coordinator = coordinator
        self._entry = coordinator.config_entry
        self._connected = False
        self._zones: tuple[str, str] | None = None

    @callback
    def async_start(self) -> CALLBACK_TYPE:
        """Begin; returns the way to stop."""
        unsubscribes: list[Callable[[], None]] = [
            self._coordinator.async_add_listener(self._updated),
            async_track_time_interval(
                self._hass, self._async_look_at, _LOOK_EVERY, cancel_on_shutdown=True
            ),
            self._hass.bus.async_listen(EVENT_CORE_CONFIG_UPDATE, self._moved),
        ]
        self._look_at_terms()
        self._look_at_zone()

        return together(unsubscribes)

    @callback
    def _updated(self) -> None:
        """Look at terms and zone, and at the server whenever it is reached anew."""
        self._look_at_terms()
        self._look_at_zone()
        connected = self._coordinator.stream_connected
        if connected and not self._connected:
            self._entry.async_create_background_task(
                self._hass, self._async_look_at(), name=f"{DOMAIN} check {self._entry.title}"
            )
        self._connected = connected

    @callback
    def _moved(self, _event: Event) -> None:
        """Look at the zone: the repair says that Home Assistant's may be set instead."""
        self._look_at_zone()

    async def _async_look_at(self, _now: datetime | None = None) -> None:
        """Look at the server; one that does not answer shows elsewhere."""
        try:
            await self.async_look()
        except OwnerApiError as error:
            LOGGER.debug("The server could not be looked at: %s", error)

    async def async_look(self) -> bool:
        """Compare clock and version with the server's; return whether both fit.

        Raises OwnerApiError when it cannot be asked.
        """
        asked_at = dt_util.utcnow()
        server = await self._coordinator.api.server()
        answered_at = dt_util.utcnow()
        time = dt_util.parse_datetime(str(server.get("time")))
        # Between question and answer any time is right.
        skew = timedelta(0)
        if time is not None and time.tzinfo is not None:
            skew = max(asked_at - time, time - answered_at, skew)
        skewed = skew > MOST_SKEW
        self._show(
            "clock_skew", "clock_skew", wrong=skewed, seconds=str(round(skew.total_seconds()))
        )
        version = server.get("api_version")
        version = version if isinstance(version, int) else 0
        self._show(
            "api_version",
            "api_too_old" if version < API_VERSION else "api_too_new",
            wrong=version != API_VERSION,
            theirs=str(version),
            ours=str(API_VERSION),
        )
        return not skewed and version == API_VERSION

    @callback
    def _look_at_terms(self) -> None:
        """Compare the terms agreed to with those in force, and with what the park has kept."""
        agreed = {
            agreement.park.park_id: agreement
            for agreement in self._coordinator.data.agreements.values()
            if agreement.state == "active"
        }
        for park in self._coordinator.data.parks.values():
            agreement = agreed.get(park.park_id)
            old, new = agreement.terms_version if agreement else 0, park.terms_version
            changed, broken = new > old, agreement is not None and agreement.recharge_broken
            self._show_of_park("terms_changed", park, agreement, wrong=changed, old=old, new=new)
            self._show_of_park("recharge_broken", park, agreement, wrong=broken)

    @callback
    def _show_of_park(
        self, key: str, park: Park, agreement: Agreement | None, *, wrong: bool, **told: int
    ) -> None:
        """Raise a repair about a park that a new agreement ends, or take it back."""
        issue_id = f"{key}_{self._entry.entry_id}_{park.park_id}"
        about = {"fix": "read_terms"}
        if agreement is not None:
            about["agreement_id"] = agreement.agreement_id
        versions = {name: str(version) for name, version in told.items()}
        placeholders = {"park": park.display_name, **versions}
        there = agreement is not None and wrong
        self._raise(issue_id, key, about, placeholders, wrong=there)

    @callback
    def _look_at_zone(self) -> None:
        """Compare the zones in which leave times count, when either is another than before."""
        zones = (self._hass.config.time_zone, self._coordinator.data.owner.time_zone)
        if zones != self._zones:
            self._zones = zones
            self._entry.async_create_background_task(
                self._hass,
                self._async_compare_zones(*zones),
                name=f"{DOMAIN} zones {self._entry.title}",
            )

    async def _async_compare_zones(self, ours: str, theirs: str) -> None:
        """Raise a repair where 18:00 here is another hour at the agent."""
        differ = not await _async_same_clock(ours, theirs)
        self._show(
            "time_zone",
            "other_time_zone",
            wrong=differ,
            fix="take_zone",
            ours=ours,
            theirs=theirs,
        )

    @callback
    def _show(
        self, kind: str, key: str, *, wrong: bool, fix: str = "look_again", **told: str
    ) -> None:
        """Raise a repair about the account, or take it back."""
        issue_id = f"{kind}_{self._entry.entry_id}"
        placeholders = {"name": self._entry.title, **told}
        self._raise(issue_id, key, {"fix": fix}, placeholders, wrong=wrong)

    @callback
    def _raise(
        self,
        issue_id: str,
        key: str,
        about: dict[str, str],
        placeholders: dict[str, str],
        *,
        wrong: bool,
    ) -> None:
        """Raise a repair with what its flow needs, or take it back."""
        if not wrong:
            ir.async_delete_issue(self._hass, DOMAIN, issue_id)
            return
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            issue_id,
            data={"entry_id": self._entry.entry_id, **about},
            is_fixable=True,
            severity=ir.IssueSeverity.WARNING,
            translation_key=key,
            translation_placeholders=placeholders,
        )


async def _async_same_clock(one: str, other: str) -> bool:
    """Tell whether two names of zones mean the same hours for the coming year."""
    if one == other:
        return True
    zones = (await dt_util.async_get_time_zone(one), await dt_util.async_get_time_zone(other))
    now = dt_util.utcnow()
    days = (now + timedelta(days=day) for day in range(366))
    return None not in zones and all(
        len({day.astimezone(zone).utcoffset() for zone in zones}) == 1 for day in days
    )
