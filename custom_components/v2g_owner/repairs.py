"""What an owner can do about a repair from where it is shown."""

from abc import abstractmethod
from typing import Any, ClassVar, Final, override

from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlow, RepairsFlowResult
from homeassistant.components.repairs.const import FlowType
from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    SubentryFlowContext,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import probatio

from .account_issues import AccountCheck
from .agreeing import async_agree, covered
from .api import Json
from .api_errors import OwnerApiError, OwnerApiProblem
from .charger_control import untested
from .const import (
    CONF_POWER_SIGN,
    DOMAIN,
    POWER_SIGN_CHARGING_POSITIVE,
    POWER_SIGN_DISCHARGING_POSITIVE,
)
from .coordinator import V2GConfigEntry
from .errors import async_sentence
from .loading import async_loaded
from .models import Agreement
from .verbatim import verbatim


class AccountRepairFlow(ConfirmRepairFlow):
    """A repair that something can be done about, once the owner has said so."""

    writes: ClassVar[bool] = False
    """Whether it asks the agent to change something, which the agent may refuse."""

    def __init__(self, about: dict[str, Any]) -> None:
        """Remember which account, vehicle or park it is about."""
        super().__init__()
        self._about = about

    @property
    def _entry(self) -> V2GConfigEntry | None:
        """The account, None when it has been deleted."""
        return self.hass.config_entries.async_get_entry(str(self._about.get("entry_id")))

    @override
    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Ask first; then do it, if the account is there to do it with."""
        if user_input is None:
            return await super().async_step_confirm()
        if (entry := self._entry) is None:
            return self.async_create_entry(data={})
        if not await async_loaded(entry):
            return self.async_abort(reason="not_loaded")
        try:
            return await self.async_repair(entry)
        except OwnerApiError as error:
            if self.writes and isinstance(error, OwnerApiProblem) and error.is_the_callers:
                detail = await async_sentence(self.hass, error)
                return self.async_abort(
                    reason="refused", description_placeholders={"detail": detail}
                )
            return self.async_abort(reason="not_loaded")

    @abstractmethod
    async def async_repair(self, entry: V2GConfigEntry) -> RepairsFlowResult:
        """Do what the owner confirmed."""


class StartOverFlow(AccountRepairFlow):
    """Go by the operator's log as it is now, after the owner has cleared it with them."""

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
    """Open the form for a new pairing code, which pins the operator's new key."""

    @override
    async def async_repair(self, entry: V2GConfigEntry) -> RepairsFlowResult:
        """Ask for the code."""
        entry.async_start_reauth(self.hass)
        return self.async_create_entry(data={})


class LookAgainFlow(AccountRepairFlow):
    """Look at the server again, after a clock was set or something was updated."""

    @override
    async def async_repair(self, entry: V2GConfigEntry) -> RepairsFlowResult:
        """See whether it is well now."""
        if await AccountCheck(self.hass, entry.runtime_data.coordinator).async_look():
            return self.async_create_entry(data={})
        return self.async_abort(reason="still_wrong")


class TakeZoneFlow(AccountRepairFlow):
    """Let the agent count in Home Assistant's time zone."""

    writes = True

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


class ReadTermsFlow(AccountRepairFlow):
    """Show a park's new terms, and agree to them in place of the old."""

    writes = True

    def __init__(self, about: dict[str, Any]) -> None:
        """Start without having shown any terms."""
        super().__init__(about)
        self._shown_version: int | None = None

    @override
    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Show exactly the terms that will be agreed to."""
        entry = self._entry
        if user_input is not None or entry is None or not await async_loaded(entry):
            return await super().async_step_confirm(user_input or {})
        try:
            found = await self._async_found(entry)
        except OwnerApiError:
            return self.async_abort(reason="not_loaded")
        if found is None:
            return self.async_create_entry(data={})
        _, park = found
        self._shown_version = int(park["terms_version"])
        issue = ir.async_get(self.hass).async_get_issue(DOMAIN, self.issue_id)
        return self.async_show_form(
            step_id="confirm",
            data_schema=probatio.Schema({}),
            description_placeholders={
                **((issue and issue.translation_placeholders) or {}),
                "terms": verbatim(str(park["terms_text"])),
            },
        )

    async def _async_found(self, entry: V2GConfigEntry) -> tuple[Agreement, Json] | None:
        """Return the agreement and its park's terms, None when either is there no more."""
        coordinator = entry.runtime_data.coordinator
        agreement = coordinator.data.agreements.get(str(self._about["agreement_id"]))
        parks = (await coordinator.api.get("/v1/parks"))["items"]
        return next(
            (
                (agreement, each)
                for each in parks
                if agreement is not None
                and agreement.state == "active"
                and each["park_id"] == agreement.park.park_id
            ),
            None,
        )

    @override
    async def async_repair(self, entry: V2GConfigEntry) -> RepairsFlowResult:
        """Replace the agreement in one act; what its cars have agreed goes on."""
        coordinator = entry.runtime_data.coordinator
        found = await self._async_found(entry)
        if found is None:
            return self.async_create_entry(data={})
        agreement, park = found
        if int(park["terms_version"]) != self._shown_version:
            return self.async_abort(reason="still_wrong")
        if kept := covered(coordinator, agreement):
            version = int(park["terms_version"])
            await async_agree(coordinator, agreement.park.park_id, version, kept, agreement)
        else:
            # No agreement is made for no car.
            await coordinator.api.post(f"/v1/agreements/{agreement.agreement_id}/withdrawal", {})
        return self.async_create_entry(data={})


FLOWS: Final[dict[str, type[AccountRepairFlow]]] = {
    "start_over": StartOverFlow,
    "check_again": CheckAgainFlow,
    "pair_again": PairAgainFlow,
    "look_again": LookAgainFlow,
    "take_zone": TakeZoneFlow,
    "choose_entities": ChooseEntitiesFlow,
    "turn_sign": TurnSignFlow,
    "unlink": UnlinkFlow,
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
