"""What the actions about parks do: join one, leave it, say which car stands at its charger."""

from typing import Final

from homeassistant.const import ATTR_DEVICE_ID
from homeassistant.core import ServiceCall
from homeassistant.exceptions import ServiceValidationError

from .agreeing import async_agree, covered, in_force
from .api import Json
from .const import DOMAIN
from .errors import translated_errors
from .loosening import async_check_may_allow
from .pages import async_every_item
from .service_targets import account_of, vehicle_of

ATTR_PARK_ID: Final = "park_id"
ATTR_TERMS_VERSION: Final = "terms_version"
ATTR_EVSE_CODE: Final = "evse_code"


async def list_parks(call: ServiceCall) -> Json:
    """Return the parks one can join, with the terms to read first."""
    coordinator = account_of(call)
    with translated_errors(coordinator):
        return {"items": await async_every_item(coordinator.api, "/v1/parks")}


async def join_park(call: ServiceCall) -> Json:
    """Agree to a park's terms for some vehicles of one account, and for those that are with it.

    Each owner agrees for their own. With a park there is one agreement: a car that is not named
    has not left.
    """
    found = dict.fromkeys(vehicle_of(call.hass, each) for each in call.data[ATTR_DEVICE_ID])
    coordinator = next(iter(found))[0]
    elsewhere = [
        other.data.vehicles[vehicle_id].display_name
        for other, vehicle_id in found
        if other is not coordinator
    ]
    if elsewhere:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="several_accounts",
            translation_placeholders={
                "vehicles": ", ".join(elsewhere),
                "account": coordinator.config_entry.title,
            },
        )
    for _coordinator, vehicle_id in found:
        await async_check_may_allow(coordinator, vehicle_id, call.context)
    park_id, version = call.data[ATTR_PARK_ID], call.data[ATTR_TERMS_VERSION]
    before = in_force(coordinator, park_id)
    vehicle_ids = [] if before is None else covered(coordinator, before)
    vehicle_ids += [vehicle_id for _coordinator, vehicle_id in found]
    with translated_errors(coordinator):
        return await async_agree(coordinator, park_id, version, vehicle_ids, before)


async def leave_park(call: ServiceCall) -> Json:
    """Withdraw the agreements with a park; what runs under them ends."""
    coordinator, park_id = account_of(call), call.data[ATTR_PARK_ID]
    agreements = [
        agreement
        for agreement in coordinator.data.agreements.values()
        if agreement.park.park_id == park_id and agreement.state == "active"
    ]
    if not agreements:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="no_agreement",
            translation_placeholders={"park_id": park_id},
        )
    with translated_errors(coordinator):
        return {
            "agreements": [
                await coordinator.api.post(f"/v1/agreements/{each.agreement_id}/withdrawal", {})
                for each in agreements
            ]
        }


async def check_in(call: ServiceCall) -> Json:
    """Say which vehicle stands at a park's charger, by the code on the charger."""
    coordinator, vehicle_id = vehicle_of(call.hass, call.data[ATTR_DEVICE_ID])
    body = {"vehicle_id": vehicle_id, ATTR_EVSE_CODE: call.data[ATTR_EVSE_CODE]}
    if ATTR_PARK_ID in call.data:
        body[ATTR_PARK_ID] = call.data[ATTR_PARK_ID]
    with translated_errors(coordinator):
        return await coordinator.api.post("/v1/check-ins", body)
