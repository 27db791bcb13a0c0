"""The closed list of problems (RFC 9457) that any boundary of ours may answer with."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class ProblemCode(StrEnum):
    """Every code a caller may see; its status and title stand in one table below."""

    MALFORMED_JSON = "malformed_json"
    BAD_REQUEST = "bad_request"
    IDEMPOTENCY_KEY_MISSING = "idempotency_key_missing"
    UNAUTHENTICATED = "unauthenticated"
    INVALID_CLIENT = "invalid_client"
    INVALID_GRANT = "invalid_grant"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NOT_ACCEPTABLE = "not_acceptable"
    CONFLICT = "conflict"
    IDEMPOTENCY_IN_FLIGHT = "idempotency_in_flight"
    STALE_TERMS = "stale_terms"
    OFFER_CLOSED = "offer_closed"
    OFFER_EXPIRED = "offer_expired"
    COMMITMENT_CLOSED = "commitment_closed"
    NOT_BOUND = "not_bound"
    SESSION_ENDED = "session_ended"
    STOP_IN_FORCE = "stop_in_force"
    NO_LEASE = "no_lease"
    SOC_UNKNOWN = "soc_unknown"
    SOC_STALE = "soc_stale"
    BELOW_FLOOR = "below_floor"
    NOT_FEASIBLE = "not_feasible"
    DEPARTURE_UNKNOWN = "departure_unknown"
    DISCHARGE_NOT_ALLOWED = "discharge_not_allowed"
    AGREEMENT_MISSING = "agreement_missing"
    BUDGET_USED_UP = "budget_used_up"
    STALE_SEQUENCE = "stale_sequence"
    AWARD_MISMATCH = "award_mismatch"
    PRECONDITION_FAILED = "precondition_failed"
    PRECONDITION_REQUIRED = "precondition_required"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    INVALID_BODY = "invalid_body"
    INVALID_PARAMETER = "invalid_parameter"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    WINDOW_IN_PAST = "window_in_past"
    WINDOW_INVALID = "window_invalid"
    RESPOND_BY_INVALID = "respond_by_invalid"
    PREFERENCES_CONFLICT = "preferences_conflict"
    PAIRING_CODE_INVALID = "pairing_code_invalid"
    PAIRING_CODE_EXPIRED = "pairing_code_expired"
    PAIRING_CODE_EXHAUSTED = "pairing_code_exhausted"
    RATE_LIMITED = "rate_limited"
    REPLAY_WINDOW_PASSED = "replay_window_passed"
    REQUEST_TIMEOUT = "request_timeout"
    INTERNAL = "internal"
    UNAVAILABLE = "unavailable"

    @property
    def status(self) -> int:
        """The HTTP status this code is answered with."""
        return _TABLE[self][0]

    @property
    def title(self) -> str:  # type: ignore[override]  # RFC 9457's member, not str's method
        """The short summary that is the same for every occurrence."""
        return _TABLE[self][1]

    @property
    def urn(self) -> str:
        """The problem's ``type``: a name, not an address to fetch."""
        return f"urn:v2g-owner:problem:{self.value}"


_TABLE: Final[dict[ProblemCode, tuple[int, str]]] = {
    ProblemCode.MALFORMED_JSON: (400, "The body is not valid JSON"),
    ProblemCode.BAD_REQUEST: (400, "The request cannot be understood"),
    ProblemCode.IDEMPOTENCY_KEY_MISSING: (400, "An Idempotency-Key header is needed"),
    ProblemCode.UNAUTHENTICATED: (401, "A valid access token is needed"),
    ProblemCode.INVALID_CLIENT: (401, "The client is unknown or its secret is wrong"),
    ProblemCode.INVALID_GRANT: (400, "The grant is invalid, expired or used"),
    ProblemCode.UNSUPPORTED_GRANT_TYPE: (400, "The grant type is not offered"),
    ProblemCode.FORBIDDEN: (403, "This caller may not do that"),
    ProblemCode.NOT_FOUND: (404, "Not found"),
    ProblemCode.METHOD_NOT_ALLOWED: (405, "The method is not offered here"),
    ProblemCode.NOT_ACCEPTABLE: (406, "The answer cannot be given in the form asked for"),
    ProblemCode.CONFLICT: (409, "The request conflicts with the current state"),
    ProblemCode.IDEMPOTENCY_IN_FLIGHT: (409, "The same request is still being worked on"),
    ProblemCode.STALE_TERMS: (409, "The terms have changed"),
    ProblemCode.OFFER_CLOSED: (409, "The offer is closed"),
    ProblemCode.OFFER_EXPIRED: (410, "The offer has expired"),
    ProblemCode.COMMITMENT_CLOSED: (409, "The commitment is closed"),
    ProblemCode.NOT_BOUND: (409, "The session is not bound to a vehicle"),
    ProblemCode.SESSION_ENDED: (409, "The session has ended"),
    ProblemCode.STOP_IN_FORCE: (409, "The owner has stopped this"),
    ProblemCode.NO_LEASE: (409, "There is no live lease"),
    ProblemCode.SOC_UNKNOWN: (409, "The state of charge is unknown"),
    ProblemCode.SOC_STALE: (409, "The state of charge is too old"),
    ProblemCode.BELOW_FLOOR: (409, "The battery would go below the floor"),
    ProblemCode.NOT_FEASIBLE: (409, "The energy cannot be given within the owner's limits"),
    ProblemCode.DEPARTURE_UNKNOWN: (409, "The leave time is unknown"),
    ProblemCode.DISCHARGE_NOT_ALLOWED: (409, "Discharging is not allowed"),
    ProblemCode.AGREEMENT_MISSING: (409, "There is no agreement in force"),
    ProblemCode.BUDGET_USED_UP: (429, "The budget of questions and offers is used up"),
    ProblemCode.STALE_SEQUENCE: (409, "The sequence number is not the newest"),
    ProblemCode.AWARD_MISMATCH: (409, "The award does not match what was accepted"),
    ProblemCode.PRECONDITION_FAILED: (412, "The resource has changed since it was read"),
    ProblemCode.PRECONDITION_REQUIRED: (428, "An If-Match header is needed"),
    ProblemCode.PAYLOAD_TOO_LARGE: (413, "The body is too large"),
    ProblemCode.UNSUPPORTED_MEDIA_TYPE: (415, "The body's media type is not accepted"),
    ProblemCode.INVALID_BODY: (422, "The body does not match its schema"),
    ProblemCode.INVALID_PARAMETER: (422, "A parameter is not valid"),
    ProblemCode.IDEMPOTENCY_KEY_REUSED: (422, "The key was used with another request"),
    ProblemCode.WINDOW_IN_PAST: (422, "The window has passed"),
    ProblemCode.WINDOW_INVALID: (422, "The window is not valid"),
    ProblemCode.RESPOND_BY_INVALID: (422, "The time to respond is not valid"),
    ProblemCode.PREFERENCES_CONFLICT: (422, "The preferences contradict one another"),
    ProblemCode.PAIRING_CODE_INVALID: (400, "The pairing code is not valid"),
    ProblemCode.PAIRING_CODE_EXPIRED: (410, "The pairing code has expired"),
    ProblemCode.PAIRING_CODE_EXHAUSTED: (429, "The pairing code was tried too often"),
    ProblemCode.RATE_LIMITED: (429, "Too many requests"),
    ProblemCode.REPLAY_WINDOW_PASSED: (410, "The events asked for are no longer kept"),
    ProblemCode.REQUEST_TIMEOUT: (408, "The request did not arrive in time"),
    ProblemCode.INTERNAL: (500, "Something failed on our side"),
    ProblemCode.UNAVAILABLE: (503, "The service cannot answer now"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One field that is wrong: where it stands, what kind of wrong, and what would pass."""

    pointer: str
    code: str
    limit: str


class Problem(Exception):  # noqa: N818 - RFC 9457's own word for what is answered
    """An answer that says no, and why; raised anywhere below the HTTP surface."""

    def __init__(
        self,
        code: ProblemCode,
        detail: str = "",
        *,
        errors: tuple[FieldError, ...] = (),
        current: Mapping[str, Any] | None = None,
        retry_after_s: int | None = None,
        members: Mapping[str, Any] | None = None,
        reason: str | None = None,
    ) -> None:
        """Take what is answered; ``reason`` says by a word what ``detail`` says in English.

        Whoever shows the problem to a person has a sentence for it in that person's language.
        """
        super().__init__(detail or code.title)
        self.code = code
        self.detail = detail or code.title
        self.errors = errors
        self.current = current
        self.retry_after_s = retry_after_s
        self.members = dict(members or {}) | ({} if reason is None else {"reason": reason})

    def __reduce__(self) -> tuple[Any, ...]:
        """Say how the problem is made again in another process; Exception knows only its text."""
        said = (self.code, self.detail, self.errors, self.current, self.retry_after_s, self.members)
        return _again, said

    def document(self, request_id: str) -> dict[str, Any]:
        """Return the problem's JSON object; only ``instance`` differs between two requests."""
        document: dict[str, Any] = {
            "type": self.code.urn,
            "title": self.code.title,
            "status": self.code.status,
            "detail": self.detail,
            "instance": f"urn:request:{request_id}",
            "code": self.code.value,
            "errors": [
                {"pointer": error.pointer, "code": error.code, "limit": error.limit}
                for error in self.errors
            ],
        }
        if self.current is not None:
            document["current"] = self.current
        return document | self.members


def _again(
    code: ProblemCode,
    detail: str,
    errors: tuple[FieldError, ...],
    current: Mapping[str, Any] | None,
    retry_after_s: int | None,
    members: Mapping[str, Any],
) -> Problem:
    return Problem(
        code,
        detail,
        errors=errors,
        current=current,
        retry_after_s=retry_after_s,
        members=members,
    )


def not_found() -> Problem:
    """Return the one answer for a missing and for a foreign id: they must not differ."""
    return Problem(ProblemCode.NOT_FOUND, "No such resource for this caller.")
