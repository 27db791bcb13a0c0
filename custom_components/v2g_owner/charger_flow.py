"""Add and change chargers of an account, and map how they are controlled."""

from typing import Any, Final, override

from homeassistant.config_entries import SubentryFlowResult
import probatio

from .charger_actions import async_actions_fault
from .charger_control import (
    CONF_CONTROL,
    CONF_INVERTED,
    CONF_MODE_ENTITY,
    CONF_SET_ACTIONS,
    CONF_SETPOINT_ENTITY,
    CONF_SHAPE,
    CONF_STOP_ACTIONS,
    CONF_UNIT,
    ChargerControl,
    Shape,
    untested,
)
from .charger_driver import async_range
from .charger_range import Range, unit_shown
from .charger_sharing import hands, set_through_both
from .charger_test_flow import ChargerTestFlow, Form
from .const import (
    CONF_CHARGER_ID,
    CONF_POWER_ENTITY,
    CONF_POWER_SIGN,
    POWER_SIGN_CHARGING_POSITIVE,
)
from .control_forms import (
    ACTIONS_FORM,
    NUMBER_AND_MODE_FORM,
    SIGNED_NUMBER_FORM,
    control_data,
    options_form,
)
from .deleting_flow import DeletingStep
from .loosening import async_check_may_allow_all
from .looser import charger_loosens
from .models import Charger
from .subentry_schemas import CHARGER_ENTITIES, CHARGER_FACTS, charger_body

# 32 A at 230 V are 7.36 kW, and papers say 7.4.
_NEARLY: Final = 0.97


class ChargerSubentryFlow(ChargerTestFlow, DeletingStep):
    """Links a charger; its control is used only after the guided test has passed."""

    subject = "charger"
    resource = "chargers"
    id_key = CONF_CHARGER_ID
    facts_schema = CHARGER_FACTS
    entities_schema = CHARGER_ENTITIES
    known_steps = ("refacts", "control", "delete")
    body = staticmethod(charger_body)

    async def async_step_remap(self, user_input: Form | None = None) -> SubentryFlowResult:
        """Change which entities speak for the charger; another meter makes the test void."""
        if user_input is None:
            return await super().async_step_remap()
        subentry = self._get_reconfigure_subentry()
        control = subentry.data.get(CONF_CONTROL)
        kept = {CONF_CONTROL: control} if control else {}
        data = {self.id_key: self._device_id, **kept, **user_input}
        if any(
            subentry.data.get(key) != user_input.get(key)
            for key in (CONF_POWER_ENTITY, CONF_POWER_SIGN)
        ):
            data = untested(data)
        return self.async_update_and_abort(self._get_entry(), subentry, data=data)

    @override
    async def _async_create(self) -> str:
        """Make the charger: where there was none, nothing was charged for a sale at home."""
        await self._async_check_facts(None)
        return await super()._async_create()

    @override
    async def _async_change(self) -> str:
        """Change what the charger is: what lets more be counted on asks whose yes counts."""
        await self._async_check_facts(self._known()[self._device_id or ""])
        return await super()._async_change()

    async def _async_check_facts(self, known: Charger | None) -> None:
        """Raise a translated error where facts let more be sold, and not by their word.

        Whichever car of the account it is for: any of them may stand there.
        """
        if charger_loosens(known, self.body(self._facts)):
            await async_check_may_allow_all(self._coordinator)

    async def async_step_control(
        self,
        user_input: Form | None = None,  # noqa: ARG002 - a menu asks for none
    ) -> SubentryFlowResult:
        """Ask how the charger is controlled."""
        data = self._get_reconfigure_subentry().data
        if not data.get(CONF_POWER_ENTITY):
            return self.async_abort(reason="no_power_entity")
        self._sign = data.get(CONF_POWER_SIGN, POWER_SIGN_CHARGING_POSITIVE)
        self._control = dict(data.get(CONF_CONTROL, {}))
        return self.async_show_menu(
            step_id="control", menu_options=[shape.value for shape in Shape]
        )

    async def async_step_signed_number(self, user_input: Form | None = None) -> SubentryFlowResult:
        """Ask for the number that is positive into the car and negative out of it."""
        return await self._async_amount(Shape.SIGNED_NUMBER, SIGNED_NUMBER_FORM, user_input)

    async def async_step_number_and_mode(
        self, user_input: Form | None = None
    ) -> SubentryFlowResult:
        """Ask for the number and for the mode or switch beside it."""
        return await self._async_amount(Shape.NUMBER_AND_MODE, NUMBER_AND_MODE_FORM, user_input)

    async def async_step_actions(self, user_input: Form | None = None) -> SubentryFlowResult:
        """Ask for the actions that set a power; what can never run is said at once."""
        chosen = [*(user_input or {}).get(CONF_SET_ACTIONS, ())]
        chosen += (user_input or {}).get(CONF_STOP_ACTIONS, ())
        fault = await async_actions_fault(self.hass, chosen)
        if user_input is None:
            return await self._async_shape(Shape.ACTIONS, ACTIONS_FORM, None)
        error = "invalid_actions" if fault is not None or not chosen else None
        if error is None and self._set_elsewhere(control_data(Shape.ACTIONS, user_input)):
            error = "driven_elsewhere"
        if error is None:
            return await self._async_shape(Shape.ACTIONS, ACTIONS_FORM, user_input)
        return self.async_show_form(
            step_id=Shape.ACTIONS.value,
            data_schema=self.add_suggested_values_to_schema(ACTIONS_FORM, user_input),
            errors={"base": error},
            description_placeholders={"detail": fault or "[]"},
        )

    async def _async_amount(
        self, shape: Shape, schema: probatio.Schema, user_input: Form | None
    ) -> SubentryFlowResult:
        """Take a form with a number; without a word of the owner's it counts what it shows."""
        if user_input is None:
            return await self._async_shape(shape, schema, None)
        limits = async_range(self.hass, user_input[CONF_SETPOINT_ENTITY])
        shown = unit_shown(limits.unit)
        own = {} if shown is None else {CONF_UNIT: shown.value}
        errors = _faults(shape, user_input, limits)
        told = {"unit": limits.unit or ""}
        if not errors:
            errors, powers = self._gives_less(control_data(shape, own | user_input), limits)
            told |= powers
        if (taken := self._set_elsewhere(control_data(shape, user_input))) is not None:
            mode = taken == user_input.get(CONF_MODE_ENTITY)
            errors = {CONF_MODE_ENTITY if mode else CONF_SETPOINT_ENTITY: "driven_elsewhere"}
        if errors:
            return self.async_show_form(
                step_id=shape.value,
                data_schema=self.add_suggested_values_to_schema(schema, user_input),
                errors=errors,
                description_placeholders=told,
            )
        return await self._async_shape(shape, schema, own | user_input)

    def _gives_less(self, control: Form, limits: Range) -> tuple[dict[str, str], dict[str, str]]:
        """Return the error, and its figures, where a number takes less than the charger's facts.

        The agent would count on it: what was sold came back too late for the leave time.
        """
        charger = self._coordinator.data.chargers.get(self._device_id or "")
        said_w = (charger.max_charge_w if charger else None) or 0
        ways = ({**control, CONF_INVERTED: turned} for turned in (False, True))
        most_w = max(ChargerControl.read(each).most_into(limits) for each in ways)
        if most_w >= said_w * _NEARLY:
            return {}, {}
        figures = {"most": f"{most_w / 1000:.1f}", "said": f"{said_w / 1000:.1f}"}
        return {CONF_SETPOINT_ENTITY: "gives_less"}, figures

    def _set_elsewhere(self, control: Form) -> str | None:
        """Return what sets another charger already, of any account: two hands would fight."""
        own = self._get_reconfigure_subentry().subentry_id
        found = (
            set_through_both(control, hand.subentry.data[CONF_CONTROL])
            for hand in hands(self.hass)
            if hand.subentry.subentry_id != own
        )
        return next((what for what in found if what is not None), None)

    async def _async_shape(
        self,
        shape: Shape,
        schema: probatio.Schema,
        user_input: Form | None,
    ) -> SubentryFlowResult:
        """Take a shape's form; a select's options are asked for next."""
        if user_input is None:
            known = dict(self._control) if self._control.get(CONF_SHAPE) == shape else {}
            limits = async_range(self.hass, known.get(CONF_SETPOINT_ENTITY, ""))
            if shown := unit_shown(limits.unit):
                known[CONF_UNIT] = shown.value
            return self.async_show_form(
                step_id=shape.value, data_schema=self.add_suggested_values_to_schema(schema, known)
            )
        self._control = control_data(shape, user_input)
        mode = self._control.get(CONF_MODE_ENTITY, "")
        if mode.partition(".")[0] in {"select", "input_select"}:
            return await self.async_step_options()
        return await self.async_step_test()

    async def async_step_options(self, user_input: Form | None = None) -> SubentryFlowResult:
        """Ask which option of the mode means what."""
        if user_input is not None:
            self._control |= user_input
            return await self.async_step_test()
        state = self.hass.states.get(self._control[CONF_MODE_ENTITY])
        options = [] if state is None else list(state.attributes.get("options", []))
        return self.async_show_form(step_id="options", data_schema=options_form(options))


def _faults(shape: Shape, form: Form, limits: Range) -> dict[str, Any]:
    """Return why a number cannot be set as a form says, by field.

    One that cannot be zero could not stop anything; one in another unit than was said would take
    a thousand times as much.
    """
    if shape is Shape.SIGNED_NUMBER and limits.begins > 0:
        return {CONF_SETPOINT_ENTITY: "never_zero"}
    shown, said = unit_shown(limits.unit), form.get(CONF_UNIT)
    if limits.unit is not None and shown is None:
        return {CONF_SETPOINT_ENTITY: "unit_unknown"}
    if shown is None and said is None:
        return {CONF_UNIT: "unit_missing"}
    return {CONF_UNIT: "unit_differs"} if None not in {shown, said} and shown != said else {}
