"""The event streams in the contract: which events each role hears, and what their data is.

OpenAPI 3.1 has no words for the parts of a stream, so they stand in ``x-events`` by role and name;
the data's schemas are components.
"""

from typing import Any, Final

from owner_api.relay import VERSION
from owner_api.schemas.events import EVENTS, WHEN, Listener
from owner_api.schemas.fields import openapi
from owner_api.schemas.meanings import explained
from owner_api.schemas.names import NAMES

from .openapi_shared import PLACE, answered

type Json = dict[str, Any]

STREAM: Final = "text/event-stream"
_ENVELOPE: Final = "Event"
_WIRE: Final = (
    "Server-sent events. `id` is the event's number in this party's stream and grows by one,"
    " `event` its name, `data` one line of JSON (#/components/schemas/Event). Lines that begin"
    " with a colon say that the stream still lives."
)


def events_media() -> Json:
    """Return the stream's media object: its text, and each role's events by name."""
    told = (f"For a {listener}: {', '.join(names)}." for listener, names in EVENTS.items())
    described = "\n\n".join((_WIRE, *told))
    return {
        "schema": {"type": "string", "description": described},
        "x-events": {
            listener: {
                name: {
                    "description": WHEN[name],
                    "data": {"$ref": PLACE + _component(listener, name)},
                }
                for name in names
            }
            for listener, names in EVENTS.items()
        },
    }


def event_schemas() -> Json:
    """Return the components that the streams refer to."""
    found: Json = {_ENVELOPE: _envelope()}
    for listener, names in EVENTS.items():
        for name, data in names.items():
            component = _component(listener, name)
            if component not in found:
                found[component] = answered(explained(openapi(data)))
    return found


def _envelope() -> Json:
    return {
        "type": "object",
        "required": ["v", "seq", "type", "at", "data"],
        "properties": {
            "v": {"type": "integer", "const": VERSION},
            "seq": {
                "type": "integer",
                "minimum": 1,
                "description": "The event's number; `after` and Last-Event-ID go on from it.",
            },
            "type": {
                "type": "string",
                "description": "Its name, one of x-events; pass over one that you do not know.",
            },
            "at": {"type": "string", "format": "date-time"},
            "data": {"type": "object", "description": "How what it is about stands now."},
        },
    }


def _component(listener: Listener, name: str) -> str:
    """Return the name of an event's data; events about one thing share it where it is the same."""
    names = EVENTS[listener]
    for known, schema in NAMES.items():
        if schema is names[name]:
            return known
    first = next(each for each, data in names.items() if data is names[name])
    family = first.partition(".")[0]
    begins = next(each for each in names if each.partition(".")[0] == family)
    about = family if first == begins else name
    return "".join(word.title() for word in (listener, *about.split("."), "event"))
