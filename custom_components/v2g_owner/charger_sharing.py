"""Chargers set through one and the same entity, of one account or of two: two hands on one thing.

Each takes the other's commands for somebody's from nowhere, and undoes them. New ones are refused
in the form; those from before are a repair, and neither discharges until it is settled.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

from homeassistant.config_entries import (
    SIGNAL_CONFIG_ENTRY_CHANGED,
    ConfigEntry,
    ConfigEntryChange,
    ConfigSubentry,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.util.hass_dict import HassKey

from .charger_control import (
    CONF_CHARGE_TESTED,
    CONF_CONTROL,
    CONF_SET_ACTIONS,
    CONF_STOP_ACTIONS,
    ChargerControl,
)
from .const import DOMAIN, SUBENTRY_CHARGER

_SHARED: Final[HassKey[frozenset[str]]] = HassKey(f"{DOMAIN}_shared_chargers")
_ISSUE: Final = "charger_shared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """A charger that an account sets, or means to."""

    entry: ConfigEntry[Any]
    subentry: ConfigSubentry

    @property
    def name(self) -> str:
        """The charger's name and its account's: two accounts may call it the same."""
        return f"{self.subentry.title} ({self.entry.title})"


def hands(hass: HomeAssistant) -> Iterator[Hand]:
    """Yield the chargers of all accounts that have a control."""
    for entry in hass.config_entries.async_entries(DOMAIN):
        for subentry in entry.get_subentries_of_type(SUBENTRY_CHARGER):
            if subentry.data.get(CONF_CONTROL):
                yield Hand(entry=entry, subentry=subentry)


def set_through_both(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """Return what two controls set alike: an entity, or an action; None where they have nothing.

    Actions of the owner's that only have an entity in common, such as one meter's switch, may
    well be of two chargers: all of them have to be the same, or to set the other's own entity.
    """
    first, second = ChargerControl.read(one), ChargerControl.read(other)
    alike = {*first.entities, *_targets(one)} & {*second.entities}
    alike |= {*second.entities, *_targets(other)} & {*first.entities}
    if alike:
        return min(alike)
    if first.set_actions and list(first.set_actions) == list(second.set_actions):
        action: str = next(_called(list(first.set_actions)), "")
        return action
    return None


def is_shared(hass: HomeAssistant, subentry_id: str) -> bool:
    """Tell whether another charger is set through what this one is set through."""
    return subentry_id in hass.data.get(_SHARED, frozenset())


@callback
def async_watch_sharing(hass: HomeAssistant) -> None:
    """Look now, and whenever an account or what is linked to it changes, loaded or not."""

    @callback
    def changed(_change: ConfigEntryChange, entry: ConfigEntry[Any]) -> None:
        if entry.domain == DOMAIN:
            _async_look(hass)

    async_dispatcher_connect(hass, SIGNAL_CONFIG_ENTRY_CHANGED, changed)
    _async_look(hass)


@callback
def _async_look(hass: HomeAssistant) -> None:
    """Note the chargers with two hands on them, raise their repairs and end the others."""
    # What is not tested, or is switched off, is never set.
    driven = [
        hand
        for hand in hands(hass)
        if hand.entry.disabled_by is None
        and hand.subentry.data[CONF_CONTROL].get(CONF_CHARGE_TESTED)
    ]
    shared: set[str] = set()
    raised: set[str] = set()
    for first, second in combinations(driven, 2):
        controls = (each.subentry.data[CONF_CONTROL] for each in (first, second))
        if (what := set_through_both(*controls)) is not None:
            shared |= {first.subentry.subentry_id, second.subentry.subentry_id}
            raised.add(_async_raise(hass, first, second, what))
    hass.data[_SHARED] = frozenset(shared)
    for issue in list(ir.async_get(hass).issues.values()):
        ended = issue.domain == DOMAIN and issue.issue_id not in raised
        if ended and issue.issue_id.startswith(f"{_ISSUE}_"):
            ir.async_delete_issue(hass, DOMAIN, issue.issue_id)


@callback
def _async_raise(hass: HomeAssistant, first: Hand, second: Hand, what: str) -> str:
    """Raise the repair that names both; returns its id."""
    ids = sorted(each.subentry.subentry_id for each in (first, second))
    issue_id = f"{_ISSUE}_{'_'.join(ids)}"
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        data={
            "entry_id": first.entry.entry_id,
            "subentry_id": first.subentry.subentry_id,
            "other_entry_id": second.entry.entry_id,
            "other_subentry_id": second.subentry.subentry_id,
            "fix": "keep_one",
        },
        is_fixable=True,
        severity=ir.IssueSeverity.ERROR,
        translation_key=_ISSUE,
        translation_placeholders={"first": first.name, "second": second.name, "what": what},
    )
    return issue_id


def _targets(control: Mapping[str, Any]) -> set[str]:
    """Return the entities that the owner's actions set by name."""
    actions = [*control.get(CONF_SET_ACTIONS, ()), *control.get(CONF_STOP_ACTIONS, ())]
    return {
        entity_id
        for step in _steps(actions)
        for place in (step, step.get("target"), step.get("data"))
        if isinstance(place, Mapping)
        for entity_id in _listed(place.get("entity_id"))
    }


def _called(actions: Any) -> Iterator[str]:  # noqa: ANN401 - whatever the owner wrote
    """Yield the names of the actions that are called."""
    return (str(step.get("action", step.get("service"))) for step in _steps(actions))


def _steps(actions: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 - as above
    """Yield every step that calls an action, also those inside of choices and repeats."""
    if isinstance(actions, Mapping):
        if "action" in actions or "service" in actions:
            yield actions
        for value in actions.values():
            yield from _steps(value)
    elif isinstance(actions, list | tuple):
        for each in actions:
            yield from _steps(each)


def _listed(entities: Any) -> list[str]:  # noqa: ANN401 - as above
    """Return entities that are named one by one, in a list or by commas."""
    found = entities.split(",") if isinstance(entities, str) else entities or []
    return [each.strip() for each in found if isinstance(each, str)]
