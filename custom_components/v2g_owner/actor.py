"""Who is behind an action: a person's tap or an automation the owner wrote."""

from dataclasses import dataclass
from typing import Any

from homeassistant.core import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """How a decision came about, and who made it; the API keeps both on the owner's side."""

    method: str
    who: dict[str, str]


def actor_of(context: Context) -> Actor:
    """Return who acts in a context.

    Only a person's own call carries a user and no parent: an automation gets a context of its
    own, whose parent is what triggered it, even when that was a person.
    """
    if context.user_id is not None and context.parent_id is None:
        return Actor(method="tap", who={"user": context.user_id})
    return Actor(method="automation", who={"automation": _automation(context)})


def _automation(context: Context) -> str:
    """Return the entity id of the automation or script that started a context."""
    origin = context.origin_event
    data: dict[str, Any] = dict(origin.data) if origin is not None else {}
    return str(data.get("entity_id") or "unknown")[:200]
