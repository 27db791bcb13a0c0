"""What an owner can do about a repair from where it is shown."""

from typing import Any, override

from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlow
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant

from .api_errors import OwnerApiError
from .coordinator import V2GConfigEntry


class LogRepairFlow(ConfirmRepairFlow):
    """Go by the operator's log as it is now, after the owner has cleared it with them."""

    def __init__(self, entry_id: str) -> None:
        """Remember whose log it is."""
        super().__init__()
        self._entry_id = entry_id

    @override
    async def async_step_confirm(self, user_input: dict[str, str] | None = None) -> Any:
        """Start over once confirmed."""
        if user_input is None:
            return await super().async_step_confirm()
        entry: V2GConfigEntry | None = self.hass.config_entries.async_get_entry(self._entry_id)
        if entry is None:
            return self.async_create_entry(data={})
        if entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="not_loaded")
        try:
            await entry.runtime_data.log.async_start_over()
        except OwnerApiError:
            return self.async_abort(reason="not_loaded")
        if entry.runtime_data.log.contradicted:
            return self.async_abort(reason="still_contradicted")
        return self.async_create_entry(data={})


class PairAgainRepairFlow(ConfirmRepairFlow):
    """Open the form for a new pairing code, which pins the operator's new key."""

    def __init__(self, entry_id: str) -> None:
        """Remember whose pairing it is."""
        super().__init__()
        self._entry_id = entry_id

    @override
    async def async_step_confirm(self, user_input: dict[str, str] | None = None) -> Any:
        """Ask for the code once confirmed."""
        entry = self.hass.config_entries.async_get_entry(self._entry_id)
        if user_input is not None and entry is not None:
            entry.async_start_reauth(self.hass)
        return await super().async_step_confirm(user_input)


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, Any] | None
) -> RepairsFlow:
    """Return the flow of one repair; without one of its own, it is read and put away."""
    fix, entry_id = (data or {}).get("fix"), str((data or {}).get("entry_id"))
    if fix == "start_over":
        return LogRepairFlow(entry_id)
    if fix == "pair_again":
        return PairAgainRepairFlow(entry_id)
    return ConfirmRepairFlow()
