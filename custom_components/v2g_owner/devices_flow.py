"""Which of the owner's devices act for them, behind Configure of an account.

Home Assistant shows these forms to administrators alone, and there is no action for either: a code
lets its finder sell for the owner, so it is given to those whose yes counts; and a phone that a
guest shuts out could no longer stop.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from homeassistant.config_entries import ConfigFlowResult, OptionsFlow
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers.selector import (
    BooleanSelector,
    QrCodeSelector,
    QrCodeSelectorConfig,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
import probatio

from .api import OwnerApi
from .api_errors import OwnerApiAnswerError, OwnerApiError
from .const import CONF_DEVICE_ID
from .coordinator import V2GConfigEntry
from .decode import BadAnswerError, decode
from .devices import Device, async_others
from .errors import async_sentence
from .loading import async_loaded
from .loosening import async_check_may_allow_all
from .moments import async_moments

type Form = dict[str, Any]
type Step = Callable[[Form | None], Coroutine[Any, Any, ConfigFlowResult]]

CONF_OTHER_DEVICE: Final = "other_device"
CONF_CONFIRM: Final = "confirm"
CONF_QR_CODE: Final = "qr_code"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairingCode:
    """What lets one more device act for the owner."""

    code: str
    expires_at: datetime
    uri: str | None = None
    """The text of its QR code, where the agent knows its own address."""


class DevicesFlow(OptionsFlow):
    """Pairs another device, or shuts one out; nothing of it is kept here."""

    choices: ClassVar[tuple[str, ...]] = ("pair", "shut_out")

    def __init__(self) -> None:
        """Start without a code."""
        self._code: PairingCode | None = None
        self._paired_before: set[str] = set()

    @property
    def _entry(self) -> V2GConfigEntry:
        """The account."""
        return self.config_entry

    @property
    def _api(self) -> OwnerApi:
        """The account's agent."""
        return self._entry.runtime_data.coordinator.api

    async def _async_others(self) -> dict[str, Device]:
        """Return the owner's devices beside this home."""
        return await async_others(self._api, self._entry.data[CONF_DEVICE_ID])

    async def async_step_init(
        self,
        user_input: Form | None = None,  # noqa: ARG002 - a menu asks for none
    ) -> ConfigFlowResult:
        """Ask what to do."""
        return self.async_show_menu(step_id="init", menu_options=list(self.choices))

    async def async_step_pair(self, user_input: Form | None = None) -> ConfigFlowResult:
        """Let another device act for the owner."""
        return await self._async_at_agent(self._async_pair, user_input)

    async def async_step_shut_out(self, user_input: Form | None = None) -> ConfigFlowResult:
        """Let a device act for the owner no more."""
        return await self._async_at_agent(self._async_shut_out, user_input)

    async def _async_at_agent(self, step: Step, user_input: Form | None) -> ConfigFlowResult:
        """Take a step that asks the agent, or say why that cannot be."""
        if not await async_loaded(self._entry):
            return self.async_abort(reason="not_loaded")
        try:
            return await step(user_input)
        except (OwnerApiError, ServiceValidationError) as error:
            detail = await async_sentence(self.hass, error)
            return self.async_abort(reason="refused", description_placeholders={"detail": detail})

    async def _async_pair(self, user_input: Form | None) -> ConfigFlowResult:
        """Show a code, and once somebody asks, who has used it."""
        others, errors = await self._async_others(), {}
        if user_input is None or self._code is None:
            # What is paired says yes for every car of the account.
            await async_check_may_allow_all(self._entry.runtime_data.coordinator)
            self._paired_before = set(others)
            self._code = await self._async_new_code()
        elif new := [others[key].display_name for key in others.keys() - self._paired_before]:
            named = {"devices": ", ".join(sorted(new))}
            return self.async_abort(reason="paired", description_placeholders=named)
        else:
            errors["base"] = "code_unused"
        moments = await async_moments(self.hass, self.hass.config.language)
        code, text = self._code, self._code.uri
        fields: dict[Any, Any] = {}
        if text is not None:
            shown = QrCodeSelector(QrCodeSelectorConfig(data=text, scale=5))
            fields[probatio.Optional(CONF_QR_CODE)] = shown
        return self.async_show_form(
            step_id="pair",
            data_schema=probatio.Schema(fields),
            errors=errors,
            description_placeholders={
                "code": code.code,
                "text": text or code.code,
                "ends_at": moments.at(code.expires_at),
            },
        )

    async def _async_new_code(self) -> PairingCode:
        """Have the agent make a code for one device."""
        try:
            return decode(PairingCode, await self._api.post("/v1/pairing-codes", {}))
        except BadAnswerError as error:
            raise OwnerApiAnswerError(str(error)) from error

    async def _async_shut_out(self, user_input: Form | None) -> ConfigFlowResult:
        """Shut out a device other than this home, once somebody has said that they mean it."""
        others, errors = await self._async_others(), {}
        if user_input is not None and user_input[CONF_CONFIRM]:
            chosen = others.get(user_input[CONF_OTHER_DEVICE])
            if chosen is not None:
                await self._api.delete(f"/v1/devices/{chosen.device_id}")
            # Somebody else was faster otherwise: it is out as well.
            return self.async_abort(reason="shut_out")
        if not others:
            return self.async_abort(reason="no_other_device")
        if user_input is not None:
            errors[CONF_CONFIRM] = "not_confirmed"
        return self.async_show_form(
            step_id="shut_out",
            data_schema=self.add_suggested_values_to_schema(
                await self._async_choice(others), user_input
            ),
            errors=errors,
        )

    async def _async_choice(self, others: dict[str, Device]) -> probatio.Schema:
        """Offer devices by name and by when they were last heard of: two may have one name."""
        moments = await async_moments(self.hass, self.hass.config.language)
        options = [
            SelectOptionDict(
                value=key,
                label=f"{each.display_name} ({moments.at(each.last_seen_at or each.paired_at)})",
            )
            for key, each in others.items()
        ]
        return probatio.Schema(
            {
                probatio.Required(CONF_OTHER_DEVICE): SelectSelector(
                    SelectSelectorConfig(options=options, mode=SelectSelectorMode.LIST)
                ),
                probatio.Required(CONF_CONFIRM, default=False): BooleanSelector(),
            }
        )
