"""Conditions of our own: discharging is allowed, an offer is open."""

from typing import ClassVar, override

from homeassistant.const import STATE_ON
from homeassistant.core import HomeAssistant
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.condition import Condition, EntityStateConditionBase

from .ours import only_ours


class OurStateCondition(EntityStateConditionBase):
    """Holds while one of our own entities is on."""

    _states = {STATE_ON}  # noqa: RUF012 - as the base class declares it
    _translation_key: ClassVar[str]

    @override
    def entity_filter(self, entities: set[str]) -> set[str]:
        """Keep the entity that tells."""
        return only_ours(self._hass, super().entity_filter(entities), self._translation_key)


class DischargeAllowed(OurStateCondition):
    """The owner allows a vehicle to discharge."""

    _domain_specs = {"switch": DomainSpec()}  # noqa: RUF012 - as the base class declares it
    _translation_key = "discharge_allowed"


class OfferOpen(OurStateCondition):
    """An offer waits for an answer."""

    _domain_specs = {"binary_sensor": DomainSpec()}  # noqa: RUF012 - as the base class declares it
    _translation_key = "offer_open"


CONDITIONS: dict[str, type[Condition]] = {
    "discharge_allowed": DischargeAllowed,
    "offer_open": OfferOpen,
}


async def async_get_conditions(hass: HomeAssistant) -> dict[str, type[Condition]]:
    """Return our conditions."""
    return CONDITIONS
