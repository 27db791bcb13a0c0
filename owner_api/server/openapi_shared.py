"""One type for one thing in the contract: what has a name is a component, and referred to.

What is sent is closed, what is answered is open: answers and events get more fields with time, and
a client that was made from the contract has to pass over them. What goes both ways is two types.
"""

from typing import Any, Final

import orjson

from owner_api.schemas.fields import openapi
from owner_api.schemas.meanings import explained
from owner_api.schemas.names import NAMES, SENT

type Json = dict[str, Any]

PLACE: Final = "#/components/schemas/"


def answered(schema: Json) -> Json:
    """Return a schema as answers and events have it: with room for fields that are yet to come."""
    opened: Json = _opened(schema)
    return opened


def _opened(node: Any) -> Any:  # noqa: ANN401 - any part of a schema
    if isinstance(node, list):
        return [_opened(each) for each in node]
    if not isinstance(node, dict):
        return node
    closed = node.get("additionalProperties") is False
    return {
        key: _opened(value)
        for key, value in node.items()
        if not (closed and key == "additionalProperties")
    }


def shared(document: Json) -> Json:
    """Return a contract in which each schema that has a name is written once.

    A schema has a name where it is the same as the one of that name; what a field says of itself
    stays beside the reference.
    """
    named = _named()
    used: Json = {}

    def inside(node: Json) -> Json:
        return {key: refer(value) for key, value in node.items()}

    def refer(node: Any) -> Any:  # noqa: ANN401 - any part of a contract
        if isinstance(node, list):
            return [refer(each) for each in node]
        if not isinstance(node, dict):
            return node
        known = named.get(_form(node)) if "type" in node else None
        if known is None:
            return inside(node)
        name, schema = known
        if name not in used:
            used[name] = inside(schema)
        told = {"description": node["description"]} if "description" in node else {}
        return told | {"$ref": PLACE + name}

    components = document["components"]
    schemas = {name: inside(schema) for name, schema in components["schemas"].items()}
    found: Json = refer(document | {"components": {}})
    found["components"] = components | {"schemas": schemas | dict(sorted(used.items()))}
    return found


def _named() -> dict[bytes, tuple[str, Json]]:
    """Return name and schema of each form that has one: as it is answered, and as it is sent."""
    found: dict[bytes, tuple[str, Json]] = {}
    for name, schema in NAMES.items():
        sent = explained(openapi(schema))
        found[_form(sent)] = SENT.get(name, name), sent
        told = answered(sent)
        found[_form(told)] = name, told
    return found


def _form(schema: Json) -> bytes:
    """Return what makes two schemas the same: all but what they say of themselves."""
    plain = {key: value for key, value in schema.items() if key != "description"}
    return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)
