"""One line per request and per event of ours, as JSON: for machines to read, without secrets.

What is written, by whom it may be read and for how long: ``docs/security/README.md``, "Logs".
"""

from datetime import UTC, datetime
import logging
from typing import Any, Final, TextIO, override

from aiohttp import web

from owner_api.ids import uuid7_hex
from owner_api.problems import ProblemCode
from owner_api.store.documents import to_json

from .headers import client_address, network_of

# Who a request turned out to come from: a device's or park's id, or "public".
CALLER: Final = web.RequestKey("caller", str)
REQUESTS: Final = logging.getLogger("owner_api.requests")
_FIELDS: Final = "fields"
# A refusal that an attack would cause: told with the network it came from.
DOORS: Final = frozenset(
    {
        ProblemCode.UNAUTHENTICATED,
        ProblemCode.FORBIDDEN,
        ProblemCode.INVALID_CLIENT,
        ProblemCode.INVALID_GRANT,
        ProblemCode.PAIRING_CODE_INVALID,
        ProblemCode.PAIRING_CODE_EXPIRED,
        ProblemCode.PAIRING_CODE_EXHAUSTED,
        ProblemCode.RATE_LIMITED,
        ProblemCode.BUDGET_USED_UP,
    }
)


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object: at, level, logger, message, its fields, its trace."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= getattr(record, _FIELDS, {})
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return to_json(line).decode()


def configure(stream: TextIO, *, level: int = logging.INFO) -> None:
    """Send every record of this process to ``stream`` as JSON lines."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def are_configured() -> bool:
    """Tell whether this process writes its records as JSON lines."""
    return any(isinstance(each.formatter, JsonLines) for each in logging.getLogger().handlers)


def log_request(
    request: web.Request,
    *,
    request_id: str,
    status: int,
    seconds: float,
    refused: ProblemCode | None = None,
) -> None:
    """Log that a request was answered: its route's pattern, never its values, body or headers.

    Who was refused was told the request's id; any other request gets one here.
    A refusal is told by its code, one at the door as a warning with the network it came from.
    """
    level = logging.WARNING if refused in DOORS else logging.INFO
    if not REQUESTS.isEnabledFor(level):
        return
    resource = request.match_info.route.resource
    path = resource.canonical if resource is not None else "unknown"
    fields = {
        "request_id": request_id or uuid7_hex(),
        "method": request.method,
        "route": path,
        "status": status,
        "ms": round(seconds * 1_000, 1),
        "caller": request.get(CALLER, "unknown"),
    }
    if refused is not None:
        fields["code"] = refused.value
    if refused in DOORS:
        fields["network"] = network_of(client_address(request))
    REQUESTS.log(level, "%s %s %s", request.method, path, status, extra={_FIELDS: fields})
