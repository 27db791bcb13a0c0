"""Add and change vehicles of an account, and what charging them costs."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, override

from homeassistant.config_entries import SubentryFlowResult
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.util import dt as dt_util
import probatio

from .actor import who_fills_in
from .const import CONF_PRICE_ENTITY, CONF_SOC_ENTITY, CONF_VEHICLE_ID
from .deleting_flow import DeletingStep
from .drivers import CONF_ADMINS_ANSWER, CONF_ASKED_PHONES, CONF_DRIVERS, DriversStep
from .filling_flow import FillingStep
from .loosening import async_check_facts, async_check_may_allow, async_write_as_filled_in
from .models import Tariff
from .pay_flow import PayStep
from .price_reporter import prices_path
from .price_source import PriceSource
from .price_units import UnreadablePricesError
from .readings import read_percent
from .rule_flow import RulesStep
from .subentry_schemas import (
    VEHICLE_ENTITIES,
    VEHICLE_FACTS,
    VEHICLE_KNOWN_FACTS,
    vehicle_body,
    vehicle_wrong,
)
from .tariff_forms import (
    PRICE_ENTITY,
    PRICE_ENTITY_FORM,
    fixed_bands,
    fixed_form,
    fixed_values,
    table_bands,
    table_form,
    table_values,
)

type Form = dict[str, Any]


class VehicleSubentryFlow(RulesStep, DriversStep, FillingStep, PayStep, DeletingStep):
    """Links a vehicle."""

    subject = "vehicle"
    resource = "vehicles"
    id_key = CONF_VEHICLE_ID
    facts_schema = VEHICLE_FACTS
    known_schema = VEHICLE_KNOWN_FACTS
    entities_schema = VEHICLE_ENTITIES
    first_schema = VEHICLE_ENTITIES.extend({probatio.Optional(CONF_PRICE_ENTITY): PRICE_ENTITY})
    known_steps = ("refacts", "filling", "tariff", "pay", "rules", "drivers", "delete")
    kept = (CONF_PRICE_ENTITY, CONF_DRIVERS, CONF_ADMINS_ANSWER, CONF_ASKED_PHONES)
    body = staticmethod(vehicle_body)
    wrong = staticmethod(vehicle_wrong)

    async def async_step_entities(self, user_input: Form | None = None) -> SubentryFlowResult:
        """Ask which entities speak for the vehicle, then make or link it."""
        return self._wrong_battery(user_input) or await super().async_step_entities(user_input)

    async def async_step_remap(self, user_input: Form | None = None) -> SubentryFlowResult:
        """Change which entities speak for the vehicle; its history stays."""
        return self._wrong_battery(user_input) or await super().async_step_remap(user_input)

    def _wrong_battery(self, user_input: Form | None) -> SubentryFlowResult | None:
        """Refuse another car's battery, and a sensor that tells no percentage of one."""
        if user_input is None or (sent := self.cur_step) is None:
            return None
        found = self._other_car(user_input[CONF_SOC_ENTITY])
        error, placeholders = "other_car", {"other": found or ""}
        if found is None:
            found = self._no_percentage(user_input[CONF_SOC_ENTITY])
            error, placeholders = "soc_unreadable", {"state": found or ""}
        if found is None:
            return None
        schema = sent["data_schema"] or probatio.Schema({})
        return self.async_show_form(
            step_id=sent["step_id"],
            data_schema=self.add_suggested_values_to_schema(schema, user_input),
            errors={CONF_SOC_ENTITY: error},
            description_placeholders=placeholders,
        )

    def _other_car(self, entity_id: str) -> str | None:
        """Return whose battery it is already: its floor and guarantee would not be kept."""
        for other in self._get_entry().get_subentries_of_type(self.subject):
            same = other.data[CONF_SOC_ENTITY] == entity_id
            if same and other.data[self.id_key] != self._device_id:
                return other.title
        return None

    def _no_percentage(self, entity_id: str) -> str | None:
        """Return what a sensor says that is no state of charge: a fraction, a comma, kilometres.

        It would say nothing, or almost empty, for ever; one that says nothing now may speak later.
        """
        state = self.hass.states.get(entity_id)
        if state is None or state.state in {STATE_UNAVAILABLE, STATE_UNKNOWN}:
            return None
        percent = read_percent(state, {})
        if percent is not None and not 0 < percent < 1:
            return None
        unit = state.attributes.get(ATTR_UNIT_OF_MEASUREMENT, "")
        return f"{state.state} {unit}".strip()

    @override
    def _remembered(self, device_id: str) -> Mapping[str, Any]:
        """Return whose yes counts for a car: to link it anew makes nobody else's count."""
        return self._coordinator.drivers.get(device_id, {})

    @override
    async def _async_change(self) -> str:
        """Change what the vehicle is: what lets more of it be sold asks whose yes counts."""
        facts = self.body(self._facts)
        await async_check_facts(self._coordinator, self._vehicle_id, facts)
        return await super()._async_change()

    @property
    def _tariff(self) -> Tariff:
        """What the API counts with where no sensor tells the price."""
        return self._coordinator.data.preferences[self._vehicle_id].tariff

    async def async_step_tariff(
        self,
        user_input: Form | None = None,  # noqa: ARG002 - a menu asks for none
    ) -> SubentryFlowResult:
        """Ask in which way the price of charging is known."""
        return self.async_show_menu(
            step_id="tariff", menu_options=["price_fixed", "price_table", "price_entity"]
        )

    async def async_step_price_fixed(self, user_input: Form | None = None) -> SubentryFlowResult:
        """Take one price that always holds."""
        if not await self._async_loaded():
            return self._later(user_input)
        bands = None if user_input is None else fixed_bands(user_input)
        schema = fixed_form(self._coordinator.data.owner.currency)
        return await self._step_bands("price_fixed", bands, schema, user_input, fixed_values)

    async def async_step_price_table(self, user_input: Form | None = None) -> SubentryFlowResult:
        """Take prices by the time of day."""
        if not await self._async_loaded():
            return self._later(user_input)
        bands = None if user_input is None else table_bands(user_input)
        schema = table_form(self._coordinator.data.owner.currency)
        return await self._step_bands("price_table", bands, schema, user_input, table_values)

    async def _step_bands(
        self,
        step_id: str,
        bands: list[dict[str, str]] | None,
        schema: probatio.Schema,
        typed: Form | None,
        values: Callable[[Tariff], Form],
    ) -> SubentryFlowResult:
        """Write bands to the API, which is master of them; a sensor no longer counts then."""
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if bands is None:
            self._shown = self._tariff
        elif self._overtaken(self._tariff):
            errors["base"], typed = "changed_meanwhile", None
        else:
            starts = [band["start"] for band in bands]
            if not starts:
                errors["base"] = "no_bands"
            elif len(set(starts)) < len(starts):
                errors["base"] = "same_start"
            elif not all(band["price_per_kwh"] for band in bands):
                errors["base"] = "price_missing"
            else:
                write = partial(self._async_write_bands, bands)
                if await self._async_write(write, errors, placeholders, subject="preferences"):
                    return self._changed_price_entity(None)
                if self._overtaken(self._tariff):
                    typed = None
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, typed or values(self._tariff)),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def _async_write_bands(self, bands: list[dict[str, str]]) -> str:
        """Change the bands, and drop what a sensor told before."""
        coordinator = self._coordinator
        if CONF_PRICE_ENTITY in self._get_reconfigure_subentry().data:
            # What the sensor has told lately, and will tell, may all be more than the bands.
            await async_check_may_allow(coordinator, self._vehicle_id, who_fills_in())
        changes = {"tariff": {"bands": bands}}
        await async_write_as_filled_in(coordinator, self._vehicle_id, changes)
        await coordinator.api.post(prices_path(self._vehicle_id), {"entries": []})
        return self._vehicle_id

    async def async_step_price_entity(self, user_input: Form | None = None) -> SubentryFlowResult:
        """Take a sensor that tells prices, after reading it once."""
        if not await self._async_loaded():
            return self._later(user_input)
        errors: dict[str, str] = {}
        currency = self._coordinator.data.owner.currency
        placeholders = {"unit": "", "currency": currency}
        if user_input is not None:
            entity_id = user_input[CONF_PRICE_ENTITY]
            source = PriceSource(self.hass, entity_id)
            try:
                if not await source.async_read(dt_util.utcnow(), currency):
                    errors[CONF_PRICE_ENTITY] = "prices_none"
                elif await self._async_write(
                    partial(self._async_may_follow, entity_id), errors, placeholders
                ):
                    return self._changed_price_entity(entity_id)
            except UnreadablePricesError as error:
                errors[CONF_PRICE_ENTITY] = error.problem
                placeholders["unit"] = error.told
        return self.async_show_form(
            step_id="price_entity",
            data_schema=self.add_suggested_values_to_schema(
                PRICE_ENTITY_FORM, user_input or self._get_reconfigure_subentry().data
            ),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def _async_may_follow(self, entity_id: str) -> str:
        """Ask whose yes counts before another sensor tells prices: they may all be lower."""
        if entity_id != self._get_reconfigure_subentry().data.get(CONF_PRICE_ENTITY):
            await async_check_may_allow(self._coordinator, self._vehicle_id, who_fills_in())
        return entity_id

    def _changed_price_entity(self, entity_id: str | None) -> SubentryFlowResult:
        """Keep which sensor tells the price, if any, and finish."""
        subentry = self._get_reconfigure_subentry()
        data = {key: value for key, value in subentry.data.items() if key != CONF_PRICE_ENTITY}
        if entity_id is not None:
            data[CONF_PRICE_ENTITY] = entity_id
        return self.async_update_and_abort(self._get_entry(), subentry, data=data)
