"""The guided test that stands before the first use of a charger's control."""

import asyncio
from typing import Any, Final

from homeassistant.config_entries import SubentryFlowResult
from homeassistant.util import dt as dt_util

from .charger_control import (
    CONF_CHARGE_TESTED,
    CONF_CONTROL,
    CONF_DISCHARGE_TESTED,
    CONF_INVERTED,
    ChargerControl,
)
from .charger_driver import ChargerDriver
from .charger_tests import async_start_test
from .const import (
    CONF_POWER_SIGN,
    CONF_VEHICLE_ID,
    POWER_SIGN_CHARGING_POSITIVE,
    POWER_SIGN_DISCHARGING_POSITIVE,
    SUBENTRY_VEHICLE,
)
from .control_forms import CONF_CAR_IS_MINE, CONF_TEST_DISCHARGE, TEST_FORM
from .control_probe import Finding, Probe, async_probe
from .executor_sight import Eyes
from .subentry_flow import LinkedDeviceFlow

type Form = dict[str, Any]

# A wrong sign discharges for some seconds: the battery must have this much above its floor.
_ROOM_PCT: Final = 5.0


class ChargerTestFlow(LinkedDeviceFlow):
    """Tests a control with the owner's own car; what passes is kept, what fails is explained."""

    def __init__(self) -> None:
        """Start with nothing chosen and nothing tested."""
        super().__init__()
        self._control: Form = {}
        self._sign = POWER_SIGN_CHARGING_POSITIVE
        self._with_discharge = False
        self._vehicle_id = ""
        self._task: asyncio.Task[None] | None = None
        self._probe: Probe | None = None

    async def async_step_test(self, user_input: Form | None = None) -> SubentryFlowResult:
        """Say what the test does, and begin it when the owner says so."""
        errors: dict[str, str] = {}
        if user_input is not None:
            if not await self._async_loaded():
                return self._later(user_input)
            self._with_discharge = user_input[CONF_TEST_DISCHARGE]
            if (error := self._not_now(mine=user_input[CONF_CAR_IS_MINE])) is None:
                self._task = None
                return await self.async_step_testing()
            errors["base"] = error
        return self.async_show_form(
            step_id="test",
            data_schema=self.add_suggested_values_to_schema(TEST_FORM, user_input),
            errors=errors,
            description_placeholders={"power": f"{self._driver.least_w / 1000:.1f}"},
        )

    async def async_step_testing(
        self,
        user_input: Form | None = None,  # noqa: ARG002 - progress asks for nothing
    ) -> SubentryFlowResult:
        """Show that the test runs."""
        if self._task is None:
            self._task = async_start_test(
                self.hass,
                self._async_test(),
                entry_id=self._get_entry().entry_id,
                charger_id=self._device_id or "",
                vehicle_id=self._vehicle_id,
            )
        if not self._task.done():
            return self.async_show_progress(
                step_id="testing", progress_action="testing", progress_task=self._task
            )
        if self._task.cancelled():
            self._probe = Probe(finding=Finding.STOPPED, asked_w=0)
        else:
            await self._task
        return self.async_show_progress_done(next_step_id="tested")

    async def async_step_tested(
        self,
        user_input: Form | None = None,  # noqa: ARG002 - a menu asks for none
    ) -> SubentryFlowResult:
        """Keep what works; else say what was seen and what may be changed."""
        probe = self._probe
        assert probe is not None
        if probe.finding is Finding.WORKS:
            subentry = self._get_reconfigure_subentry()
            data = {**subentry.data, CONF_POWER_SIGN: self._sign, CONF_CONTROL: self._control}
            return self.async_update_and_abort(self._get_entry(), subentry, data=data)
        options = ["test", "control"]
        if probe.finding is Finding.INVERTED:
            options = ["flip_command", "flip_meter", *options]
        return self.async_show_menu(
            step_id=probe.finding.value,
            menu_options=options,
            description_placeholders={
                "asked": f"{probe.asked_w / 1000:.1f}",
                "measured": f"{probe.measured_w / 1000:.1f}",
            },
        )

    # A page that is opened again asks for the step by the name of what was found.
    async_step_no_reaction = async_step_tested
    async_step_inverted = async_step_tested
    async_step_wrong_unit = async_step_tested
    async_step_no_meter = async_step_tested
    async_step_stopped = async_step_tested

    async def async_step_flip_command(
        self,
        user_input: Form | None = None,  # noqa: ARG002 - chosen in a menu
    ) -> SubentryFlowResult:
        """Take the charger's number the other way round, and test again."""
        self._control[CONF_INVERTED] = not self._control.get(CONF_INVERTED, False)
        return await self.async_step_test()

    async def async_step_flip_meter(
        self,
        user_input: Form | None = None,  # noqa: ARG002 - chosen in a menu
    ) -> SubentryFlowResult:
        """Take the power sensor the other way round, and test again."""
        flipped = {
            POWER_SIGN_CHARGING_POSITIVE: POWER_SIGN_DISCHARGING_POSITIVE,
            POWER_SIGN_DISCHARGING_POSITIVE: POWER_SIGN_CHARGING_POSITIVE,
        }
        self._sign = flipped[self._sign]
        return await self.async_step_test()

    @property
    def _driver(self) -> ChargerDriver:
        """A hand on the charger as it is mapped now."""
        title = self._get_reconfigure_subentry().title
        return ChargerDriver(self.hass, ChargerControl.read(self._control), title)

    @property
    def _eyes(self) -> Eyes:
        """Eyes on the charger and the owner's cars, with the sign as it is taken now."""
        cars = {
            each.data[CONF_VEHICLE_ID]: each.data
            for each in self._get_entry().get_subentries_of_type(SUBENTRY_VEHICLE)
        }
        data = {**self._get_reconfigure_subentry().data, CONF_POWER_SIGN: self._sign}
        return Eyes(self.hass, data, cars)

    def _not_now(self, *, mine: bool) -> str | None:
        """Return why the test would be unsafe or show nothing, None when it may begin."""
        eyes, driver = self._eyes, self._driver
        plugged = [each for each, here in eyes.plugged().items() if here]
        if not mine or len(plugged) != 1 or eyes.connected() is False:
            return "test_needs_your_car"
        self._vehicle_id = plugged[0]
        wishes = self._coordinator.data.preferences.get(plugged[0])
        soc = eyes.soc(plugged[0])
        if soc is None or wishes is None or soc.value < wishes.soc_floor_pct + _ROOM_PCT:
            return "test_needs_charge"
        if not driver.reachable:
            return "test_unreachable"
        if not self._with_discharge:
            return None
        vehicle = self._coordinator.data.vehicles[plugged[0]]
        prohibited = vehicle.warranty_discharge_policy == "prohibited"
        if not wishes.discharge_allowed or prohibited:
            return "test_discharge_not_allowed"
        return None if driver.control.can_discharge else "test_cannot_discharge"

    async def _async_test(self) -> None:
        """Charge a little, then discharge a little if the owner said so; note what passed when."""
        driver, eyes = self._driver, self._eyes
        least = driver.least_w
        self._probe = await async_probe(driver, eyes, least)
        if self._probe.finding is not Finding.WORKS:
            return
        self._control[CONF_CHARGE_TESTED] = dt_util.utcnow().isoformat()
        if self._with_discharge:
            self._probe = await async_probe(driver, eyes, -least)
            if self._probe.finding is Finding.WORKS:
                self._control[CONF_DISCHARGE_TESTED] = dt_util.utcnow().isoformat()
