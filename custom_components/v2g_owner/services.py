"""The actions: answer an offer, stop, set leave times, join a park, and ask what is behind it."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from homeassistant.const import ATTR_DEVICE_ID
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.helpers import config_validation as cv
import probatio

from .api import Json
from .const import DOMAIN, PURPOSES, WEEKDAYS
from .looser import BUDGETS, COSTS
from .service_account import ATTR_MONTH, get_statement, list_devices
from .service_export import ATTR_FILENAME, export_account
from .service_handlers import (
    ATTR_CLEAR,
    ATTR_COMMITMENT_ID,
    ATTR_DEPARTURE_AT,
    ATTR_ENERGY_KWH,
    ATTR_LANGUAGE,
    ATTR_LIMITS,
    ATTR_OFFER_ID,
    ATTR_PRICE,
    ATTR_QUOTED_WH,
    ATTR_REASON,
    ATTR_REVISION,
    ATTR_SOC_MIN,
    ATTR_START_AT,
    accept,
    clear_limits,
    counter,
    decline,
    list_offers,
    set_leave_times,
    stop_discharging,
)
from .service_insight import (
    ATTR_FROM,
    ATTR_LAST,
    ATTR_MAX_ENERGY_KWH,
    ATTR_MIN_NET,
    ATTR_MIN_NET_PER_KWH,
    ATTR_MIN_PRICE,
    ATTR_PARK_IDS,
    ATTR_PURPOSES,
    ATTR_TO,
    ATTR_WEEKDAYS,
    get_battery_health,
    get_offer,
    preview_rule,
)
from .service_parks import (
    ATTR_EVSE_CODE,
    ATTR_PARK_ID,
    ATTR_TERMS_VERSION,
    check_in,
    join_park,
    leave_park,
    list_parks,
)
from .service_receipts import ATTR_NEWEST, get_receipts
from .service_settlements import (
    ATTR_EVIDENCE,
    ATTR_EXPORT_KWH,
    ATTR_MEASURED_AT,
    ATTR_SETTLEMENT_ID,
    confirm_settlement,
    dispute_settlement,
    get_settlement,
)
from .service_targets import ATTR_CONFIG_ENTRY
from .trust_receipts import MOST_RECEIPTS

type Fields = dict[Any, Any]
type Handler = Callable[[ServiceCall], Coroutine[Any, Any, Json]]

_ENTRY: Final[Fields] = {probatio.Optional(ATTR_CONFIG_ENTRY): cv.string}
_OFFER: Final[Fields] = {
    **_ENTRY,
    probatio.Optional(ATTR_OFFER_ID): cv.string,
    probatio.Optional(ATTR_REVISION): cv.positive_int,
}
_SETTLEMENT: Final[Fields] = {**_ENTRY, probatio.Optional(ATTR_SETTLEMENT_ID): cv.string}
_DEVICE: Final[Fields] = {probatio.Required(ATTR_DEVICE_ID): cv.string}
_DEVICES: Final[Fields] = {
    probatio.Required(ATTR_DEVICE_ID): probatio.All(
        cv.ensure_list, probatio.Length(min=1), [cv.string]
    )
}
_PERCENT: Final = probatio.All(probatio.Coerce(float), probatio.Range(min=0, max=100))
# More than any energy or price. A range without an end lets infinity through, which no API takes.
_MOST: Final = 1e9
_NUMBER: Final = probatio.All(probatio.Coerce(float), probatio.Range(min=-_MOST, max=_MOST))
_POSITIVE: Final = probatio.All(probatio.Coerce(float), probatio.Range(min=0, max=_MOST))
_TEXTS: Final = probatio.All(cv.ensure_list, [cv.string])


def _some_of(options: tuple[str, ...]) -> object:
    """Take one or several of some options."""
    return probatio.All(cv.ensure_list, [probatio.In(options)])


ACTIONS: Final[dict[str, tuple[Handler, Fields, SupportsResponse]]] = {
    "accept_offer": (
        accept,
        {
            **_OFFER,
            probatio.Optional(ATTR_QUOTED_WH): cv.positive_int,
            probatio.Optional(ATTR_DEPARTURE_AT): cv.datetime,
        },
        SupportsResponse.OPTIONAL,
    ),
    "decline_offer": (
        decline,
        {**_OFFER, probatio.Optional(ATTR_REASON): cv.string},
        SupportsResponse.OPTIONAL,
    ),
    "counter_offer": (
        counter,
        {
            **_OFFER,
            probatio.Optional(ATTR_ENERGY_KWH): _POSITIVE,
            probatio.Optional(ATTR_PRICE): _POSITIVE,
            probatio.Optional(ATTR_START_AT): cv.datetime,
            probatio.Optional(ATTR_DEPARTURE_AT): cv.datetime,
        },
        SupportsResponse.OPTIONAL,
    ),
    "stop": (
        stop_discharging,
        {
            **_ENTRY,
            probatio.Optional(ATTR_COMMITMENT_ID): cv.string,
            probatio.Optional(ATTR_DEVICE_ID): probatio.All(cv.ensure_list, [cv.string]),
        },
        SupportsResponse.OPTIONAL,
    ),
    "list_offers": (
        list_offers,
        {**_ENTRY, probatio.Optional(ATTR_LANGUAGE): cv.string},
        SupportsResponse.ONLY,
    ),
    "get_offer": (
        get_offer,
        {
            **_ENTRY,
            probatio.Optional(ATTR_OFFER_ID): cv.string,
            probatio.Optional(ATTR_DEVICE_ID): cv.string,
        },
        SupportsResponse.ONLY,
    ),
    "preview_rule": (
        preview_rule,
        {
            **_DEVICE,
            probatio.Optional(ATTR_MIN_PRICE): _NUMBER,
            probatio.Optional(ATTR_MIN_NET): _NUMBER,
            probatio.Optional(ATTR_MIN_NET_PER_KWH): _NUMBER,
            probatio.Optional(ATTR_MAX_ENERGY_KWH): _POSITIVE,
            probatio.Optional(ATTR_PURPOSES): _some_of(PURPOSES),
            probatio.Optional(ATTR_PARK_IDS): _TEXTS,
            probatio.Optional(ATTR_WEEKDAYS): _some_of(WEEKDAYS),
            probatio.Optional(ATTR_FROM): cv.time,
            probatio.Optional(ATTR_TO): cv.time,
            probatio.Optional(ATTR_LAST): probatio.All(
                probatio.Coerce(int), probatio.Range(min=1, max=200)
            ),
        },
        SupportsResponse.ONLY,
    ),
    "get_battery_health": (get_battery_health, _DEVICE, SupportsResponse.ONLY),
    "get_receipts": (
        get_receipts,
        {
            **_ENTRY,
            probatio.Optional(ATTR_NEWEST, default=200): probatio.All(
                probatio.Coerce(int), probatio.Range(min=1, max=MOST_RECEIPTS)
            ),
        },
        SupportsResponse.ONLY,
    ),
    "get_statement": (
        get_statement,
        {
            **_ENTRY,
            probatio.Optional(ATTR_MONTH): probatio.All(
                cv.string, probatio.Match(r"20\d\d-(?:0[1-9]|1[0-2])\Z")
            ),
        },
        SupportsResponse.ONLY,
    ),
    "export_account": (
        export_account,
        {**_ENTRY, probatio.Required(ATTR_FILENAME): probatio.All(cv.string, cv.path)},
        SupportsResponse.OPTIONAL,
    ),
    "get_settlement": (get_settlement, _SETTLEMENT, SupportsResponse.ONLY),
    "dispute_settlement": (
        dispute_settlement,
        {
            **_SETTLEMENT,
            probatio.Required(ATTR_REASON): probatio.All(cv.string, probatio.Length(1, 500)),
            probatio.Optional(ATTR_EVIDENCE): probatio.All(
                cv.ensure_list,
                probatio.Length(max=50),
                [
                    {
                        probatio.Required(ATTR_MEASURED_AT): cv.datetime,
                        probatio.Required(ATTR_EXPORT_KWH): _POSITIVE,
                    }
                ],
            ),
        },
        SupportsResponse.OPTIONAL,
    ),
    "confirm_settlement": (confirm_settlement, _SETTLEMENT, SupportsResponse.OPTIONAL),
    "set_leave_times": (
        set_leave_times,
        {
            **_DEVICE,
            **{probatio.Optional(day): cv.time for day in WEEKDAYS},
            probatio.Optional(ATTR_DEPARTURE_AT): cv.datetime,
            probatio.Optional(ATTR_SOC_MIN): _PERCENT,
            probatio.Optional(ATTR_CLEAR): probatio.All(
                cv.ensure_list, [probatio.In(["once", *WEEKDAYS])]
            ),
        },
        SupportsResponse.OPTIONAL,
    ),
    "clear_limits": (
        clear_limits,
        {
            **_DEVICE,
            probatio.Required(ATTR_LIMITS): probatio.All(
                cv.ensure_list, probatio.Length(min=1), [probatio.In((*BUDGETS, *COSTS))]
            ),
        },
        SupportsResponse.OPTIONAL,
    ),
    "list_devices": (list_devices, _ENTRY, SupportsResponse.ONLY),
    "list_parks": (list_parks, _ENTRY, SupportsResponse.ONLY),
    "join_park": (
        join_park,
        {
            **_DEVICES,
            probatio.Required(ATTR_PARK_ID): cv.string,
            probatio.Required(ATTR_TERMS_VERSION): cv.positive_int,
        },
        SupportsResponse.OPTIONAL,
    ),
    "leave_park": (
        leave_park,
        {**_ENTRY, probatio.Required(ATTR_PARK_ID): cv.string},
        SupportsResponse.OPTIONAL,
    ),
    "check_in": (
        check_in,
        {
            **_DEVICE,
            probatio.Required(ATTR_EVSE_CODE): cv.string,
            probatio.Optional(ATTR_PARK_ID): cv.string,
        },
        SupportsResponse.OPTIONAL,
    ),
}


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register every action."""
    for name, (handler, fields, response) in ACTIONS.items():
        hass.services.async_register(
            DOMAIN,
            name,
            _answering(handler),
            schema=probatio.Schema(fields),
            supports_response=response,
        )


def _answering(handler: Handler) -> Callable[[ServiceCall], Coroutine[Any, Any, ServiceResponse]]:
    """Return the handler in the shape that Home Assistant registers."""

    async def handle(call: ServiceCall) -> ServiceResponse:
        answer: ServiceResponse = await handler(call)
        return answer if call.return_response else None

    return handle
