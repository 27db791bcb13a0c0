"""One line per request and per event of ours, as JSON: for machines to read, without secrets."""

from datetime import UTC, datetime
import logging
from typing import Any, Final, TextIO, override

from aiohttp import web

from owner_api.store.documents import to_json

REQUESTS: Final = logging.getLogger("owner_api.requests")
_FIELDS: Final = "fields"


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


def log_request(request: web.Request, *, request_id: str, status: int, seconds: float) -> None:
    """Log that a request was answered: its route's pattern, never its values, body or headers."""
    resource = request.match_info.route.resource
    path = resource.canonical if resource is not None else "unknown"
    fields = {
        "request_id": request_id,
        "method": request.method,
        "route": path,
        "status": status,
        "ms": round(seconds * 1_000, 1),
    }
    REQUESTS.info("%s %s %s", request.method, path, status, extra={_FIELDS: fields})
