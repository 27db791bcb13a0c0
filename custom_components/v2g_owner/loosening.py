"""Whose word may let more be sold: that of somebody whose yes counts for the car.

What is tightened anybody may tighten, at once. What is loosened is half a yes: a rule or an
automation may do the rest.
"""

from collections.abc import Callable, Mapping
from typing import Any

from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import ServiceValidationError

from .actor import NOBODY_KNOWN, async_actor_of, who_fills_in
from .const import DOMAIN
from .coordinator import Changes, V2GCoordinator
from .drivers import async_counts_for
from .looser import facts_loosen, loosens


async def async_as_allowed(
    coordinator: V2GCoordinator, vehicle_id: str, changes: Changes, context: Context
) -> Callable[[], Mapping[str, Any]]:
    """Return changes to be written, which fail where they loosen what somebody has no say in.

    Judged at their turn: a change that waits for another one is held against what that has left.
    """
    lets_automations = not callable(changes) and bool(changes.get("allow_automations"))
    refused = await _async_refusal(coordinator, vehicle_id, context, person_alone=lets_automations)

    def at_their_turn() -> Mapping[str, Any]:
        now = changes() if callable(changes) else changes
        if refused is not None and loosens(coordinator.data.preferences[vehicle_id], now):
            raise refused
        return now

    return at_their_turn


async def async_check_may_allow(
    coordinator: V2GCoordinator, vehicle_id: str, context: Context
) -> None:
    """Raise a translated error unless whoever acts may let more of a car be sold."""
    if (refused := await _async_refusal(coordinator, vehicle_id, context)) is not None:
        raise refused


async def async_check_may_allow_all(coordinator: V2GCoordinator) -> None:
    """Raise a translated error unless who fills in a form may let more of every car be sold."""
    for vehicle_id in coordinator.data.vehicles:
        await async_check_may_allow(coordinator, vehicle_id, who_fills_in())


async def async_write_as_filled_in(
    coordinator: V2GCoordinator, vehicle_id: str, changes: Changes
) -> None:
    """Change preferences by a form; it fails where it loosens what that person has no say in."""
    allowed = await async_as_allowed(coordinator, vehicle_id, changes, who_fills_in())
    await coordinator.async_write("preferences", vehicle_id, allowed)


async def async_check_facts(
    coordinator: V2GCoordinator, vehicle_id: str, facts: Mapping[str, Any]
) -> None:
    """Raise a translated error where a form's facts let more be sold, and not by their word."""
    if facts_loosen(coordinator.data.vehicles[vehicle_id], facts):
        await async_check_may_allow(coordinator, vehicle_id, who_fills_in())


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
