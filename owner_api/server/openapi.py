"""The contract as OpenAPI 3.1, generated from the operations that are served."""

import asyncio
from collections.abc import Iterable, Mapping
from functools import cache
from http import HTTPStatus
from itertools import groupby
import re
from typing import Any, Final

from aiohttp import web

from owner_api import __version__
from owner_api.calls import Principal
from owner_api.problems import Problem, ProblemCode
from owner_api.schemas.fields import openapi
from owner_api.schemas.meanings import explained
from owner_api.store.documents import to_json

from .idempotency import HEADER
from .openapi_events import STREAM, event_schemas, events_media
from .openapi_shared import PLACE, answered, shared
from .routing import Endpoint, Operation

type Json = dict[str, Any]

_EVERYWHERE: Final = (
    ProblemCode.BAD_REQUEST,
    ProblemCode.INVALID_PARAMETER,
    ProblemCode.RATE_LIMITED,
    ProblemCode.INTERNAL,
    ProblemCode.UNAVAILABLE,
)
_WITH_BODY: Final = (
    ProblemCode.MALFORMED_JSON,
    ProblemCode.INVALID_BODY,
    ProblemCode.PAYLOAD_TOO_LARGE,
    ProblemCode.UNSUPPORTED_MEDIA_TYPE,
    ProblemCode.REQUEST_TIMEOUT,
)
_WITH_KEY: Final = (
    ProblemCode.IDEMPOTENCY_KEY_MISSING,
    ProblemCode.IDEMPOTENCY_KEY_REUSED,
    ProblemCode.IDEMPOTENCY_IN_FLIGHT,
)
_TYPED_ID: Final = "_[0-9a-f]{32}"
_WAITS: Final = frozenset(
    {
        ProblemCode.RATE_LIMITED,
        ProblemCode.UNAVAILABLE,
        ProblemCode.BUDGET_USED_UP,
        ProblemCode.PAIRING_CODE_EXHAUSTED,
        ProblemCode.IDEMPOTENCY_IN_FLIGHT,
    }
)
_WITH_IF_MATCH: Final = (ProblemCode.PRECONDITION_REQUIRED, ProblemCode.PRECONDITION_FAILED)

PROBLEM_SCHEMA: Final[Json] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "code", "errors"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri"},
        "code": {"type": "string", "enum": [code.value for code in ProblemCode]},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "limit"],
                "properties": {
                    "pointer": {"type": "string"},
                    "code": {"type": "string"},
                    "limit": {"type": "string"},
                },
            },
        },
        "current": {"type": "object"},
        "reason": {
            "type": "string",
            "description": "In a word what detail says in English, for who shows it to people",
        },
        "parks": {"type": "array", "items": {"type": "object"}},
        "error": {"type": "string", "description": "RFC 6749's code, on /v1/token only"},
    },
}


def problem_codes(operation: Operation) -> tuple[ProblemCode, ...]:
    """Return every problem an operation may answer with, once, in the table's order."""
    codes = {*_EVERYWHERE, *operation.problems}
    if operation.method != "GET":
        codes |= set(_WITH_BODY)
    if operation.needs_key:
        codes |= set(_WITH_KEY)
    if operation.needs_if_match:
        codes |= set(_WITH_IF_MATCH)
    if operation.role != "public":
        codes |= {ProblemCode.UNAUTHENTICATED}
    if operation.role in ("owner", "park"):
        codes |= {ProblemCode.FORBIDDEN}
    if "_id}" in operation.path or _names_an_id(operation):
        codes |= {ProblemCode.NOT_FOUND}
    return tuple(code for code in ProblemCode if code in codes)


def _names_an_id(operation: Operation) -> bool:
    """Tell whether the body refers to something by one of our ids."""
    return operation.request is not None and _TYPED_ID in str(openapi(operation.request))


def build(operations: Iterable[Operation]) -> Json:
    """Return the OpenAPI document of the operations."""
    paths: dict[str, Json] = {}
    for operation in sorted(operations, key=lambda each: (each.path, each.method)):
        item = paths.setdefault(operation.path, {})
        item[operation.method.lower()] = _operation(operation)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "V2G Owner API",
            "version": __version__,
            "description": "The owner's agent: takes discharge offers from parks, judges them "
            "against the owner's limits, and keeps decisions, meter data and rewards.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {"Problem": PROBLEM_SCHEMA, **event_schemas()},
            "securitySchemes": {
                "owner": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "park": {
                    "type": "oauth2",
                    "flows": {"clientCredentials": {"tokenUrl": "/v1/token", "scopes": {}}},
                },
            },
        },
    }
    return shared(document)


def contract_endpoint(operations: Iterable[Operation]) -> Endpoint:
    """Return the operation that serves the contract; it describes itself too.

    It is made when somebody first asks for it: that takes longer than all the rest of a start.
    """

    @cache
    def document() -> bytes:
        return to_json(build(described))

    async def serve(_request: web.Request, _principal: Principal) -> web.StreamResponse:
        # On another thread: who asks for it must not keep everybody else waiting.
        body = await asyncio.to_thread(document)
        return web.Response(body=body, content_type="application/json")

    endpoint = Endpoint(
        method="GET",
        path="/openapi.json",
        role="public",
        kind="query",
        summary="This contract",
        answer={},
        serve=serve,
    )
    described = [*operations, endpoint]
    return endpoint


def _operation(operation: Operation) -> Json:
    document: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.role],
        "parameters": _parameters(operation),
        "responses": _responses(operation),
        "security": _security(operation),
    }
    if operation.description:
        document["description"] = operation.description
    if operation.request is not None:
        media = (
            "application/json" if operation.media == "json" else "application/x-www-form-urlencoded"
        )
        schema = explained(openapi(operation.request))
        document["requestBody"] = {
            # No body at all counts as an empty object.
            "required": bool(schema.get("required")),
            "content": {media: {"schema": schema}},
        }
    return document


def _security(operation: Operation) -> list[Json]:
    match operation.role:
        case "public":
            return []
        case "any":
            return [{"owner": []}, {"park": []}]
        case role:
            return [{role: []}]


def _parameters(operation: Operation) -> list[Json]:
    found = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", operation.path)
    ]
    declared: Mapping[Any, Any] = operation.query or {}
    if declared:
        rendered = explained(openapi(declared))
        required = rendered.get("required", [])
        found += [
            {"name": name, "in": "query", "required": name in required, "schema": schema}
            for name, schema in rendered["properties"].items()
        ]
    if operation.needs_key:
        key = {"type": "string", "pattern": "^[\\x21-\\x7e]{1,200}$"}
        found.append(_header(HEADER, key, required=True))
    if operation.needs_if_match:
        etag = {"type": "string", "pattern": '^(?:"[\\x21\\x23-\\x7e]{1,64}"|\\*)$'}
        found.append(_header("If-Match", etag, required=True))
    if operation.answer_type == STREAM:
        number = {"type": "string", "pattern": "^(?:0|[1-9][0-9]{0,17})$"}
        found.append(_header("Last-Event-ID", number, required=False))
    return found


def _header(name: str, schema: Json, *, required: bool) -> Json:
    return {"name": name, "in": "header", "required": required, "schema": schema}


def _responses(operation: Operation) -> Json:
    good: Json = {"description": HTTPStatus(operation.status).phrase}
    if operation.answer_type == STREAM:
        good["content"] = {STREAM: events_media()}
    elif operation.status != HTTPStatus.NO_CONTENT:
        is_json = operation.answer_type == "application/json"
        schema = (
            answered(explained(openapi(operation.answer)))
            if operation.answer
            else ({} if is_json else {"type": "string"})
        )
        good["content"] = {operation.answer_type: {"schema": schema}}
    if operation.needs_if_match:
        good["headers"] = {"ETag": {"schema": {"type": "string"}}}
    responses: Json = {str(operation.status): good}
    codes = sorted(problem_codes(operation), key=lambda code: code.status)
    for status, group in groupby(codes, key=lambda code: code.status):
        responses[str(status)] = _problem(list(group))
    return responses


def _problem(codes: list[ProblemCode]) -> Json:
    # Beside the reference, not in an allOf: generators make one type of all problems.
    schema = {
        "$ref": f"{PLACE}Problem",
        "properties": {"code": {"enum": [code.value for code in codes]}},
    }
    described: Json = {
        "description": "; ".join(code.title for code in codes),
        "content": {"application/problem+json": {"schema": schema}},
    }
    if _WAITS & set(codes):
        described["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return described


def example(code: ProblemCode) -> Json:
    """Return what a problem looks like, for people who read the contract."""
    return Problem(code).document("0" * 32)
