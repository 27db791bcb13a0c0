"""How a battery fills: from some charge on the car takes less, and the last percents take longer.

Promise 2: without it, a guarantee above that is counted on charging that the car does not take.
"""

from itertools import pairwise
from typing import Any, Final

from homeassistant.config_entries import SubentryFlowResult
from homeassistant.helpers.selector import (
    ObjectSelector,
    ObjectSelectorConfig,
    ObjectSelectorField,
)
import probatio

from .kept_flow import Form, KeptFormStep, rows_of
from .loosening import async_check_facts
from .models import TaperStep
from .subentry_schemas import number_field

CONF_TAPER: Final = "taper"
CONF_FROM_PCT: Final = "from_pct"
CONF_AT_MOST_KW: Final = "at_most_kw"
_MOST_STEPS: Final = 16

# Into a field that is required Home Assistant fills the lowest that can be typed.
_FIELDS: Final = {
    CONF_FROM_PCT: ObjectSelectorField(required=False, selector=number_field(0, 100, 1, "%")),
    CONF_AT_MOST_KW: ObjectSelectorField(required=False, selector=number_field(0, 1000, 0.1, "kW")),
}
_FORM: Final = probatio.Schema(
    {
        probatio.Optional(CONF_TAPER): ObjectSelector(
            ObjectSelectorConfig(
                fields=_FIELDS,
                multiple=True,
                label_field=CONF_FROM_PCT,
                description_field=CONF_AT_MOST_KW,
                translation_key="taper",
            )
        )
    }
)


class FillingStep(KeptFormStep):
    """The form that says from which charge on the car takes less."""

    @property
    def _taper(self) -> tuple[TaperStep, ...]:
        """What the agent counts with."""
        taper: tuple[TaperStep, ...] = self._known()[self._device_id or ""].taper
        return taper

    async def async_step_filling(self, user_input: Form | None = None) -> SubentryFlowResult:
        """Take the steps in which charging slows down; none is a car that charges evenly."""
        if not await self._async_loaded():
            return self._later(user_input)
        return await self._async_ask(
            "filling",
            user_input,
            schema=_FORM,
            kept=lambda: self._taper,
            values=self._rows,
            wrong=_wrong,
            write=self._async_write_taper,
            subject="vehicle",
        )

    def _rows(self) -> Form:
        """Return the form's rows from what the agent knows."""
        rows = [
            {CONF_FROM_PCT: step.from_soc_pct, CONF_AT_MOST_KW: step.max_charge_w / 1000}
            for step in self._taper
        ]
        return {CONF_TAPER: rows} if rows else {}

    async def _async_write_taper(self, form: Form) -> str:
        """Change the steps at the agent, which judges live deals again by them."""
        coordinator, device_id = self._coordinator, self._device_id or ""
        revision = self._known()[device_id].revision
        body = {"taper": _steps(form)}
        await async_check_facts(coordinator, device_id, body)
        view = await coordinator.api.patch(f"/v1/{self.resource}/{device_id}", body, revision)
        coordinator.async_apply(f"{self.subject}.updated", view)
        return device_id


def _steps(form: Form) -> list[dict[str, Any]]:
    """Return the rows as the agent takes them, by their charge."""
    steps = [
        {
            "from_soc_pct": row[CONF_FROM_PCT],
            "max_charge_w": round(row[CONF_AT_MOST_KW] * 1000),
        }
        for row in rows_of(form, CONF_TAPER)
    ]
    return sorted(steps, key=lambda step: step["from_soc_pct"])


def _wrong(form: Form) -> dict[str, str]:
    """Return what of the rows cannot be: a car takes no more the fuller it is."""
    rows = rows_of(form, CONF_TAPER)
    if not all(row.get(CONF_AT_MOST_KW) and CONF_FROM_PCT in row for row in rows):
        return {"base": "step_incomplete"}
    falling = all(
        before["from_soc_pct"] < step["from_soc_pct"]
        and before["max_charge_w"] >= step["max_charge_w"]
        for before, step in pairwise(_steps(form))
    )
    return {} if falling and len(rows) <= _MOST_STEPS else {"base": "taper_rises"}
