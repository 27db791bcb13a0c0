"""Actions of the owner's choice that set a charger's power: checked when chosen, run as needed."""

from collections.abc import Sequence
from typing import Any

from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.config_validation import SCRIPT_SCHEMA
from homeassistant.helpers.script import Script, async_validate_actions_config
import probatio

from .charger_control import ChargerControl
from .const import DOMAIN

type Actions = Sequence[Any]


async def async_check_actions(hass: HomeAssistant, actions: Actions) -> list[dict[str, Any]]:
    """Return actions ready to be run; raises probatio.Invalid or HomeAssistantError."""
    sequence: Any = SCRIPT_SCHEMA(list(actions))
    return await async_validate_actions_config(hass, sequence)


async def async_actions_fault(hass: HomeAssistant, actions: Actions) -> str | None:
    """Return what is wrong with the owner's actions, None when they can be run."""
    try:
        await async_check_actions(hass, actions)
    except (probatio.Invalid, HomeAssistantError) as error:
        return str(error)
    return None


async def async_run_actions(
    hass: HomeAssistant, control: ChargerControl, setpoint_w: int, name: str, context: Context
) -> None:
    """Run the owner's actions for a power; stopping has its own where the owner gave some."""
    actions = control.stop_actions if setpoint_w == 0 else control.set_actions
    sequence = await async_check_actions(hass, actions or control.set_actions)
    variables = {
        "power_w": setpoint_w,
        "power_kw": setpoint_w / 1000,
        "current_a": round(setpoint_w / (control.volts * control.phases), 1),
    }
    # Made anew each time: one made before Home Assistant stops would not set zero while it does.
    script = Script(hass, sequence, name, DOMAIN, log_exceptions=False)
    try:
        await script.async_run(variables, context)
    finally:
        await script.async_unload()
