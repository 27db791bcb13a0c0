"""Who is behind an action: a person's tap or an automation the owner wrote."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from homeassistant.core import Context, Event, HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN

_STARTERS: Final = ("automation_triggered", "script_started")
# Runs overlap by a few; an old one no longer acts.
_MOST_REMEMBERED: Final = 256
_STARTED_BY: HassKey[dict[str, str]] = HassKey(f"{DOMAIN}_started_by")


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """How a decision came about, and who made it; the API keeps both on the owner's side."""

    method: str
    who: dict[str, str]


@callback
def async_remember_starters(hass: HomeAssistant) -> None:
    """Note which automation or script started which context.

    A context itself does not tell: it remembers its first event only if somebody listened to it.
    """
    started_by: dict[str, str] = hass.data.setdefault(_STARTED_BY, {})

    @callback
    def remember(event: Event[Any]) -> None:
        started_by.setdefault(event.context.id, str(event.data.get("entity_id", "unknown")))
        if len(started_by) > _MOST_REMEMBERED:
            del started_by[next(iter(started_by))]

    for kind in _STARTERS:
        hass.bus.async_listen(kind, remember)


async def async_actor_of(hass: HomeAssistant, context: Context) -> Actor:
    """Return who acts in a context.

    Only a person's own call carries a user and no parent: an automation gets a context of its
    own, whose parent is what triggered it, even when that was a person.
    """
    if context.user_id is not None and context.parent_id is None:
        return Actor(method="tap", who={"user": context.user_id})
    # An automation that our own event triggered gets here before the bus has told that it started:
    # what is fired while listeners run waits until they are done.
    await asyncio.sleep(0)
    starter = hass.data.get(_STARTED_BY, {}).get(context.id, "unknown")
    return Actor(method="automation", who={"automation": starter[:200]})
