"""What the actions about offers and a car do; names and fields are in ``services``."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from homeassistant.const import ATTR_DEVICE_ID
from homeassistant.core import ServiceCall
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util import dt as dt_util

from .actor import async_actor_of
from .api import Json
from .const import DOMAIN, WEEKDAYS
from .coordinator import V2GCoordinator
from .decisions import (
    async_stop_everywhere,
    async_tell_stops,
    decide,
    find_offer,
    require_counter,
    stop_not_told,
)
from .drivers import async_asked_phones
from .errors import translated_errors
from .executors import async_stop_at_home
from .instants import utc_text
from .loosening import async_as_allowed, async_check_may_allow
from .models import Vehicle
from .models_deal import Offer
from .moments import async_moments
from .money import in_words, major
from .price import price_text
from .quiet_spans import quiet_until
from .service_targets import (
    ATTR_CONFIG_ENTRY,
    account_of,
    our_ids,
    readable,
    vehicle_of,
)

ATTR_OFFER_ID: Final = "offer_id"
ATTR_REVISION: Final = "revision"
ATTR_QUOTED_WH: Final = "quoted_energy_wh"
ATTR_ENERGY_KWH: Final = "energy_kwh"
ATTR_PRICE: Final = "price_per_kwh"
ATTR_START_AT: Final = "start_at"
ATTR_DEPARTURE_AT: Final = "departure_at"
ATTR_SOC_MIN: Final = "soc_min_departure_pct"
ATTR_REASON: Final = "reason"
ATTR_COMMITMENT_ID: Final = "commitment_id"
ATTR_CLEAR: Final = "clear"
ATTR_LIMITS: Final = "limits"
ATTR_LANGUAGE: Final = "language"


async def accept(call: ServiceCall) -> Json:
    """Accept an offer as it stands; a leave time may be named with it."""
    return await _decide(call, "accept", {ATTR_DEPARTURE_AT: call.data.get(ATTR_DEPARTURE_AT)})


async def decline(call: ServiceCall) -> Json:
    """Decline an offer."""
    return await _decide(call, "decline", {ATTR_REASON: call.data.get(ATTR_REASON)})


async def counter(call: ServiceCall) -> Json:
    """Ask for other terms: the ones given, else the best that the API computes."""
    energy, price = call.data.get(ATTR_ENERGY_KWH), call.data.get(ATTR_PRICE)
    terms = {
        "energy_wh": None if energy is None else round(energy * 1000),
        ATTR_PRICE: None if price is None else price_text(price),
        ATTR_START_AT: call.data.get(ATTR_START_AT),
        ATTR_DEPARTURE_AT: call.data.get(ATTR_DEPARTURE_AT),
    }
    return await _decide(call, "counter", terms)


async def _decide(call: ServiceCall, decision: str, terms: Json) -> Json:
    """Send a decision on the offer meant."""
    coordinator = account_of(call)
    offer = find_offer(coordinator, call.data.get(ATTR_OFFER_ID))
    given = {key: value for key, value in terms.items() if value is not None}
    if decision == "counter" and not given:
        require_counter(offer)
    return await decide(
        coordinator,
        offer,
        decision,
        await async_actor_of(call.hass, call.context, offer.offer_id),
        terms=given,
        revision=call.data.get(ATTR_REVISION),
        quoted_wh=call.data.get(ATTR_QUOTED_WH),
    )


async def stop_discharging(call: ServiceCall) -> Json:
    """Stop one commitment, some vehicles, or everything: at home before any account is asked."""
    hass, devices = call.hass, call.data.get(ATTR_DEVICE_ID)
    what = {key: call.data[key] for key in (ATTR_COMMITMENT_ID,) if key in call.data}
    if not devices and ATTR_CONFIG_ENTRY not in call.data:
        actor = await async_actor_of(hass, call.context)
        return {"stops": await async_stop_everywhere(hass, actor, what)}
    if not devices:
        await async_stop_at_home(hass, [what], call.data[ATTR_CONFIG_ENTRY])
        actor = await async_actor_of(hass, call.context)
        try:
            account = account_of(call)
        except ServiceValidationError as error:
            raise _of_unloaded(error) from error
        return {"stops": await async_tell_stops(actor, [(account, what)])}
    ours = {each for device_id in devices for each in our_ids(hass, device_id)}
    await async_stop_at_home(hass, [{"vehicle_id": each} for each in ours])
    stops: list[tuple[V2GCoordinator, dict[str, str]]] = []
    failed: HomeAssistantError | None = None
    for device_id in devices:
        try:
            coordinator, vehicle_id = vehicle_of(hass, device_id)
        except ServiceValidationError as error:
            failed = _of_unloaded(error)
        else:
            stops.append((coordinator, {"vehicle_id": vehicle_id}))
    told = await async_tell_stops(await async_actor_of(hass, call.context), stops)
    if failed is not None:
        raise failed
    return {"stops": told}


def _of_unloaded(error: ServiceValidationError) -> HomeAssistantError:
    """Return why a stop reached no account: where it is not connected, that home has stopped."""
    unloaded = error.translation_key in {"service_config_entry_not_loaded", "cannot_connect"}
    return stop_not_told() if unloaded else error


async def list_offers(call: ServiceCall) -> Json:
    """Return the open offers with their evaluation and the phones to ask, and what ended lately."""
    account = account_of(call)
    language = call.data.get(ATTR_LANGUAGE) or call.hass.config.language
    moments = await async_moments(call.hass, language)
    vehicles, now = account.data.vehicles, dt_util.utcnow()
    return {
        "offers": [
            {
                **readable(asdict(offer)),
                "vehicle_name": _name_of(vehicles.get(offer.vehicle_id or "")),
                "when": moments.window(offer.terms.start_at, offer.terms.end_at),
                **_net_of(offer, account.data.owner.currency),
                "asked_phones": await async_asked_phones(account, offer.vehicle_id),
                "quiet_until": readable(quiet_until(account.data, offer.vehicle_id, now)),
            }
            for offer in account.data.open_offers
        ],
        "vehicle_count": len(vehicles),
        "recently_ended": account.data.recently_ended(now),
    }


def _net_of(offer: Offer, currency: str) -> Json:
    """Return what an offer leaves of the owner's own money, which it need not pay in."""
    net = offer.evaluation.net_minor if offer.evaluation else None
    return {
        "net": None if net is None else major(net, currency),
        "net_currency": currency,
        "net_in_words": None if net is None else in_words(net, currency),
    }


def _name_of(vehicle: Vehicle | None) -> str:
    """Return what the owner calls a car, nothing for one that is not known."""
    return vehicle.display_name if vehicle else ""


async def set_leave_times(call: ServiceCall) -> Json:
    """Set or clear leave times of one vehicle."""
    coordinator, vehicle_id = vehicle_of(call.hass, call.data[ATTR_DEVICE_ID])
    changes = _leave_changes(call.data)
    usual = coordinator.data.preferences[vehicle_id].soc_min_departure_pct
    if call.data.get(ATTR_SOC_MIN, usual) < usual:
        # Whoever drives says when; that less will do is for those who say yes.
        await async_check_may_allow(coordinator, vehicle_id, call.context)
    with translated_errors(coordinator, "departures"):
        await coordinator.async_write("departures", vehicle_id, changes)
    return {"departures": readable(asdict(coordinator.data.departures[vehicle_id]))}


def _leave_changes(given: Mapping[str, Any]) -> Json:
    """Return what to change: first what is cleared, then what is set; raises when it is nothing."""
    cleared = given.get(ATTR_CLEAR, [])
    weekly: Json = {day: None for day in WEEKDAYS if day in cleared}
    weekly |= {day: given[day].strftime("%H:%M") for day in WEEKDAYS if day in given}
    changes: Json = {"weekly": weekly} if weekly else {}
    if ATTR_DEPARTURE_AT in given:
        changes["one_off"] = {"departure_at": utc_text(given[ATTR_DEPARTURE_AT])}
        if ATTR_SOC_MIN in given or "once" in cleared:
            # What is cleared asks for nothing any more; a time alone keeps what the one before did.
            changes["one_off"][ATTR_SOC_MIN] = given.get(ATTR_SOC_MIN)
    elif ATTR_SOC_MIN in given:
        # The API keeps a guarantee with its leave time only; dropped, it would be believed in.
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="guarantee_without_time"
        )
    elif "once" in cleared:
        changes["one_off"] = None
    if not changes:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="nothing_to_change")
    return changes


async def clear_limits(call: ServiceCall) -> Json:
    """Remove limits and costs of one vehicle, which a number entity cannot."""
    coordinator, vehicle_id = vehicle_of(call.hass, call.data[ATTR_DEVICE_ID])
    removed = dict.fromkeys(call.data[ATTR_LIMITS])
    changes = await async_as_allowed(coordinator, vehicle_id, removed, call.context)
    with translated_errors(coordinator, "preferences"):
        await coordinator.async_write("preferences", vehicle_id, changes)
    return {"preferences": readable(asdict(coordinator.data.preferences[vehicle_id]))}
