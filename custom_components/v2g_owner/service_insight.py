"""Actions that only tell: one offer in full, what a rule would have done, the battery's health."""

from typing import Any, Final

from homeassistant.const import ATTR_DEVICE_ID
from homeassistant.core import ServiceCall
from homeassistant.exceptions import ServiceValidationError

from .api import Json
from .api_errors import OwnerApiAnswerError
from .battery_health import health_path
from .const import DOMAIN
from .coordinator import V2GCoordinator
from .decisions import find_offer
from .decode import BadAnswerError, decode
from .errors import translated_errors
from .judgement import money_lines, reason_code, ways_to_yes
from .models_deal import Offer
from .money import major, minor_digits
from .price import price_text
from .service_targets import account_of, vehicle_of

ATTR_OFFER_ID: Final = "offer_id"
ATTR_LAST: Final = "last"
ATTR_MIN_PRICE: Final = "min_price_per_kwh"
ATTR_MIN_NET: Final = "min_net"
ATTR_MIN_NET_PER_KWH: Final = "min_net_per_kwh"
ATTR_MAX_ENERGY_KWH: Final = "max_energy_kwh"
ATTR_PURPOSES: Final = "purposes"
ATTR_PARK_IDS: Final = "park_ids"
ATTR_WEEKDAYS: Final = "weekdays"
ATTR_FROM: Final = "from_time"
ATTR_TO: Final = "to_time"

_MIDNIGHT: Final = "00:00"


async def get_offer(call: ServiceCall) -> Json:
    """Return one offer as the API has it now, with why not, the nearest yes and the money."""
    coordinator, offer_id = _offer_meant(call)
    with translated_errors(coordinator):
        view = await coordinator.api.get(f"/v1/offers/{offer_id}")
        try:
            offer = decode(Offer, view)
        except BadAnswerError as error:
            raise OwnerApiAnswerError(str(error)) from error
    # An offer is judged in the owner's money, also where it pays in points.
    found, currency = offer.evaluation, coordinator.data.owner.currency
    net = found.net_minor if found else None
    return {
        "offer": view,
        "why_not": reason_code(found),
        "ways": ways_to_yes(found),
        "money": {
            **money_lines(found, currency),
            "net": None if net is None else major(net, currency),
            "currency": currency,
        },
    }


def _offer_meant(call: ServiceCall) -> tuple[V2GCoordinator, str]:
    """Return the offer named, else a vehicle's newest, else the only open one."""
    if (device_id := call.data.get(ATTR_DEVICE_ID)) is None:
        coordinator = account_of(call)
        named = call.data.get(ATTR_OFFER_ID)
        return coordinator, named or find_offer(coordinator, None).offer_id
    coordinator, vehicle_id = vehicle_of(call.hass, device_id)
    if (newest := coordinator.data.newest_offer(vehicle_id)) is None:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_offer_yet")
    return coordinator, newest.offer_id


async def preview_rule(call: ServiceCall) -> Json:
    """Return what a rule would have done with a vehicle's last offers."""
    coordinator, vehicle_id = vehicle_of(call.hass, call.data[ATTR_DEVICE_ID])
    currency = coordinator.data.owner.currency
    body: Json = {"rule": _rule(call.data, currency)}
    if ATTR_LAST in call.data:
        body["last"] = call.data[ATTR_LAST]
    with translated_errors(coordinator):
        answer = await coordinator.api.post(f"/v1/vehicles/{vehicle_id}/rule-preview", body)
    return {**answer, "currency": currency}


def _rule(given: Any, currency: str) -> Json:  # noqa: ANN401 - the fields of a call
    """Return the API's rule from the fields of a call: kWh and money become Wh and minor units."""
    rule: Json = {"name": "Preview"}
    for key in (ATTR_MIN_PRICE, ATTR_MIN_NET_PER_KWH):
        if key in given:
            rule[key] = price_text(given[key])
    for key in (ATTR_PURPOSES, ATTR_PARK_IDS, ATTR_WEEKDAYS):
        if key in given:
            rule[key] = given[key]
    if ATTR_MIN_NET in given:
        rule["min_net_minor"] = round(given[ATTR_MIN_NET] * 10 ** minor_digits(currency))
    if ATTR_MAX_ENERGY_KWH in given:
        rule["max_energy_wh"] = round(given[ATTR_MAX_ENERGY_KWH] * 1000)
    if ATTR_FROM in given or ATTR_TO in given:
        rule["between"] = {
            "start": _clock(given.get(ATTR_FROM)),
            "end": _clock(given.get(ATTR_TO)),
        }
    return rule


def _clock(moment: Any) -> str:  # noqa: ANN401 - a time of day or nothing
    """Return a time of day as the API takes it; midnight where none is given."""
    return _MIDNIGHT if moment is None else str(moment.strftime("%H:%M"))


async def get_battery_health(call: ServiceCall) -> Json:
    """Return what selling has cost a vehicle's battery, with numbers as numbers."""
    coordinator, vehicle_id = vehicle_of(call.hass, call.data[ATTR_DEVICE_ID])
    with translated_errors(coordinator):
        told = await coordinator.api.get(health_path(vehicle_id))
    currency = str(told.get("currency", coordinator.data.owner.currency))
    found = {key: _plain(key, value) for key, value in told.items()}
    for name in ("v2g_cost", "calendar_saved"):
        found[name] = major(int(told.get(f"{name}_minor", 0)), currency)
    return found


def _plain(key: str, value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a decimal string as a number."""
    return float(value) if key.endswith(("_pct", "efc")) else value
