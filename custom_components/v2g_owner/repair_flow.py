"""What every repair that does something shares: it asks first, and needs its account."""

from abc import abstractmethod
from typing import Any, ClassVar, override

from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlowResult
from homeassistant.exceptions import ServiceValidationError

from .api_errors import OwnerApiError, OwnerApiProblem
from .coordinator import V2GConfigEntry
from .errors import async_sentence
from .loading import async_loaded
from .loosening import async_check_may_allow_all


class AccountRepairFlow(ConfirmRepairFlow):
    """A repair that something can be done about, once the owner has said so."""

    writes: ClassVar[bool] = False
    """Whether it asks the agent to change something, which the agent may refuse."""
    loosens: ClassVar[bool] = False
    """Whether it may let more of the account's cars be sold, or gives up what speaks for them."""

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
            if self.loosens:
                await async_check_may_allow_all(entry.runtime_data.coordinator)
            return await self.async_repair(entry)
        except (OwnerApiError, ServiceValidationError) as error:
            problem = isinstance(error, OwnerApiProblem) and error.is_the_callers
            if not (isinstance(error, ServiceValidationError) or (self.writes and problem)):
                return self.async_abort(reason="not_loaded")
            detail = await async_sentence(self.hass, error)
            return self.async_abort(reason="refused", description_placeholders={"detail": detail})

    @abstractmethod
    async def async_repair(self, entry: V2GConfigEntry) -> RepairsFlowResult:
        """Do what the owner confirmed."""
