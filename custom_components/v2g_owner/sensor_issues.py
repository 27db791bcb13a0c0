"""Raise a repair when one of the owner's sensors stands still or has its sign the wrong way."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import CALLBACK_TYPE, Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.event import async_track_state_change_event, async_track_time_interval
from homeassistant.util import dt as dt_util

from .const import (
    CONF_EXPORT_ENTITY,
    CONF_IMPORT_ENTITY,
    CONF_PLUGGED_ENTITY,
    CONF_POWER_ENTITY,
    CONF_SOC_ENTITY,
    CONF_VEHICLE_ID,
    DOMAIN,
)
from .coordinator import V2GConfigEntry
from .issues import fixed_by
from .plausibility import sign_watch, soc_watch
from .readings import Read, read_energy, read_on, read_percent, read_power
from .unsubscribing import together

_LOOK_EVERY: Final = timedelta(minutes=5)
_READERS: Final[Mapping[str, Read]] = {
    CONF_SOC_ENTITY: read_percent,
    CONF_PLUGGED_ENTITY: read_on,
    CONF_POWER_ENTITY: read_power,
    CONF_IMPORT_ENTITY: read_energy,
    CONF_EXPORT_ENTITY: read_energy,
}


class SensorCheck:
    """Looks at one vehicle's or charger's sensors whenever they move, and every five minutes."""

    def __init__(
        self, hass: HomeAssistant, entry: V2GConfigEntry, subentry: ConfigSubentry
    ) -> None:
        """Prepare; nothing is judged before something flowed."""
        self._hass = hass
        self._entry = entry
        self._subentry = subentry
        self._mapping = subentry.data
        vehicle = self._vehicle
        capacity_wh = vehicle.usable_capacity_wh if vehicle else None
        self._soc = soc_watch(capacity_wh) if capacity_wh else None
        self._sign = sign_watch(capacity_wh)

    @property
    def _vehicle(self) -> Any:  # noqa: ANN401 - a Vehicle, or None for a charger
        """The vehicle as the API sees it, None for a charger."""
        vehicles = self._entry.runtime_data.coordinator.data.vehicles
        return vehicles.get(self._mapping.get(CONF_VEHICLE_ID, ""))

    @callback
    def async_start(self) -> CALLBACK_TYPE:
        """Begin, with the old findings put away; returns the way to stop."""
        for kind in ("soc_stale", "power_sign_wrong"):
            self._show(kind, wrong=False)
        entities = [self._mapping[conf] for conf in _READERS if self._mapping.get(conf)]
        if not entities:
            return lambda: None
        unsubscribes: list[Callable[[], None]] = [
            async_track_state_change_event(self._hass, entities, self._changed),
            async_track_time_interval(self._hass, self._look, _LOOK_EVERY, cancel_on_shutdown=True),
        ]
        self._look(dt_util.utcnow())

        return together(unsubscribes)

    @callback
    def _changed(self, _event: Event[EventStateChangedData]) -> None:
        """Look when a sensor moved."""
        self._look(dt_util.utcnow())

    @callback
    def _look(self, now: datetime) -> None:
        """Hold the sensors against each other."""
        power_w = self._read(CONF_POWER_ENTITY)
        soc_pct = self._read(CONF_SOC_ENTITY)
        if self._soc is not None and self._mapping.get(CONF_SOC_ENTITY):
            vehicle = self._vehicle
            state = self._hass.states.get(self._mapping[CONF_SOC_ENTITY])
            stale = self._soc.is_stale(
                now,
                soc_pct=soc_pct,
                reported_at=state.last_reported if state else None,
                # The charger's meter, as the API knows it, speaks for a car without a sensor.
                power_w=power_w if power_w is not None else (vehicle and vehicle.power_w),
                plugged_in=self._read(CONF_PLUGGED_ENTITY),
            )
            self._show("soc_stale", wrong=stale)
        if self._mapping.get(CONF_POWER_ENTITY):
            wrong = self._sign.look(
                now,
                power_w=power_w,
                import_wh=self._read(CONF_IMPORT_ENTITY),
                export_wh=self._read(CONF_EXPORT_ENTITY),
                soc_pct=soc_pct,
            )
            self._show("power_sign_wrong", wrong=wrong)

    def _read(self, conf: str) -> Any:  # noqa: ANN401 - a number or a yes or no
        """Return what a mapped sensor says, None when it says nothing."""
        state = self._hass.states.get(self._mapping.get(conf) or "")
        return None if state is None else _READERS[conf](state, self._mapping)

    @callback
    def _show(self, kind: str, *, wrong: bool) -> None:
        """Raise a repair, or take it back."""
        issue_id = f"{kind}_{self._subentry.subentry_id}"
        if not wrong:
            ir.async_delete_issue(self._hass, DOMAIN, issue_id)
            return
        conf = CONF_SOC_ENTITY if kind == "soc_stale" else CONF_POWER_ENTITY
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            issue_id,
            data=fixed_by(
                self._entry,
                self._subentry,
                "choose_entities" if kind == "soc_stale" else "turn_sign",
            ),
            is_fixable=True,
            severity=ir.IssueSeverity.WARNING,
            translation_key=kind,
            translation_placeholders={
                "name": self._subentry.title,
                "entity_id": str(self._mapping[conf]),
            },
        )
