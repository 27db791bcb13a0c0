"""What an owner takes as pay, and what pay in kind is worth to them; unsaid, only cash counts."""

import re
from typing import Any, Final

from homeassistant.config_entries import SubentryFlowResult
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    ObjectSelector,
    ObjectSelectorConfig,
    ObjectSelectorField,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)
import probatio

from .kept_flow import Form, KeptFormStep, rows_of
from .loosening import async_write_as_filled_in
from .models import Preferences
from .price import price_text

CONF_KINDS: Final = "accepted_reward_kinds"
CONF_RATES: Final = "in_kind_rates"
CONF_UNIT: Final = "unit"
CONF_WORTH: Final = "worth"
REWARD_KINDS: Final = ("cash", "points", "parking", "voucher", "charging_credit", "other")
_UNIT: Final = re.compile(r"[A-Z]{3}|X[A-Z0-9]{3,7}")
_MOST_RATES: Final = 20


def _form(currency: str) -> probatio.Schema:
    """Ask for the kinds taken, and what one unit of each is worth in the owner's money."""
    worth = NumberSelector(
        NumberSelectorConfig(
            min=0,
            max=10_000,
            step="any",
            unit_of_measurement=currency,
            mode=NumberSelectorMode.BOX,
        )
    )
    # Into a field that is required Home Assistant fills the lowest that can be typed.
    fields = {
        CONF_UNIT: ObjectSelectorField(required=True, selector=TextSelector()),
        CONF_WORTH: ObjectSelectorField(required=False, selector=worth),
    }
    return probatio.Schema(
        {
            probatio.Required(CONF_KINDS): SelectSelector(
                SelectSelectorConfig(
                    options=list(REWARD_KINDS),
                    multiple=True,
                    translation_key="reward_kinds",
                    mode=SelectSelectorMode.LIST,
                )
            ),
            probatio.Optional(CONF_RATES): ObjectSelector(
                ObjectSelectorConfig(
                    fields=fields,
                    multiple=True,
                    label_field=CONF_UNIT,
                    description_field=CONF_WORTH,
                    translation_key="in_kind_rates",
                )
            ),
        }
    )


class PayStep(KeptFormStep):
    """The form that says which rewards are taken and what those in kind are worth."""

    @property
    def _preferences(self) -> Preferences:
        """What the agent judges offers by."""
        return self._coordinator.data.preferences[self._device_id or ""]

    async def async_step_pay(self, user_input: Form | None = None) -> SubentryFlowResult:
        """Take the kinds of reward and their worth."""
        if not await self._async_loaded():
            return self._later(user_input)
        return await self._async_ask(
            "pay",
            user_input,
            schema=_form(self._coordinator.data.owner.currency),
            kept=self._values,
            values=self._values,
            wrong=_wrong,
            write=self._async_write_pay,
            subject="preferences",
        )

    def _values(self) -> Form:
        """Return the form's values from what the agent knows."""
        wishes = self._preferences
        rates = [
            {CONF_UNIT: rate.currency, CONF_WORTH: float(rate.price_per_unit)}
            for rate in wishes.in_kind_rates
        ]
        return {CONF_KINDS: list(wishes.accepted_reward_kinds)} | (
            {CONF_RATES: rates} if rates else {}
        )

    async def _async_write_pay(self, form: Form) -> str:
        """Change what is taken at the agent, in the order of the kinds."""
        device_id = self._device_id or ""
        kinds = [kind for kind in REWARD_KINDS if kind in form[CONF_KINDS]]
        changes: dict[str, Any] = {CONF_KINDS: kinds, CONF_RATES: _rates(form)}
        await async_write_as_filled_in(self._coordinator, device_id, changes)
        return device_id


def _rates(form: Form) -> list[dict[str, str]]:
    """Return the rows as the agent takes them; one that names no worth has an empty one."""
    return [
        {
            "currency": str(row.get(CONF_UNIT, "")).strip().upper(),
            "price_per_unit": price_text(row[CONF_WORTH]) if CONF_WORTH in row else "",
        }
        for row in rows_of(form, CONF_RATES)
    ]


def _wrong(form: Form) -> dict[str, str]:
    """Return what cannot be: no kind at all, or a row that names no unit of its own and worth."""
    if not form[CONF_KINDS]:
        return {CONF_KINDS: "no_kind"}
    rates = _rates(form)
    units = {rate["currency"] for rate in rates if _UNIT.fullmatch(rate["currency"])}
    whole = all(rate["price_per_unit"] for rate in rates)
    fits = whole and len(units) == len(rates) <= _MOST_RATES
    return {} if fits else {CONF_RATES: "rate_incomplete"}
