"""Tell the owner what is wrong with the operator's log, as repairs."""

from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN
from .trust_epoch import NewEpoch
from .trust_note import Checkpoint
from .trust_proofs import LogContradictionError
from .verbatim import verbatim

# A receipt that does not hold is no reason to give up the checkpoint that binds the operator.
_FIXES: Final = {"unknown_key": "pair_again", "receipt": "check_again"}


def contradiction_id(entry_id: str) -> str:
    """Return the id of the one repair about a bent log."""
    return f"log_contradiction_{entry_id}"


@callback
def async_tell_contradiction(
    hass: HomeAssistant,
    entry: ConfigEntry[Any],
    contradiction: LogContradictionError,
    held: Checkpoint | None,
) -> None:
    """Raise the repair; it stays over restarts, for a bent log may refuse all service."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        contradiction_id(entry.entry_id),
        data={
            "entry_id": entry.entry_id,
            "fix": _FIXES.get(contradiction.kind, "start_over"),
        },
        is_fixable=True,
        is_persistent=True,
        severity=ir.IssueSeverity.ERROR,
        translation_key=f"log_{contradiction.kind}",
        translation_placeholders={
            "name": entry.title,
            "size": str(held.size if held else 0),
            "detail": verbatim(str(contradiction)),
        },
    )


@callback
def async_clear_contradiction(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Take the repair back: the log shown holds what we hold."""
    ir.async_delete_issue(hass, DOMAIN, contradiction_id(entry.entry_id))


@callback
def async_tell_unproven(
    hass: HomeAssistant, entry: ConfigEntry[Any], charger: str, commitment_id: str
) -> None:
    """Say that a deal wants to discharge at a charger of ours and nothing proves a yes to it."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        unproven_id(commitment_id),
        data={"entry_id": entry.entry_id},
        is_fixable=False,
        severity=ir.IssueSeverity.ERROR,
        translation_key="deal_unproven",
        translation_placeholders={
            "name": entry.title,
            "charger": charger,
            "deal": commitment_id,
        },
    )


def unproven_id(commitment_id: str) -> str:
    """Return the id of the repair about a deal without a yes."""
    return f"deal_unproven_{commitment_id}"


@callback
def async_tell_epoch(
    hass: HomeAssistant, entry: ConfigEntry[Any], opened: NewEpoch, *, receipts: int
) -> None:
    """Show a loss that was said openly: what was kept, what is missing, and why."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        f"log_epoch_{entry.entry_id}_{opened.epoch}",
        data={"entry_id": entry.entry_id},
        is_fixable=True,
        is_persistent=True,
        severity=ir.IssueSeverity.WARNING,
        translation_key="log_epoch",
        translation_placeholders={
            "name": entry.title,
            "kept": str(opened.kept_size),
            "missing": str(opened.missing),
            "receipts": str(receipts),
            "reason": verbatim(opened.reason),
        },
    )
