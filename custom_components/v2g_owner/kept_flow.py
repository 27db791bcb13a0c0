"""A form of something that the agent keeps: shown as it is there, written back, and closed."""

from collections.abc import Callable
from typing import Any

from homeassistant.config_entries import SubentryFlowResult
import probatio

from .subentry_flow import LinkedDeviceFlow

type Form = dict[str, Any]


class KeptFormStep(LinkedDeviceFlow):
    """Asks for what the agent keeps of a vehicle beside its facts."""

    async def _async_ask(
        self,
        step_id: str,
        typed: Form | None,
        *,
        schema: probatio.Schema,
        kept: Callable[[], Any],
        values: Callable[[], Form],
        wrong: Callable[[Form], dict[str, str]],
        write: Callable[[Form], Any],
        subject: str,
    ) -> SubentryFlowResult:
        """Show what is kept and write what was typed; what somebody changed meanwhile is shown."""
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if typed is None:
            self._shown = kept()
        elif self._overtaken(kept()):
            errors["base"], typed = "changed_meanwhile", None
        elif not (errors := wrong(typed)):
            form = typed
            if await self._async_write(lambda: write(form), errors, placeholders, subject=subject):
                return self.async_abort(reason="reconfigure_successful")
            if self._overtaken(kept()):
                typed = None
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(
                schema, values() if typed is None else typed
            ),
            errors=errors,
            description_placeholders=placeholders,
        )


def rows_of(form: Form, key: str) -> list[Form]:
    """Return the rows of a table, none where it was left empty."""
    rows = form.get(key) or []
    return rows if isinstance(rows, list) else [rows]
