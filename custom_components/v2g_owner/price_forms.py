"""The forms in which price sensors of other integrations tell the coming hours.

Nord Pool, Energi Data Service, EPEX Spot, ENTSO-e and their likes put a list of ``{start, value}``
into an attribute, each under names of its own. Only names known to hold prices are read: a list
of the three cheapest hours has the same form.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
import re
from typing import Any, Final

from homeassistant.core import State
from homeassistant.util import dt as dt_util

from .price_units import UnreadablePricesError, per_kwh

type Prices = dict[datetime, Decimal]

# What is settled comes before what is only expected: the first to name an hour has it.
_LISTS: Final = (
    "raw_today",
    "raw_tomorrow",
    "prices_today",
    "prices_tomorrow",
    "prices",
    "data",
    "rates",
    "forecast",
    "forecasts",
)
_STARTS: Final = (
    "start",
    "start_time",
    "start_at",
    "starts_at",
    "startsAt",
    "from",
    "hour",
    "time",
    "datetime",
    "timestamp",
)
_VALUES: Final = ("value", "price", "total", "price_per_kwh", "per_kwh", "value_inc_vat")
_UNIT_IN_NAME: Final = re.compile(r"price_([a-z]+)_per_([km]wh)")
# The API takes 800 entries; eight days of quarter hours are fewer.
_MOST: Final = 768
# The API lets its last price hold for an hour; a list that ended before says nothing of now.
LAST_HOLDS: Final = timedelta(hours=1)


def read_lists(attributes: Mapping[str, Any], unit: str | None, currency: str) -> Prices:
    """Return the prices (currency per kWh, by instant) that a sensor's attributes tell."""
    found: Prices = {}
    for name in _LISTS:
        items = attributes.get(name)
        if isinstance(items, list | tuple):
            for start_at, price in read_items(items, unit, currency).items():
                found.setdefault(start_at, price)
    return found


def read_items(items: Any, unit: str | None, currency: str) -> Prices:  # noqa: ANN401 - foreign
    """Return the prices of one list; items that tell no hour or no price are left out."""
    found: Prices = {}
    for item in items:
        if not isinstance(item, Mapping):
            continue
        start_at = next((at for key in _STARTS if (at := _instant(item.get(key)))), None)
        price = _price(item, unit, currency)
        if start_at is not None and price is not None:
            found.setdefault(start_at, price)
    return found


def read_state(state: State, currency: str, now: datetime) -> Prices:
    """Return the one price that a sensor shows, told anew for each hour in which it holds."""
    value = _number(state.state)
    if value is None:
        return {}
    hour = now.replace(minute=0, second=0, microsecond=0)
    return {hour: value * per_kwh(state.attributes.get("unit_of_measurement"), currency)}


def from_now(prices: Prices, now: datetime) -> Prices:
    """Return the price that holds now and the later ones, in time order; none when all is past."""
    ordered = sorted(prices)
    past = sum(at <= now for at in ordered)
    if past == len(ordered) and (not ordered or ordered[-1] + LAST_HOLDS <= now):
        return {}
    kept = ordered[max(0, past - 1) :][:_MOST]
    return {at: prices[at] for at in kept}


def _price(item: Mapping[str, Any], unit: str | None, currency: str) -> Decimal | None:
    """Return an item's price per kWh; a name that tells its unit beats the sensor's unit."""
    for key, told in item.items():
        if (named := _UNIT_IN_NAME.fullmatch(str(key))) and (value := _number(told)) is not None:
            return value * per_kwh(f"{named[1]}/{named[2]}", currency)
    value = next(
        (number for key in _VALUES if (number := _number(item.get(key))) is not None), None
    )
    return None if value is None else value * per_kwh(unit, currency)


def _instant(told: object) -> datetime | None:
    """Return an instant in UTC from a datetime or its text; local where it names no zone."""
    moment = told if isinstance(told, datetime) else dt_util.parse_datetime(str(told or ""))
    return None if moment is None else dt_util.as_utc(moment)


def _number(told: object) -> Decimal | None:
    """Return a finite number, None for anything else."""
    if isinstance(told, bool) or not isinstance(told, int | float | str | Decimal):
        return None
    try:
        value = Decimal(str(told))
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


__all__ = ["Prices", "UnreadablePricesError", "from_now", "read_items", "read_lists", "read_state"]
