"""The forms for vehicles and chargers."""

from typing import Any, Final

from homeassistant.helpers.selector import (
    EntitySelector,
    EntitySelectorConfig,
    EntityWithDeviceFilterSelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)
import probatio

from .const import (
    CONF_CALENDAR_ENTITY,
    CONF_CONNECTED_ENTITY,
    CONF_EXPORT_ENTITY,
    CONF_IMPORT_ENTITY,
    CONF_ONLINE_ENTITY,
    CONF_PLUGGED_ENTITY,
    CONF_POWER_ENTITY,
    CONF_POWER_SIGN,
    CONF_SOC_ENTITY,
    CONF_TEMPERATURE_ENTITY,
    POWER_SIGN_CHARGING_POSITIVE,
    POWER_SIGN_DISCHARGING_POSITIVE,
)
from .price import price_text

CONF_LINK: Final = "link"
LINK_NEW: Final = "new"
CONF_DISPLAY_NAME: Final = "display_name"
CONF_CAPACITY_KWH: Final = "capacity_kwh"
CONF_MAX_CHARGE_KW: Final = "max_charge_kw"
CONF_MAX_DISCHARGE_KW: Final = "max_discharge_kw"
CONF_CHEMISTRY: Final = "chemistry"
CONF_WARRANTY: Final = "warranty_discharge_policy"
CONF_WARRANTY_TOTAL_KWH: Final = "warranty_total_kwh"
CONF_PACK_PRICE: Final = "pack_price"
CONF_EVSE_ID: Final = "evse_id"
CONF_CHARGE_EFFICIENCY: Final = "charge_efficiency"
CONF_DISCHARGE_EFFICIENCY: Final = "discharge_efficiency"

CHEMISTRIES: Final = ("unknown", "lfp", "nmc")
WARRANTY_CAPPED: Final = "capped"
WARRANTY_POLICIES: Final = ("unknown", "allowed", WARRANTY_CAPPED, "prohibited")
_LEAST_CAPACITY_KWH: Final = 1
_EFFICIENCIES: Final = (CONF_CHARGE_EFFICIENCY, CONF_DISCHARGE_EFFICIENCY)
POWER_SIGNS: Final = (POWER_SIGN_CHARGING_POSITIVE, POWER_SIGN_DISCHARGING_POSITIVE)


def entity_field(domain: str | list[str], device_class: str | None = None) -> EntitySelector:
    """Offer entities of one or several kinds."""
    kind = EntityWithDeviceFilterSelectorConfig(domain=domain)
    if device_class:
        kind["device_class"] = device_class
    return EntitySelector(EntitySelectorConfig(filter=[kind]))


def number_field(low: float, high: float, step: float, unit: str) -> NumberSelector:
    """Ask for a number in a unit."""
    return NumberSelector(
        NumberSelectorConfig(
            min=low,
            max=high,
            step=step,
            unit_of_measurement=unit,
            mode=NumberSelectorMode.BOX,
        )
    )


def choice_field(options: tuple[str, ...], translation_key: str) -> SelectSelector:
    """Offer translated options."""
    return SelectSelector(
        SelectSelectorConfig(
            options=list(options),
            translation_key=translation_key,
            mode=SelectSelectorMode.DROPDOWN,
        )
    )


def link_schema(unlinked: dict[str, str]) -> probatio.Schema:
    """Ask which of the API's unlinked devices (id to name) is meant, or a new one."""
    options = [SelectOptionDict(value=key, label=name) for key, name in unlinked.items()]
    return probatio.Schema(
        {
            probatio.Required(CONF_LINK, default=LINK_NEW): SelectSelector(
                SelectSelectorConfig(
                    options=[SelectOptionDict(value=LINK_NEW, label=LINK_NEW), *options],
                    translation_key="link",
                    mode=SelectSelectorMode.LIST,
                )
            )
        }
    )


VEHICLE_FACTS: Final = probatio.Schema(
    {
        probatio.Required(CONF_DISPLAY_NAME): TextSelector(),
        # Home Assistant fills in the least: one that cannot be must not pass for a small battery.
        probatio.Required(CONF_CAPACITY_KWH): number_field(0, 2000, 0.1, "kWh"),
        probatio.Required(CONF_MAX_CHARGE_KW, default=11): number_field(0, 1000, 0.1, "kW"),
        probatio.Required(CONF_MAX_DISCHARGE_KW, default=10): number_field(0, 1000, 0.1, "kW"),
        probatio.Required(CONF_CHEMISTRY, default="unknown"): choice_field(
            CHEMISTRIES, "chemistry"
        ),
        # Its currency is the account's, which a form that is made before any account cannot name.
        probatio.Optional(CONF_PACK_PRICE): NumberSelector(
            NumberSelectorConfig(min=0, max=100_000, step="any", mode=NumberSelectorMode.BOX)
        ),
        probatio.Required(CONF_WARRANTY, default="unknown"): choice_field(
            WARRANTY_POLICIES, "warranty"
        ),
        probatio.Optional(CONF_WARRANTY_TOTAL_KWH): number_field(1, 1_000_000, 0.1, "kWh"),
    }
)
# Few know it of a new car. Left empty, what the agent counts with stays.
VEHICLE_KNOWN_FACTS: Final = VEHICLE_FACTS.extend(
    {probatio.Optional(key): number_field(50, 100, 0.1, "%") for key in _EFFICIENCIES}
)
VEHICLE_ENTITIES: Final = probatio.Schema(
    {
        probatio.Required(CONF_SOC_ENTITY): entity_field("sensor", "battery"),
        probatio.Required(CONF_PLUGGED_ENTITY): entity_field("binary_sensor"),
        probatio.Optional(CONF_POWER_ENTITY): entity_field("sensor", "power"),
        probatio.Required(CONF_POWER_SIGN, default=POWER_SIGN_CHARGING_POSITIVE): choice_field(
            POWER_SIGNS, "power_sign"
        ),
        probatio.Optional(CONF_IMPORT_ENTITY): entity_field("sensor", "energy"),
        probatio.Optional(CONF_EXPORT_ENTITY): entity_field("sensor", "energy"),
        probatio.Optional(CONF_TEMPERATURE_ENTITY): entity_field("sensor", "temperature"),
        probatio.Optional(CONF_CALENDAR_ENTITY): entity_field("calendar"),
    }
)
CHARGER_FACTS: Final = probatio.Schema(
    {
        probatio.Required(CONF_DISPLAY_NAME): TextSelector(),
        probatio.Optional(CONF_EVSE_ID): TextSelector(),
        probatio.Required(CONF_MAX_CHARGE_KW, default=11): number_field(0, 1000, 0.1, "kW"),
        probatio.Required(CONF_MAX_DISCHARGE_KW, default=10): number_field(0, 1000, 0.1, "kW"),
    }
)
CHARGER_ENTITIES: Final = probatio.Schema(
    {
        probatio.Optional(CONF_POWER_ENTITY): entity_field("sensor", "power"),
        probatio.Required(CONF_POWER_SIGN, default=POWER_SIGN_CHARGING_POSITIVE): choice_field(
            POWER_SIGNS, "power_sign"
        ),
        probatio.Optional(CONF_IMPORT_ENTITY): entity_field("sensor", "energy"),
        probatio.Optional(CONF_EXPORT_ENTITY): entity_field("sensor", "energy"),
        probatio.Optional(CONF_ONLINE_ENTITY): entity_field("binary_sensor"),
        probatio.Optional(CONF_CONNECTED_ENTITY): entity_field("binary_sensor"),
    }
)


def vehicle_body(form: dict[str, Any]) -> dict[str, Any]:
    """Return the API's vehicle from the form: kWh and kW become Wh and W."""
    total, price = form.get(CONF_WARRANTY_TOTAL_KWH), form.get(CONF_PACK_PRICE)
    return {
        "display_name": form[CONF_DISPLAY_NAME],
        "usable_capacity_wh": round(form[CONF_CAPACITY_KWH] * 1000),
        "max_charge_w": round(form[CONF_MAX_CHARGE_KW] * 1000),
        "max_discharge_w": round(form[CONF_MAX_DISCHARGE_KW] * 1000),
        "chemistry": form[CONF_CHEMISTRY],
        "warranty_discharge_policy": form[CONF_WARRANTY],
        "lifetime_discharge_cap_wh": None if total is None else round(total * 1000),
        **({} if price is None else {"pack_price_per_kwh": price_text(price)}),
        **{key: round(form[key] / 100, 6) for key in _EFFICIENCIES if key in form},
    }


def vehicle_wrong(form: dict[str, Any]) -> dict[str, str]:
    """Return what of the form cannot be: what a battery holds, or a warranty's total, is untold."""
    wrong = {}
    if form[CONF_CAPACITY_KWH] < _LEAST_CAPACITY_KWH:
        wrong[CONF_CAPACITY_KWH] = "capacity_needed"
    if form[CONF_WARRANTY] == WARRANTY_CAPPED and CONF_WARRANTY_TOTAL_KWH not in form:
        wrong[CONF_WARRANTY_TOTAL_KWH] = "total_needed"
    return wrong


def charger_body(form: dict[str, Any]) -> dict[str, Any]:
    """Return the API's charger from the form; an empty EVSE id is none."""
    return {
        "display_name": form[CONF_DISPLAY_NAME],
        "evse_id": form.get(CONF_EVSE_ID) or None,
        "max_charge_w": round(form[CONF_MAX_CHARGE_KW] * 1000),
        "max_discharge_w": round(form[CONF_MAX_DISCHARGE_KW] * 1000),
    }


def facts_form(view: Any) -> dict[str, Any]:  # noqa: ANN401 - a Vehicle or a Charger
    """Return the form's values from what the API says."""
    form: dict[str, Any] = {CONF_DISPLAY_NAME: view.display_name}
    for conf, name in (
        (CONF_CAPACITY_KWH, "usable_capacity_wh"),
        (CONF_MAX_CHARGE_KW, "max_charge_w"),
        (CONF_MAX_DISCHARGE_KW, "max_discharge_w"),
        (CONF_WARRANTY_TOTAL_KWH, "lifetime_discharge_cap_wh"),
    ):
        if (value := getattr(view, name, None)) is not None:
            form[conf] = value / 1000
    if (price := getattr(view, "pack_price_per_kwh", None)) is not None:
        form[CONF_PACK_PRICE] = float(price)
    for name in _EFFICIENCIES:
        if (share := getattr(view, name, None)) is not None:
            form[name] = round(share * 100, 4)
    for name in (CONF_CHEMISTRY, CONF_WARRANTY, CONF_EVSE_ID):
        if (value := getattr(view, name, None)) is not None:
            form[name] = value
    return form
