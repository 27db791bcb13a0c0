"""Pair Home Assistant with an owner API, by discovery or by address."""

from collections.abc import Mapping
from typing import Any, override

from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    SOURCE_USER,
    ConfigEntry,
    ConfigFlowResult,
    ConfigSubentryFlow,
    FlowType,
    OptionsFlow,
    SubentryFlowContext,
)
from homeassistant.const import CONF_URL
from homeassistant.core import callback
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.selector import TextSelector, TextSelectorConfig, TextSelectorType
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
import probatio

from .account_flow import AccountFlow
from .charger_flow import ChargerSubentryFlow
from .const import (
    CONF_KEY_SHA256,
    CONF_OWNER_ID,
    CONF_PAIRING_CODE,
    CONF_SERVER_ID,
    DOMAIN,
    SUBENTRY_CHARGER,
    SUBENTRY_VEHICLE,
)
from .coordinator import V2GConfigEntry
from .pairing import InsecureUrlError, InvalidUrlError, PairingInput, normal_url
from .pairing_flow import PairingFlow
from .vehicle_flow import VehicleSubentryFlow

_URL = TextSelector(TextSelectorConfig(type=TextSelectorType.URL, autocomplete="url"))
_CODE = TextSelector(TextSelectorConfig(autocomplete="off"))
_CODE_PROBLEMS = frozenset(
    {"pairing_code_invalid", "pairing_code_expired", "pairing_code_exhausted", "rate_limited"}
)


class V2GOwnerConfigFlow(PairingFlow, domain=DOMAIN):
    """Pairs with an owner API and offers to link the first vehicle at once."""

    VERSION = 1

    def __init__(self) -> None:
        """Start without an address."""
        super().__init__()
        self._discovered_url = ""

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(
        cls, config_entry: ConfigEntry
    ) -> dict[str, type[ConfigSubentryFlow]]:
        """Return what can be added to an account."""
        return {SUBENTRY_VEHICLE: VehicleSubentryFlow, SUBENTRY_CHARGER: ChargerSubentryFlow}

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: V2GConfigEntry) -> OptionsFlow:
        """Return what Configure opens for an account."""
        return AccountFlow()

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the address and a pairing code."""
        errors: dict[str, str] = {}
        if user_input is not None:
            url = user_input.get(CONF_URL, "")
            found = self._read(url, user_input[CONF_PAIRING_CODE], errors)
            if found and (data := await self._async_pair(found, errors)):
                return await self._async_finish(data)
            if not url and errors.get(CONF_URL) == "invalid_url":
                errors[CONF_URL] = "url_missing"
        return self.async_show_form(
            step_id="user",
            data_schema=self.add_suggested_values_to_schema(
                probatio.Schema(
                    {
                        # The text of a QR code names it; who has that types none.
                        probatio.Optional(CONF_URL): _URL,
                        probatio.Required(CONF_PAIRING_CODE): _CODE,
                    }
                ),
                user_input,
            ),
            errors=errors,
        )

    @override
    async def async_step_zeroconf(self, discovery_info: ZeroconfServiceInfo) -> ConfigFlowResult:
        """Handle an owner API that announces itself in this network."""
        properties = discovery_info.properties
        server_id = properties.get("server_id")
        address = properties.get("url") or (
            f"https://{discovery_info.host}:{discovery_info.port}"
            if ":" not in discovery_info.host
            else f"https://[{discovery_info.host}]:{discovery_info.port}"
        )
        if not server_id:
            return self.async_abort(reason="not_an_owner_api")
        try:
            self._discovered_url = normal_url(address)
        except InvalidUrlError, InsecureUrlError:
            return self.async_abort(reason="not_an_owner_api")
        await self.async_set_unique_id(server_id)
        known = [
            entry
            for entry in self._async_current_entries(include_ignore=False)
            if entry.data[CONF_SERVER_ID] == server_id
        ]
        for entry in known:
            await self._async_follow(entry, self._discovered_url)
        if known:
            return self.async_abort(reason="already_configured")
        # Accounts are known by their owner; by the server's id only one that was ignored is.
        self._abort_if_unique_id_configured()
        name = discovery_info.name.partition(".")[0]
        self.context.update({"title_placeholders": {"name": name}})
        return await self.async_step_zeroconf_confirm()

    async def _async_follow(self, entry: ConfigEntry, url: str) -> None:
        """Move an account to an announced address where the pinned key answers.

        An announcement is no proof: unasked, a stranger could send us to his own address, or to
        none, and with it every stop.
        """
        key_sha256 = entry.data.get(CONF_KEY_SHA256)
        if not key_sha256 or entry.data[CONF_URL] == url:
            return
        found = PairingInput(url=url, code="", key_sha256=key_sha256)
        if await self._async_same_server(found, entry, {}):
            moved = {**entry.data, CONF_URL: url}
            self.hass.config_entries.async_update_entry(entry, data=moved)
            self._async_load_again(entry)

    async def async_step_zeroconf_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for a pairing code for a discovered owner API."""
        errors: dict[str, str] = {}
        if user_input is not None:
            found = self._read(self._discovered_url, user_input[CONF_PAIRING_CODE], errors)
            if found and (data := await self._async_pair(found, errors)):
                return await self._async_finish(data)
        return self.async_show_form(
            step_id="zeroconf_confirm",
            data_schema=probatio.Schema({probatio.Required(CONF_PAIRING_CODE): _CODE}),
            description_placeholders={"url": self._discovered_url},
            errors=errors,
        )

    async def async_step_reauth(
        self,
        entry_data: Mapping[str, Any],  # noqa: ARG002 - the step Home Assistant calls
    ) -> ConfigFlowResult:
        """Pair again after the API no longer knows this device."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for a new pairing code."""
        entry = self._get_reauth_entry()
        errors: dict[str, str] = {}
        if user_input is not None:
            found = self._read(
                entry.data[CONF_URL],
                user_input[CONF_PAIRING_CODE],
                errors,
                entry.data.get(CONF_KEY_SHA256),
            )
            if found and (data := await self._async_pair(found, errors)):
                return await self._async_finish(data)
        return self.async_show_form(
            step_id="reauth_confirm",
            data_schema=probatio.Schema({probatio.Required(CONF_PAIRING_CODE): _CODE}),
            description_placeholders={"name": entry.title},
            errors=errors,
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Move to another address of the same server, with a new code where it needs one."""
        entry = self._get_reconfigure_entry()
        errors: dict[str, str] = {}
        if user_input is not None:
            code = user_input.get(CONF_PAIRING_CODE, "")
            found = self._read(user_input[CONF_URL], code, errors, entry.data.get(CONF_KEY_SHA256))
            if found and found.code:
                if data := await self._async_pair(found, errors):
                    return await self._async_finish(data)
            elif found and await self._async_same_server(found, entry, errors):
                done = self.async_update_and_abort(entry, data_updates={CONF_URL: found.url})
                self._async_load_again(entry)
                return done
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=self.add_suggested_values_to_schema(
                probatio.Schema(
                    {
                        probatio.Required(CONF_URL): _URL,
                        probatio.Optional(CONF_PAIRING_CODE): _CODE,
                    }
                ),
                user_input or {CONF_URL: entry.data[CONF_URL]},
            ),
            description_placeholders={"name": entry.title},
            errors=errors,
        )

    @override
    async def async_on_create_entry(self, result: ConfigFlowResult) -> ConfigFlowResult:
        """Go straight on to the first vehicle: an account without one is of no use."""
        subentry = await self.hass.config_entries.subentries.async_init(
            (result["result"].entry_id, SUBENTRY_VEHICLE),
            context=SubentryFlowContext(source=SOURCE_USER),
        )
        # Where the first load failed no dialog is open that could be led to.
        if subentry["type"] is not FlowResultType.ABORT:
            result["next_flow"] = (FlowType.CONFIG_SUBENTRIES_FLOW, subentry["flow_id"])
        return result

    async def _async_finish(self, data: dict[str, Any]) -> ConfigFlowResult:
        """Create or update the entry; a pairing that leads nowhere is not left behind."""
        await self.async_set_unique_id(data[CONF_OWNER_ID], raise_on_progress=False)
        if self.source in {SOURCE_REAUTH, SOURCE_RECONFIGURE}:
            entry = (
                self._get_reauth_entry()
                if self.source == SOURCE_REAUTH
                else self._get_reconfigure_entry()
            )
            if entry.unique_id != self.unique_id:
                await self._async_unpair(data)
            self._abort_if_unique_id_mismatch(reason="different_owner")
            done = self.async_update_and_abort(entry, data_updates=data)
            self._async_load_again(entry)
            return done
        if self.hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, data[CONF_OWNER_ID]):
            await self._async_unpair(data)
        self._abort_if_unique_id_configured()
        return self.async_create_entry(title=self._owner_name or "V2G Owner", data=data)
