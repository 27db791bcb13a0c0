"""Every failure becomes problem+json; nothing of our insides leaves with it."""

import logging
from typing import Any, Final

from aiohttp import web
from probatio import Invalid, MultipleInvalid

from owner_api.problems import FieldError, Problem, ProblemCode, not_found
from owner_api.store import StoreError
from owner_api.store.documents import to_json

MAX_FIELD_ERRORS: Final = 50

_LOG: Final = logging.getLogger("owner_api.server")
_LIMITS: Final = {
    "required": "this field is required",
    "extra_keys_not_allowed": "not a known field",
    "not_a_dictionary": "an object",
}
_CODES: Final = {
    "extra_keys_not_allowed": "unknown",
    "not_a_dictionary": "type",
}
_BY_STATUS: Final = {
    404: ProblemCode.NOT_FOUND,
    405: ProblemCode.METHOD_NOT_ALLOWED,
    406: ProblemCode.NOT_ACCEPTABLE,
    408: ProblemCode.REQUEST_TIMEOUT,
    413: ProblemCode.PAYLOAD_TOO_LARGE,
    415: ProblemCode.UNSUPPORTED_MEDIA_TYPE,
}


def pointer(path: list[Any]) -> str:
    """Return the JSON pointer (RFC 6901) of a path into a body."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def field_errors(error: MultipleInvalid) -> tuple[FieldError, ...]:
    """Name each wrong field once, with what would pass."""
    return tuple(_field_error(each) for each in error.errors[:MAX_FIELD_ERRORS])


def _field_error(error: Invalid) -> FieldError:
    code = error.code or "invalid"
    limit = str((error.context or {}).get("limit") or _LIMITS.get(code) or error.error_message)
    return FieldError(pointer=pointer(error.path), code=_CODES.get(code, code), limit=limit)


def answer(problem: Problem, request_id: str) -> web.Response:
    """Render a problem as its HTTP response."""
    headers = {}
    if problem.retry_after_s is not None:
        headers["Retry-After"] = str(problem.retry_after_s)
    if problem.code.status == web.HTTPUnauthorized.status_code:
        # RFC 6749 §5.2: a client that failed to authenticate is told the scheme it uses.
        scheme = "Basic" if problem.code is ProblemCode.INVALID_CLIENT else "Bearer"
        headers["WWW-Authenticate"] = f'{scheme} realm="owner-api"'
    return web.Response(
        body=to_json(problem.document(request_id)),
        status=problem.code.status,
        headers=headers,
        content_type="application/problem+json",
    )


def from_exception(error: Exception) -> Problem:
    """Return what a caller may hear about any failure."""
    match error:
        case Problem():
            return error
        case StoreError():
            _LOG.error("the store cannot answer: %s", error)
            return Problem(
                ProblemCode.UNAVAILABLE,
                "The store cannot answer now. Repeat with the same Idempotency-Key.",
                retry_after_s=5,
            )
        case TimeoutError():
            return Problem(
                ProblemCode.UNAVAILABLE,
                "No answer in time; it may still be done. Repeat with the same Idempotency-Key.",
                retry_after_s=1,
            )
        case web.HTTPException():
            return _from_http(error)
        case _:
            _LOG.exception("unexpected failure", exc_info=error)
            return Problem(ProblemCode.INTERNAL, "Something failed on our side; it is logged.")


def _from_http(error: web.HTTPException) -> Problem:
    if error.status == web.HTTPNotFound.status_code:
        return not_found()
    code = _BY_STATUS.get(error.status, ProblemCode.BAD_REQUEST)
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return Problem(code, f"{error.method} is not offered here; {allowed} would pass.")
    return Problem(code)
