"""One type for one thing in the contract: what has a name is a component, and referred to."""

from typing import Any, Final

import orjson

from owner_api.schemas.fields import openapi
from owner_api.schemas.meanings import explained
from owner_api.schemas.names import NAMES

type Json = dict[str, Any]

PLACE: Final = "#/components/schemas/"


def shared(document: Json) -> Json:
    """Return a contract in which each schema that has a name is written once.

    A schema has a name where it is the same as the one of that name; what a field says of itself
    stays beside the reference.
    """
    rendered = {name: explained(openapi(schema)) for name, schema in NAMES.items()}
    names = {_form(schema): name for name, schema in rendered.items()}
    used: Json = {}

    def inside(node: Json) -> Json:
        return {key: refer(value) for key, value in node.items()}

    def refer(node: Any) -> Any:  # noqa: ANN401 - any part of a contract
        if isinstance(node, list):
            return [refer(each) for each in node]
        if not isinstance(node, dict):
            return node
        name = names.get(_form(node)) if "type" in node else None
        if name is None:
            return inside(node)
        if name not in used:
            used[name] = inside(rendered[name])
        told = {"description": node["description"]} if "description" in node else {}
        return told | {"$ref": PLACE + name}

    components = document["components"]
    schemas = {name: inside(schema) for name, schema in components["schemas"].items()}
    found: Json = refer(document | {"components": {}})
    found["components"] = components | {"schemas": schemas | dict(sorted(used.items()))}
    return found


def _form(schema: Json) -> bytes:
    """Return what makes two schemas the same: all but what they say of themselves."""
    plain = {key: value for key, value in schema.items() if key != "description"}
    return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)
