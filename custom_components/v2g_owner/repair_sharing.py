"""The repair for two chargers set through one thing: the owner says which of them keeps it."""

from typing import Any, Final

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
import probatio

from .charger_control import CONF_CONTROL
from .charger_sharing import Hand
from .const import DOMAIN
from .issues import async_change_mapping

CONF_KEEP: Final = "keep"


class KeepOneFlow(RepairsFlow):
    """Take the control away from all but the charger that the owner names; no agent is needed."""

    def __init__(self, about: dict[str, Any]) -> None:
        """Remember which two chargers it is about."""
        super().__init__()
        self._about = about

    async def async_step_init(
        self,
        user_input: dict[str, str] | None = None,  # noqa: ARG002 - nothing is asked before it
    ) -> RepairsFlowResult:
        """Begin with the question."""
        return await self.async_step_confirm()

    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Ask which one it is, then let the other one go; it stays linked, and is only shown."""
        issue = ir.async_get(self.hass).async_get_issue(DOMAIN, self.issue_id)
        found = self._hands()
        if issue is None or len(found) < 2:
            return self.async_create_entry(data={})
        if user_input is None:
            chargers = SelectSelector(
                SelectSelectorConfig(
                    options=[
                        SelectOptionDict(value=hand.subentry.subentry_id, label=hand.name)
                        for hand in found
                    ],
                    mode=SelectSelectorMode.LIST,
                )
            )
            return self.async_show_form(
                step_id="confirm",
                data_schema=probatio.Schema({probatio.Required(CONF_KEEP): chargers}),
                description_placeholders=issue.translation_placeholders,
            )
        for hand in found:
            if hand.subentry.subentry_id != user_input[CONF_KEEP]:
                data = {k: v for k, v in hand.subentry.data.items() if k != CONF_CONTROL}
                async_change_mapping(self.hass, hand.entry, hand.subentry, data)
        return self.async_create_entry(data={})

    def _hands(self) -> list[Hand]:
        """Return the two chargers, without one that was removed meanwhile."""
        found = []
        for before in ("", "other_"):
            entry = self.hass.config_entries.async_get_entry(str(self._about[f"{before}entry_id"]))
            subentry_id = str(self._about[f"{before}subentry_id"])
            if entry is not None and subentry_id in entry.subentries:
                found.append(Hand(entry=entry, subentry=entry.subentries[subentry_id]))
        return found
