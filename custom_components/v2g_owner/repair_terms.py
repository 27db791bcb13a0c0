"""The repair that shows a park's terms, and agrees to them anew."""

from typing import Any, override

from homeassistant.components.repairs import RepairsFlowResult
from homeassistant.helpers import issue_registry as ir
import probatio

from .actor import who_fills_in
from .agreeing import async_agree, covered
from .api import Json
from .api_errors import OwnerApiError
from .const import DOMAIN
from .coordinator import V2GConfigEntry
from .loading import async_loaded
from .loosening import async_check_may_allow
from .models import Agreement
from .pages import async_every_item
from .repair_flow import AccountRepairFlow
from .verbatim import verbatim


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
        told = (issue and issue.translation_placeholders) or {}
        return self.async_show_form(
            step_id="confirm",
            data_schema=probatio.Schema({}),
            description_placeholders={
                **{name: verbatim(text) for name, text in told.items()},
                "terms": verbatim(str(park["terms_text"])),
            },
        )

    async def _async_found(self, entry: V2GConfigEntry) -> tuple[Agreement, Json] | None:
        """Return the agreement and its park's terms, None when either is there no more."""
        coordinator = entry.runtime_data.coordinator
        agreement = coordinator.data.agreements.get(str(self._about["agreement_id"]))
        parks = await async_every_item(coordinator.api, "/v1/parks")
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
            for vehicle_id in kept:
                await async_check_may_allow(coordinator, vehicle_id, who_fills_in())
            await async_agree(coordinator, agreement.park.park_id, version, kept, agreement)
        else:
            # No agreement is made for no car.
            await coordinator.api.post(f"/v1/agreements/{agreement.agreement_id}/withdrawal", {})
        return self.async_create_entry(data={})
