"""Tell the API what charging costs in the coming hours, as the owner's price sensor knows it."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import (
    CALLBACK_TYPE,
    CoreState,
    Event,
    EventStateChangedData,
    HomeAssistant,
    callback,
)
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.helpers.event import async_track_state_change_event, async_track_time_interval
from homeassistant.util import dt as dt_util

from .api_errors import OwnerApiError
from .const import CONF_PRICE_ENTITY, CONF_VEHICLE_ID, DOMAIN, LOGGER
from .coordinator import V2GCoordinator
from .issues import async_raise_gone, gone_id
from .price import reported_price_text
from .price_forms import Prices, from_now
from .price_source import PriceSource
from .price_units import UnreadablePricesError
from .unsubscribing import together

# Markets settle quarter hours at the finest; telling the API more often would only cost it work.
REPORT_INTERVAL: Final = timedelta(minutes=15)


def prices_path(vehicle_id: str) -> str:
    """Return where the API takes a vehicle's prices."""
    return f"/v1/vehicles/{vehicle_id}/prices"


def price_entries(prices: Prices) -> list[dict[str, str]]:
    """Return prices as the API takes them, in time order."""
    return [
        {
            "start_at": at.isoformat().replace("+00:00", "Z"),
            "price_per_kwh": reported_price_text(prices[at]),
        }
        for at in sorted(prices)
    ]


class PriceReporter:
    """Follows one vehicle's price sensor and tells the API what is new, four times an hour at most.

    Prices that come late are the API's to bear: it counts with the dearest it knows and says so.
    """

    def __init__(
        self, hass: HomeAssistant, coordinator: V2GCoordinator, subentry: ConfigSubentry
    ) -> None:
        """Prepare; the vehicle's subentry names the sensor, if any."""
        self._hass = hass
        self._coordinator = coordinator
        self._subentry = subentry
        self._entity_id: str = subentry.data.get(CONF_PRICE_ENTITY) or ""
        self._path = prices_path(subentry.data[CONF_VEHICLE_ID])
        self._source = PriceSource(hass, self._entity_id)
        self._sent: Prices = {}
        self._sent_at: datetime | None = None
        self._failed = False
        self._reporting = asyncio.Lock()

    @callback
    def async_start(self) -> CALLBACK_TYPE:
        """Tell now, when the sensor changes, and look every quarter of an hour."""
        if not self._entity_id:
            self._async_clear_issues()
            return lambda: None
        unsubscribes = [
            async_track_state_change_event(self._hass, self._entity_id, self._async_changed),
            async_track_time_interval(
                self._hass, self._async_report, REPORT_INTERVAL, cancel_on_shutdown=True
            ),
            self._coordinator.async_add_listener(self._async_coordinator_updated),
        ]
        self._async_report_soon()

        return together(unsubscribes)

    @callback
    def _async_changed(self, _event: Event[EventStateChangedData]) -> None:
        """Tell a change at once, unless something was told less than a quarter of an hour ago."""
        now = dt_util.utcnow()
        if self._sent_at is None or now - self._sent_at >= REPORT_INTERVAL:
            self._async_report_soon()

    @callback
    def _async_coordinator_updated(self) -> None:
        """Tell again what did not arrive, now that the API answers."""
        if self._failed and self._coordinator.last_update_success:
            self._failed = False
            self._async_report_soon()

    @callback
    def _async_report_soon(self) -> None:
        """Report in the background."""
        self._coordinator.config_entry.async_create_background_task(
            self._hass, self._async_report(), name=f"prices of {self._entity_id}"
        )

    async def _async_report(self, _now: datetime | None = None) -> None:
        """Read the sensor and tell the API what it does not know yet."""
        async with self._reporting:
            now = dt_util.utcnow()
            self._async_look_for_it()
            try:
                currency = self._coordinator.data.owner.currency
                prices = await self._source.async_read(now, currency)
            except UnreadablePricesError as error:
                self._async_raise_unreadable(error)
                return
            if not prices:
                return
            ir.async_delete_issue(self._hass, DOMAIN, self._unreadable_id)
            if prices == from_now(self._sent, now):
                return
            try:
                await self._coordinator.api.post(self._path, {"entries": price_entries(prices)})
            except OwnerApiError as error:
                LOGGER.debug("Prices of %s did not arrive: %s", self._entity_id, error)
                self._failed = True
            else:
                self._sent, self._sent_at = prices, now

    @property
    def _gone_id(self) -> str:
        """The repair of a price sensor that is gone."""
        return gone_id(self._subentry, CONF_PRICE_ENTITY)

    @property
    def _unreadable_id(self) -> str:
        """The repair of a sensor whose prices cannot be counted with."""
        return f"prices_unreadable_{self._subentry.subentry_id}"

    @callback
    def _async_clear_issues(self) -> None:
        """Forget the repairs of a sensor that is no longer chosen."""
        for issue_id in (self._gone_id, self._unreadable_id):
            ir.async_delete_issue(self._hass, DOMAIN, issue_id)

    @callback
    def _async_look_for_it(self) -> None:
        """Raise a repair when the sensor is gone, and end it when it is back.

        Not while Home Assistant starts: the sensor's own integration may come later.
        """
        entity_id, registry = self._entity_id, er.async_get(self._hass)
        if self._hass.states.get(entity_id) or registry.async_get(entity_id):
            ir.async_delete_issue(self._hass, DOMAIN, self._gone_id)
        elif self._hass.state is CoreState.running:
            async_raise_gone(
                self._hass, self._coordinator.config_entry, self._subentry, CONF_PRICE_ENTITY
            )

    @callback
    def _async_raise_unreadable(self, error: UnreadablePricesError) -> None:
        """Raise a repair: what the sensor tells cannot be counted with."""
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            self._unreadable_id,
            data={
                "entry_id": self._coordinator.config_entry.entry_id,
                "subentry_id": self._subentry.subentry_id,
            },
            is_fixable=False,
            severity=ir.IssueSeverity.WARNING,
            translation_key="prices_unreadable",
            translation_placeholders={
                "entity_id": self._entity_id,
                "name": self._subentry.title,
                "unit": error.told,
                "currency": self._coordinator.data.owner.currency,
            },
        )
