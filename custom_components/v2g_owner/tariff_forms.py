"""The forms in which an owner says what charging costs."""

from typing import Any, Final

from homeassistant.helpers.selector import (
    EntitySelector,
    EntitySelectorConfig,
    EntityWithDeviceFilterSelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    ObjectSelector,
    ObjectSelectorConfig,
    ObjectSelectorField,
    TimeSelector,
)
import probatio

from .const import CONF_PRICE_ENTITY
from .models import Tariff
from .price import price_text

CONF_PRICE: Final = "price"
CONF_BANDS: Final = "bands"
CONF_START: Final = "start"

PRICE_ENTITY: Final = EntitySelector(
    EntitySelectorConfig(
        filter=[
            EntityWithDeviceFilterSelectorConfig(domain=domain)
            for domain in ("sensor", "number", "input_number")
        ]
    )
)
PRICE_ENTITY_FORM: Final = probatio.Schema({probatio.Required(CONF_PRICE_ENTITY): PRICE_ENTITY})


def _price(currency: str) -> NumberSelector:
    """Ask for a price; below zero the grid pays for what is taken."""
    return NumberSelector(
        NumberSelectorConfig(
            min=-10_000,
            max=10_000,
            step="any",
            unit_of_measurement=f"{currency}/kWh",
            mode=NumberSelectorMode.BOX,
        )
    )


def fixed_form(currency: str) -> probatio.Schema:
    """Ask for one price that always holds."""
    return probatio.Schema({probatio.Required(CONF_PRICE): _price(currency)})


def table_form(currency: str) -> probatio.Schema:
    """Ask for prices by the time of day."""
    fields = {
        CONF_START: ObjectSelectorField(required=True, selector=TimeSelector()),
        # Into one that is required Home Assistant fills the lowest that can be typed.
        CONF_PRICE: ObjectSelectorField(required=False, selector=_price(currency)),
    }
    table = ObjectSelector(
        ObjectSelectorConfig(
            fields=fields,
            multiple=True,
            label_field=CONF_START,
            description_field=CONF_PRICE,
            translation_key="tariff",
        )
    )
    return probatio.Schema({probatio.Required(CONF_BANDS): table})


def fixed_values(tariff: Tariff) -> dict[str, Any]:
    """Return the form's value: the price that always holds now, or the dearest of a day.

    Left empty, Home Assistant would fill in the lowest that can be typed.
    """
    prices = [float(band.price_per_kwh) for band in tariff.bands]
    return {CONF_PRICE: max(prices)} if prices else {}


def table_values(tariff: Tariff) -> dict[str, Any]:
    """Return the form's rows from what the API knows."""
    return {
        CONF_BANDS: [
            {CONF_START: f"{band.start}:00", CONF_PRICE: float(band.price_per_kwh)}
            for band in tariff.bands
        ]
    }


def fixed_bands(form: dict[str, Any]) -> list[dict[str, str]]:
    """Return one band for the whole day."""
    return [{"start": "00:00", "price_per_kwh": price_text(form[CONF_PRICE])}]


def table_bands(form: dict[str, Any]) -> list[dict[str, str]]:
    """Return the rows as the API's bands, by the clock; of two for one time both are kept.

    A row that names no price has an empty one.
    """
    rows = form[CONF_BANDS]
    bands = [
        {
            "start": str(row[CONF_START])[:5],
            "price_per_kwh": price_text(row[CONF_PRICE]) if CONF_PRICE in row else "",
        }
        for row in (rows if isinstance(rows, list) else [rows])
    ]
    return sorted(bands, key=lambda band: band["start"])
