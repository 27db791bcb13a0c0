"""Configure an account: its owner's name and currency, and the devices that act for them."""

from typing import Any, ClassVar, Final, override

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.helpers.selector import TextSelector
import probatio

from .api import Json
from .api_errors import OwnerApiProblem
from .devices_flow import DevicesFlow, Form
from .loosening import async_check_may_allow_all

CONF_NAME: Final = "display_name"
CONF_CURRENCY: Final = "currency"
_FORM: Final = probatio.Schema(
    {
        probatio.Required(CONF_NAME): TextSelector(),
        probatio.Required(CONF_CURRENCY): TextSelector(),
    }
)


class AccountFlow(DevicesFlow):
    """Changes what the agent calls its owner, and in what it counts."""

    choices: ClassVar[tuple[str, ...]] = ("account", *DevicesFlow.choices)

    @override
    def __init__(self) -> None:
        """Start without having shown anything."""
        super().__init__()
        self._shown: Json = {}

    async def async_step_account(self, user_input: Form | None = None) -> ConfigFlowResult:
        """Change the owner's name or currency."""
        return await self._async_at_agent(self._async_account, user_input)

    async def _async_account(self, user_input: Form | None) -> ConfigFlowResult:
        """Show both, and write what was changed of what was shown."""
        errors: dict[str, str] = {}
        if user_input is None or not self._shown:
            self._shown = await self._api.get("/v1/me")
        else:
            try:
                await self._async_change(_told(user_input))
            except OwnerApiProblem as error:
                if error.current is None:
                    raise
                self._shown, user_input = await self._api.get("/v1/me"), None
                errors["base"] = "changed_meanwhile"
            else:
                return self.async_abort(reason="account_changed")
        return self.async_show_form(
            step_id="account",
            data_schema=self.add_suggested_values_to_schema(_FORM, user_input or self._shown),
            errors=errors,
        )

    async def _async_change(self, told: Form) -> None:
        """Change what differs; a least price would be other money, so whose yes counts is asked."""
        changes = {key: value for key, value in told.items() if value != self._shown[key]}
        if CONF_CURRENCY in changes:
            await async_check_may_allow_all(self._entry.runtime_data.coordinator)
        if changes:
            await self._api.patch("/v1/me", changes, int(self._shown["revision"]))


def _told(form: dict[str, Any]) -> Form:
    """Return what was typed, as the agent writes it."""
    name, currency = (str(form[key]).strip() for key in (CONF_NAME, CONF_CURRENCY))
    return {CONF_NAME: name, CONF_CURRENCY: currency.upper()}
