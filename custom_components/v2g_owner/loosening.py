"""Whose word may let more be sold: that of somebody whose yes counts for the car.

What is tightened anybody may tighten, at once. What is loosened is half a yes: a rule or an
automation may do the rest.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import ServiceValidationError

from .actor import NOBODY_KNOWN, async_actor_of
from .const import DOMAIN
from .coordinator import V2GCoordinator
from .drivers import async_counts_for
from .models import Preferences

_MODES: Final = ("never", "ask", "rules")
_PERMISSIONS: Final = ("discharge_allowed", "allow_automations")
_LEAST: Final = (
    "soc_floor_pct",
    "soc_min_departure_pct",
    "min_price_per_kwh",
    "soc_margin_pct",
    "departure_buffer_s",
    "cooldown_s",
)
BUDGETS: Final = (
    "max_discharge_wh_per_event",
    "max_discharge_wh_per_day",
    "max_discharge_wh_per_week",
    "max_discharge_events_per_day",
)
_MOST: Final = (*BUDGETS, "soc_max_age_consent_s", "soc_max_age_discharge_s")
_NO_LIMIT: Final = float("inf")


def loosens(known: Preferences, changes: Mapping[str, Any]) -> bool:
    """Tell whether changed preferences let more be sold, or with less of a yes."""
    return (
        any(changes[key] and not getattr(known, key) for key in _PERMISSIONS if key in changes)
        or _rank(changes.get("consent_mode", known.consent_mode)) > _rank(known.consent_mode)
        or any(
            _floor(changes[key]) < _floor(getattr(known, key)) for key in _LEAST if key in changes
        )
        or any(
            _budget(changes[key]) > _budget(getattr(known, key)) for key in _MOST if key in changes
        )
    )


def _rank(mode: str) -> int:
    """Return how much a way to answer lets through: nothing, what a person says, rules as well."""
    return _MODES.index(mode) if mode in _MODES else len(_MODES)


def _floor(value: float | str | None) -> float:
    """Return a least value as a number; none is no limit."""
    return -_NO_LIMIT if value is None else float(value)


def _budget(value: float | None) -> float:
    """Return a most value as a number; none is no limit."""
    return _NO_LIMIT if value is None else value


async def async_as_allowed(
    coordinator: V2GCoordinator, vehicle_id: str, changes: Mapping[str, Any], context: Context
) -> Callable[[], Mapping[str, Any]]:
    """Return changes to be written, which fail where they loosen what somebody has no say in.

    Judged at their turn: a change that waits for another one is held against what that has left.
    """
    lets_automations = bool(changes.get("allow_automations"))
    refused = await _async_refusal(coordinator, vehicle_id, context, person_alone=lets_automations)

    def at_their_turn() -> Mapping[str, Any]:
        if refused is not None and loosens(coordinator.data.preferences[vehicle_id], changes):
            raise refused
        return changes

    return at_their_turn


async def async_check_may_allow(
    coordinator: V2GCoordinator, vehicle_id: str, context: Context
) -> None:
    """Raise a translated error unless whoever acts may let more of a car be sold."""
    if (refused := await _async_refusal(coordinator, vehicle_id, context)) is not None:
        raise refused


async def _async_refusal(
    coordinator: V2GCoordinator, vehicle_id: str, context: Context, *, person_alone: bool = False
) -> ServiceValidationError | None:
    """Return a translated error where somebody may not let more be sold, None where they may."""
    reason = await _async_reason(coordinator, vehicle_id, context, person_alone=person_alone)
    if reason is None:
        return None
    vehicle = coordinator.data.vehicles.get(vehicle_id)
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=reason,
        translation_placeholders={"vehicle": vehicle.display_name if vehicle else ""},
    )


async def _async_reason(
    coordinator: V2GCoordinator, vehicle_id: str, context: Context, *, person_alone: bool
) -> str | None:
    """Return why somebody may not, None where they may.

    An automation is the owner's own writing and may, except where a person alone may: it does not
    give itself leave to answer. What comes without a person and from no automation may not: a voice
    that nobody knows, or an add-on and the cloud, which have users that Home Assistant made.
    """
    hass: HomeAssistant = coordinator.hass
    actor = await async_actor_of(hass, context)
    if not actor.asked_back:
        return "model_allows_nothing"
    if (user := actor.who.get("user")) is not None:
        counts = await async_counts_for(coordinator, vehicle_id, user)
        return None if counts else "not_yours_to_allow"
    if person_alone:
        return "only_a_person_allows"
    made_user = context.user_id is not None
    unknown = made_user or actor.who["automation"] == NOBODY_KNOWN
    return "not_yours_to_allow" if unknown and context.parent_id is None else None
