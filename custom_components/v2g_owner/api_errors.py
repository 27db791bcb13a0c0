"""What can go wrong between us and the owner API, as types."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any


class OwnerApiError(Exception):
    """Base of all errors of the API client; ``translation_key`` names the words for it."""

    translation_key = "unknown"

    @property
    def placeholders(self) -> dict[str, str]:
        """What the translated sentence may mention."""
        return {"detail": str(self)}


class OwnerApiConnectionError(OwnerApiError):
    """The API could not be reached, or the link broke before an answer came."""

    translation_key = "cannot_connect"


class OwnerApiCertificateError(OwnerApiConnectionError):
    """Nobody vouches for who answers: a certificate of its own, or another key than the pinned."""


class OwnerApiAnswerError(OwnerApiError):
    """Something answered that is not the owner API, or not in a form we can read."""

    translation_key = "bad_answer"


class OwnerApiProblem(OwnerApiError):  # noqa: N818 - RFC 9457's own word for what is answered
    """The API said no and why (RFC 9457)."""

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        """Keep what the problem document says."""
        super().__init__(str(document.get("detail") or document.get("title") or status))
        self.status = status
        self.code = str(document.get("code", "internal"))
        self.translation_key = self.code
        self.reason = document.get("reason")
        named = [park for park in document.get("parks") or [] if isinstance(park, dict)]
        self.parks = [f"{park.get('display_name')} ({park.get('park_id')})" for park in named]
        current = document.get("current")
        self.current: dict[str, Any] | None = current if isinstance(current, dict) else None
        self._errors = [error for error in document.get("errors") or [] if isinstance(error, dict)]

    @property
    def is_the_callers(self) -> bool:
        """Tell whether the request, rather than the API, must change."""
        return HTTPStatus.BAD_REQUEST <= self.status < HTTPStatus.INTERNAL_SERVER_ERROR

    @property
    def placeholders(self) -> dict[str, str]:
        """Name each wrong field and its limit beside the API's own words."""
        limits = "; ".join(f"{field}: {limit}" for field, limit in self.limits.items())
        return {"detail": str(self), "limits": limits or str(self)}

    @property
    def limits(self) -> dict[str, str]:
        """The wrong fields, each with what would pass."""
        return {
            str(error.get("pointer", "")).strip("/"): str(error.get("limit", ""))
            for error in self._errors
        }

    def fields_below(self, part: str) -> set[str]:
        """Return the fields of one part of what was sent that are wrong."""
        pointers = [str(error.get("pointer", "")).split("/") for error in self._errors]
        return {steps[2] for steps in pointers if steps[1:2] == [part] and steps[2:]}


class OwnerApiAuthError(OwnerApiProblem):
    """Our device is no longer paired."""


def problem(status: int, document: Mapping[str, Any]) -> OwnerApiProblem:
    """Return the typed error of a problem document."""
    lost = {"unauthenticated", "invalid_grant", "invalid_client"}
    kind = OwnerApiAuthError if document.get("code") in lost else OwnerApiProblem
    return kind(status, document)
