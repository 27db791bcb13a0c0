"""The forms that map a charger's control entities."""

from collections.abc import Mapping
from typing import Any, Final

from homeassistant.helpers.selector import (
    ActionSelector,
    BooleanSelector,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
import probatio

from .charger_control import (
    CONF_CHARGE_OPTION,
    CONF_DISCHARGE_OPTION,
    CONF_MIN_POWER_W,
    CONF_MODE_ENTITY,
    CONF_PHASES,
    CONF_SET_ACTIONS,
    CONF_SETPOINT_ENTITY,
    CONF_STOP_ACTIONS,
    CONF_STOP_OPTION,
    CONF_UNIT,
    CONF_VOLTS,
)
from .charger_range import Unit
from .subentry_schemas import choice_field, entity_field, number_field

CONF_TEST_DISCHARGE: Final = "test_discharge"
CONF_CAR_IS_MINE: Final = "car_is_mine"

_AMPERES: Final[dict[probatio.Marker, Any]] = {
    probatio.Required(CONF_VOLTS, default=230): number_field(100, 1000, 1, "V"),
    probatio.Required(CONF_PHASES, default=1): number_field(1, 3, 1, ""),
    probatio.Required(CONF_MIN_POWER_W, default=1_400): number_field(0, 50_000, 10, "W"),
}
_AMOUNT: Final[dict[probatio.Marker, Any]] = {
    probatio.Required(CONF_SETPOINT_ENTITY): entity_field(["number", "input_number"]),
    probatio.Optional(CONF_UNIT): choice_field(tuple(unit.value for unit in Unit), "unit"),
    **_AMPERES,
}
SIGNED_NUMBER_FORM: Final = probatio.Schema(_AMOUNT)
NUMBER_AND_MODE_FORM: Final = probatio.Schema(
    {
        **_AMOUNT,
        probatio.Required(CONF_MODE_ENTITY): entity_field(
            ["select", "input_select", "switch", "input_boolean"]
        ),
    }
)
ACTIONS_FORM: Final = probatio.Schema(
    {
        probatio.Required(CONF_SET_ACTIONS): ActionSelector(),
        probatio.Optional(CONF_STOP_ACTIONS): ActionSelector(),
        **_AMPERES,
    }
)
TEST_FORM: Final = probatio.Schema(
    {
        probatio.Required(CONF_CAR_IS_MINE, default=False): BooleanSelector(),
        probatio.Required(CONF_TEST_DISCHARGE, default=False): BooleanSelector(),
    }
)


def options_form(options: list[str]) -> probatio.Schema:
    """Ask which of a mode's options charges, stops and, where there is one, discharges."""
    one = SelectSelector(SelectSelectorConfig(options=options, mode=SelectSelectorMode.DROPDOWN))
    return probatio.Schema(
        {
            probatio.Required(CONF_CHARGE_OPTION): one,
            probatio.Required(CONF_STOP_OPTION): one,
            probatio.Optional(CONF_DISCHARGE_OPTION): one,
        }
    )


def control_data(shape: str, form: Mapping[str, Any]) -> dict[str, Any]:
    """Return the control that a filled form describes, not tested yet."""
    whole = {CONF_VOLTS, CONF_PHASES, CONF_MIN_POWER_W}
    return {
        "shape": shape,
        **{key: int(value) if key in whole else value for key, value in form.items()},
    }
