"""What may come in: how often, how large, how long, how deep."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
import re
from typing import Any, Final
from urllib.parse import parse_qsl

from aiohttp import web
import orjson
from probatio import MultipleInvalid, Schema

from owner_api.clock import Clock
from owner_api.config import Config
from owner_api.problems import FieldError, Problem, ProblemCode
from owner_api.schemas.fields import Leaf

from .problems import field_errors
from .routing import Operation

_MAX_BUCKETS: Final = 10_000
_MAX_FORM_FIELDS: Final = 20
_WHOLE: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_MEDIA: Final = {"json": "application/json", "form": "application/x-www-form-urlencoded"}


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class RateLimiter:
    """A token bucket per key: ``burst`` at once, ``rate_per_s`` from then on."""

    def __init__(self, clock: Clock, *, rate_per_s: float, burst: int) -> None:
        self._clock = clock
        self._rate = rate_per_s
        self._burst = burst
        self._buckets: dict[str, _Bucket] = {}

    def take(self, key: str, *, cost: int = 1) -> None:
        """Take from the key's bucket or raise rate_limited with when to come back.

        ``cost=0`` only asks whether there is something left.
        """
        bucket = self._filled(key)
        if bucket.tokens < 1:
            wait_s = ceil((1 - bucket.tokens) / self._rate)
            raise Problem(
                ProblemCode.RATE_LIMITED,
                f"At most {self._burst} at once and {self._rate:g} per second.",
                retry_after_s=max(1, wait_s),
            )
        bucket.tokens -= cost

    def _filled(self, key: str) -> _Bucket:
        now = self._clock.now().timestamp()
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= _MAX_BUCKETS:
                self._forget(now)
            bucket = self._buckets[key] = _Bucket(self._burst, now)
        # A clock that steps back refills nothing, and does not lock anybody out either.
        passed = max(0.0, now - bucket.at)
        bucket.tokens = min(self._burst, bucket.tokens + passed * self._rate)
        bucket.at = now
        return bucket

    def _forget(self, now: float) -> None:
        """Drop full buckets, and when all are in use the longest untouched half."""
        self._buckets = {
            key: bucket
            for key, bucket in self._buckets.items()
            if bucket.tokens + (now - bucket.at) * self._rate < self._burst
        }
        if len(self._buckets) >= _MAX_BUCKETS:
            newest = sorted(self._buckets.items(), key=lambda item: item[1].at)
            self._buckets = dict(newest[_MAX_BUCKETS // 2 :])


async def read_body(request: web.Request, config: Config) -> bytes:
    """Return the raw body; raises when it is too large or does not arrive in time."""
    if not request.body_exists:
        return b""
    limit = config.max_body_bytes
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Problem(
            ProblemCode.UNSUPPORTED_MEDIA_TYPE, "Send the body without a Content-Encoding."
        )
    try:
        if request.content.is_eof():
            # What a chunked body comes to is known only now.
            raw = request.content.read_nowait()
            if len(raw) > limit:
                raise _too_large(limit)
            return raw
        async with asyncio.timeout(config.body_timeout_s):
            return await request.read()
    except TimeoutError as error:
        raise Problem(
            ProblemCode.REQUEST_TIMEOUT,
            f"The whole body must arrive within {config.body_timeout_s:g} s.",
        ) from error
    except web.HTTPRequestEntityTooLarge as error:
        raise _too_large(limit) from error


def parse_body(raw: bytes, request: web.Request, operation: Operation, config: Config) -> Any:  # noqa: ANN401 - any JSON value
    """Return the validated body; an empty one counts as an empty object."""
    value: Any = {}
    if not raw and operation.request is None:
        return value
    if raw:
        wanted = _MEDIA[operation.media]
        if request.content_type != wanted:
            raise Problem(
                ProblemCode.UNSUPPORTED_MEDIA_TYPE, f"Send the body as Content-Type: {wanted}."
            )
        value = _json(raw, config) if operation.media == "json" else _form(raw)
    try:
        return _schema(operation.request or {})(value)
    except MultipleInvalid as error:
        raise Problem(
            ProblemCode.INVALID_BODY,
            "At least one field is not as the schema says.",
            errors=field_errors(error),
        ) from error


def parse_query(request: web.Request, operation: Operation) -> dict[str, Any]:
    """Return the validated query parameters; unknown and repeated ones are refused."""
    declared: Mapping[Any, Any] = operation.query or {}
    if not declared and not request.query_string:
        return {}
    query = request.rel_url.query
    leaves = {str(key): leaf for key, leaf in declared.items()}
    for name in query:
        if name in leaves and len(query.getall(name)) > 1:
            raise Problem(
                ProblemCode.INVALID_PARAMETER,
                "Each parameter may stand once.",
                errors=(FieldError(pointer=f"?{name}", code="repeated", limit="once"),),
            )
    values = {name: _typed(text, leaves.get(name)) for name, text in query.items()}
    try:
        return dict(_schema(declared)(values))
    except MultipleInvalid as error:
        renamed = tuple(
            FieldError(pointer=f"?{each.pointer[1:]}", code=each.code, limit=each.limit)
            for each in field_errors(error)
        )
        raise Problem(
            ProblemCode.INVALID_PARAMETER, "At least one parameter is not valid.", errors=renamed
        ) from error


def _typed(text: str, leaf: Any) -> Any:  # noqa: ANN401 - a parameter's own type
    """Read a parameter as the JSON type its leaf wants; what does not fit stays text."""
    kind = leaf.schema.get("type") if isinstance(leaf, Leaf) else None
    if kind == "integer" and _WHOLE.fullmatch(text):
        return int(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


# orjson refuses NaN, Infinity, broken UTF-8 and lone surrogates. Of two members with one name
# the last counts (RFC 8259 leaves it open); the schema then judges what is left.
def _json(raw: bytes, config: Config) -> Any:  # noqa: ANN401 - any JSON value
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Problem(ProblemCode.MALFORMED_JSON, f"The body is not JSON: {error}.") from error
    if _deeper_than(value, config.max_json_depth):
        raise Problem(
            ProblemCode.MALFORMED_JSON,
            f"The body may nest at most {config.max_json_depth} levels.",
        )
    return value


def _deeper_than(value: Any, depth: int) -> bool:  # noqa: ANN401 - any JSON value
    """Tell whether more than ``depth`` objects and lists stand inside one another."""
    level = [value]
    for _ in range(depth + 1):
        containers = [node for node in level if isinstance(node, (dict, list))]
        if not containers:
            return False
        level = [
            child
            for node in containers
            for child in (node.values() if isinstance(node, dict) else node)
        ]
    return True


def _form(raw: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            max_num_fields=_MAX_FORM_FIELDS,
        )
    except ValueError as error:
        raise Problem(ProblemCode.BAD_REQUEST, "The body is not a form.") from error
    if len({name for name, _ in pairs}) != len(pairs):
        raise Problem(ProblemCode.BAD_REQUEST, "Each form field may stand once.")
    return dict(pairs)


_SCHEMAS: Final[dict[int, tuple[Any, Schema]]] = {}


def _schema(declared: Mapping[Any, Any]) -> Schema:
    """Return the compiled schema; kept by identity because declarations live forever."""
    kept = _SCHEMAS.get(id(declared))
    if kept is None or kept[0] is not declared:
        kept = _SCHEMAS[id(declared)] = (declared, Schema(declared))
    return kept[1]


def _too_large(limit: int) -> Problem:
    return Problem(ProblemCode.PAYLOAD_TOO_LARGE, f"A body may have at most {limit} bytes.")
