"""The repair that asks whether a car's limits are its owner's, after a backup was put back."""

from collections.abc import Mapping
from typing import Any, Final, override

from homeassistant.components.repairs import RepairsFlowResult
from homeassistant.helpers.selector import (
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
import probatio

from .actor import async_actor_of, who_fills_in
from .coordinator import V2GConfigEntry
from .limits_kept import KeptLimits, differing, newer_here
from .limits_words import async_limits_words
from .loading import async_loaded
from .loosening import async_check_may_allow
from .models import Preferences
from .repair_flow import AccountRepairFlow
from .verbatim import verbatim

CONF_TAKE: Final = "take"
TAKE_HERE: Final = "here"
TAKE_BACKUP: Final = "backup"
_TAKEN: Final = SelectSelector(
    SelectSelectorConfig(
        options=[TAKE_HERE, TAKE_BACKUP],
        mode=SelectSelectorMode.LIST,
        translation_key="limits_taken",
    )
)


class _ChangedError(Exception):
    """The limits are not those that were shown any more."""


class ConfirmLimitsFlow(AccountRepairFlow):
    """Show a car's limits and take a person's word for them: the backup's, or this home's again."""

    writes = True

    def __init__(self, about: dict[str, Any]) -> None:
        """Start without having shown any limits."""
        super().__init__(about)
        self._vehicle_id = str(about["vehicle_id"])
        self._shown: Preferences | None = None
        self._here: Preferences | None = None
        self._take: str = TAKE_BACKUP

    @override
    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Show exactly the limits that will be confirmed."""
        entry = self._entry
        if user_input is not None or entry is None or not await async_loaded(entry):
            self._take = (user_input or {}).get(CONF_TAKE, TAKE_BACKUP)
            return await super().async_step_confirm(user_input or {})
        if (wishes := self._unconfirmed(entry)) is None:
            return self.async_create_entry(data={})
        coordinator = entry.runtime_data.coordinator
        kept = await KeptLimits(self.hass, entry.entry_id).async_load()
        self._shown, self._here = wishes, newer_here(kept.get(self._vehicle_id), wishes)
        words = await async_limits_words(self.hass, coordinator)
        assert wishes.unconfirmed_since is not None
        vehicle = coordinator.data.vehicles[self._vehicle_id]
        return self.async_show_form(
            step_id="confirm",
            data_schema=probatio.Schema(
                {probatio.Required(CONF_TAKE): _TAKEN} if self._here else {}
            ),
            description_placeholders={
                "name": verbatim(vehicle.display_name),
                # With its date on the day itself as well: it may be read much later.
                "restored_at": words.moments.dated(wishes.unconfirmed_since),
                "limits": words.listed(coordinator, wishes, self._here),
            },
        )

    def _unconfirmed(self, entry: V2GConfigEntry) -> Preferences | None:
        """Return the limits that wait for a person, None where they do no more."""
        data = entry.runtime_data.coordinator.data
        wishes = data.preferences.get(self._vehicle_id)
        waits = wishes is not None and wishes.unconfirmed_since is not None
        return wishes if waits and self._vehicle_id in data.vehicles else None

    @override
    async def async_repair(self, entry: V2GConfigEntry) -> RepairsFlowResult:
        """Put this home's limits back where those were chosen; confirm what is then in force."""
        coordinator = entry.runtime_data.coordinator
        if (wishes := self._unconfirmed(entry)) is None:
            return self.async_create_entry(data={})
        if wishes != self._shown:
            return self.async_abort(reason="still_wrong")
        context = who_fills_in()
        await async_check_may_allow(coordinator, self._vehicle_id, context)
        revision = wishes.revision
        if self._take == TAKE_HERE and self._here is not None:
            put_back = differing(wishes, self._here)

            def as_shown() -> Mapping[str, Any]:
                # Another change of this home may have been on its way, and is seen by nobody yet.
                if self._unconfirmed(entry) != wishes:
                    raise _ChangedError
                return put_back

            try:
                written = await coordinator.async_write("preferences", self._vehicle_id, as_shown)
            except _ChangedError:
                return self.async_abort(reason="still_wrong")
            # Of what was written, and not of what a phone may have made of it since.
            revision = int(written["revision"])
        actor = await async_actor_of(self.hass, context)
        user = {name: value for name, value in actor.who.items() if name == "user"}
        path = f"/v1/vehicles/{self._vehicle_id}/preferences/confirmation"
        answer = await coordinator.api.post(path, {"revision": revision, "actor": user})
        coordinator.async_apply("preferences.updated", answer)
        return self.async_create_entry(data={})
