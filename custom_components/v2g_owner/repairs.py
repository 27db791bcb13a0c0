"""What an owner can do about a repair from where it is shown."""

from typing import Any, Final, override

from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlow, RepairsFlowResult
from homeassistant.components.repairs.const import FlowType
from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    ConfigFlowContext,
    SubentryFlowContext,
)
from homeassistant.core import HomeAssistant

from .account_issues import AccountCheck
from .charger_control import untested
from .const import (
    CONF_POWER_SIGN,
    DOMAIN,
    POWER_SIGN_CHARGING_POSITIVE,
    POWER_SIGN_DISCHARGING_POSITIVE,
)
from .coordinator import V2GConfigEntry
from .paired_notice import SeenDevices
from .repair_flow import AccountRepairFlow
from .repair_limits import ConfirmLimitsFlow
from .repair_sharing import KeepOneFlow
from .repair_terms import ReadTermsFlow


class StartOverFlow(AccountRepairFlow):
    """Go by the operator's log as it is now, after the owner has cleared it with them."""

    loosens = True

    @override
    async def async_repair(self, entry: V2GConfigEntry) -> RepairsFlowResult:
        """Start over, and see whether that helped."""
        await entry.runtime_data.log.async_start_over()
        if entry.runtime_data.log.contradicted:
            return self.async_abort(reason="still_contradicted")
        return self.async_create_entry(data={})


class CheckAgainFlow(AccountRepairFlow):
    """Check the operator's log again, after the owner has asked them; nothing held is given up."""

    @override
    async def async_repair(self, entry: V2GConfigEntry) -> RepairsFlowResult:
        """Check, and see whether it holds now."""
        await entry.runtime_data.log.async_check()
        if entry.runtime_data.log.contradicted:
            return self.async_abort(reason="still_contradicted")
        return self.async_create_entry(data={})


class PairAgainFlow(AccountRepairFlow):
    """Open the form for a new pairing code, which pins the operator's new key.

    The repair ends when the log holds: asking for a code has mended nothing yet.
    """

    @override
    async def async_repair(self, entry: V2GConfigEntry) -> RepairsFlowResult:
        """Ask for the code, in the form that is open already where there is one."""
        sources = {SOURCE_REAUTH, SOURCE_RECONFIGURE}
        flow: Any = next(iter(entry.async_get_active_flows(self.hass, sources)), None)
        if flow is None:
            flow = await self.hass.config_entries.flow.async_init(
                DOMAIN,
                context=ConfigFlowContext(
                    source=SOURCE_REAUTH,
                    entry_id=entry.entry_id,
                    title_placeholders={"name": entry.title},
                    unique_id=entry.unique_id,
                ),
                data=dict(entry.data),
            )
        return self.async_abort(
            reason="pair_again", next_flow=(FlowType.CONFIG_FLOW, flow["flow_id"])
        )


class LookAgainFlow(AccountRepairFlow):
    """Look at the server again, after a clock was set or something was updated."""

    @override
    async def async_repair(self, entry: V2GConfigEntry) -> RepairsFlowResult:
        """See whether it is well now."""
        if await AccountCheck(self.hass, entry.runtime_data.coordinator).async_look():
            return self.async_create_entry(data={})
        return self.async_abort(reason="still_wrong")


class TakeZoneFlow(AccountRepairFlow):
    """Let the agent count in Home Assistant's time zone: also budgets, and the hours of rules."""

    writes = True
    loosens = True

    @override
    async def async_repair(self, entry: V2GConfigEntry) -> RepairsFlowResult:
        """Change the owner's zone; every phone of theirs counts in it from then on."""
        api = entry.runtime_data.coordinator.api
        owner = await api.get("/v1/me")
        wanted = {"time_zone": self.hass.config.time_zone}
        await api.patch("/v1/me", wanted, int(owner["revision"]))
        return self.async_create_entry(data={})


class ChooseEntitiesFlow(AccountRepairFlow):
    """Lead to the form in which other entities are chosen; the repair ends when they speak."""

    @override
    async def async_repair(self, entry: V2GConfigEntry) -> RepairsFlowResult:
        """Open the vehicle's or charger's form."""
        subentry = entry.subentries.get(str(self._about["subentry_id"]))
        if subentry is None:
            return self.async_create_entry(data={})
        flow = await self.hass.config_entries.subentries.async_init(
            (entry.entry_id, subentry.subentry_type),
            context=SubentryFlowContext(
                source=SOURCE_RECONFIGURE, subentry_id=subentry.subentry_id
            ),
        )
        return self.async_abort(
            reason="choose_entities",
            next_flow=(FlowType.CONFIG_SUBENTRIES_FLOW, flow["flow_id"]),
        )


class UnlinkFlow(AccountRepairFlow):
    """Unlink a device that the API no longer knows; what was recorded of it stays."""

    @override
    async def async_repair(self, entry: V2GConfigEntry) -> RepairsFlowResult:
        """Remove the subentry, and its device and entities with it."""
        if (subentry_id := str(self._about["subentry_id"])) in entry.subentries:
            self.hass.config_entries.async_remove_subentry(entry, subentry_id)
        return self.async_create_entry(data={})


class TurnSignFlow(AccountRepairFlow):
    """Count the other direction of a power sensor as positive."""

    @override
    async def async_repair(self, entry: V2GConfigEntry) -> RepairsFlowResult:
        """Turn the sign, which loads the account anew and makes a charger's test void."""
        if (subentry := entry.subentries.get(str(self._about["subentry_id"]))) is not None:
            now = subentry.data.get(CONF_POWER_SIGN)
            turned = (
                POWER_SIGN_CHARGING_POSITIVE
                if now == POWER_SIGN_DISCHARGING_POSITIVE
                else POWER_SIGN_DISCHARGING_POSITIVE
            )
            self.hass.config_entries.async_update_subentry(
                entry, subentry, data=untested({**subentry.data, CONF_POWER_SIGN: turned})
            )
        return self.async_create_entry(data={})


class DeviceSeenFlow(ConfirmRepairFlow):
    """Put away the notice of a paired device for good; it needs no agent."""

    def __init__(self, about: dict[str, Any]) -> None:
        """Remember which device it is about."""
        super().__init__()
        self._about = about

    @override
    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Note that the owner has seen it."""
        if user_input is not None:
            seen = SeenDevices(self.hass, str(self._about["entry_id"]))
            await seen.async_add(str(self._about["device_id"]))
        return await super().async_step_confirm(user_input)


FLOWS: Final[dict[str, type[AccountRepairFlow | KeepOneFlow | DeviceSeenFlow]]] = {
    "start_over": StartOverFlow,
    "check_again": CheckAgainFlow,
    "pair_again": PairAgainFlow,
    "look_again": LookAgainFlow,
    "take_zone": TakeZoneFlow,
    "choose_entities": ChooseEntitiesFlow,
    "turn_sign": TurnSignFlow,
    "unlink": UnlinkFlow,
    "device_seen": DeviceSeenFlow,
    "confirm_limits": ConfirmLimitsFlow,
    "keep_one": KeepOneFlow,
    "read_terms": ReadTermsFlow,
}


async def async_create_fix_flow(
    hass: HomeAssistant,
    issue_id: str,
    data: dict[str, Any] | None,
) -> RepairsFlow:
    """Return the flow of one repair; one without a way of its own is read and put away."""
    about = data or {}
    flow = FLOWS.get(str(about.get("fix")))
    return ConfirmRepairFlow() if flow is None else flow(about)
