"""HTTP client of the owner API: tokens, problems, idempotency; no opinion on what is said."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
import time
from typing import Any, Final
from uuid import uuid4

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    Fingerprint,
    ServerFingerprintMismatch,
)
from homeassistant.util.json import json_loads
from yarl import URL

from .api_errors import (
    OwnerApiAnswerError,
    OwnerApiAuthError,
    OwnerApiCertificateError,
    OwnerApiConnectionError,
    problem,
)
from .const import REQUEST_TIMEOUT_S, STREAM_SILENCE_S
from .trust_keys import TrustError, public_text, read_key

type Json = dict[str, Any]

# A token that is about to end would only fail on its way.
_TOKEN_MARGIN_S: Final = 30.0
# With its key a POST can be repeated safely, so one lost answer need not become an error.
_TRIES: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """What the API hands a device that has just been paired."""

    device_id: str
    owner_id: str
    server_id: str
    refresh_token: str
    receipt_key: str
    """The key that signs the operator's log, as the ``x`` of its JWK."""


class OwnerApi:
    """One paired device's access to one owner API."""

    def __init__(
        self,
        session: ClientSession,
        url: str,
        *,
        pin: Fingerprint | None = None,
        refresh_token: str | None = None,
        on_refresh_token: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        """Prepare; ``on_refresh_token`` is awaited before a rotated token is first relied on."""
        self._session = session
        self._url = URL(url)
        self._pin = pin
        self._refresh_token = refresh_token
        self._on_refresh_token = on_refresh_token
        self._access_token: str | None = None
        self._access_until = 0.0
        self._refreshing = asyncio.Lock()

    async def server(self) -> Json:
        """Return who answers at this address; needs no token."""
        return await self._send("GET", "/v1/server", headers={})

    async def pair(self, code: str, device_name: str) -> Pairing:
        """Redeem a pairing code, once; raises OwnerApiProblem when it is not valid."""
        body = {"code": code, "device_name": device_name, "kind": "home_assistant"}
        headers = {"Idempotency-Key": str(uuid4())}
        answer = await self._send("POST", "/v1/pair", headers=headers, json=body)
        try:
            self._take_tokens(answer)
            return Pairing(
                device_id=answer["device_id"],
                owner_id=answer["owner_id"],
                server_id=answer["server_id"],
                refresh_token=answer["refresh_token"],
                receipt_key=public_text(read_key(answer["receipt_key"]["x"])),
            )
        except (KeyError, TypeError) as error:
            raise OwnerApiAnswerError(f"/v1/pair: {error} is missing") from error
        except TrustError as error:
            raise OwnerApiAnswerError(f"/v1/pair: {error}") from error

    async def witness(self, note: str) -> Json:
        """Show the server a checkpoint that we hold; one it does not hold ends its service."""
        headers = {"Idempotency-Key": str(uuid4())}
        body = {"checkpoint": note}
        return await self._send("POST", "/v1/ledger/witness", headers=headers, json=body)

    async def get(self, path: str) -> Json:
        """Read one resource."""
        return await self._call("GET", path)

    async def post(self, path: str, body: Mapping[str, Any]) -> Json:
        """Do something once, however often the link breaks on the way."""
        return await self._call("POST", path, body, {"Idempotency-Key": str(uuid4())})

    async def patch(self, path: str, body: Mapping[str, Any], revision: int) -> Json:
        """Change a resource, provided it still has the revision we know."""
        return await self._call("PATCH", path, body, {"If-Match": f'"{revision}"'})

    async def delete(self, path: str, revision: int | None = None) -> None:
        """Remove a resource, where one is named provided it still has that revision."""
        headers = {} if revision is None else {"If-Match": f'"{revision}"'}
        await self._call("DELETE", path, headers=headers)

    @asynccontextmanager
    async def stream(self, after: int) -> AsyncGenerator[ClientResponse]:
        """Open the event stream after an event id; silence for 45 s ends it with an error."""
        asked = {"Last-Event-ID": str(after), "Accept": "text/event-stream"}
        async with self._open("/v1/events", asked, STREAM_SILENCE_S) as response:
            yield response

    @asynccontextmanager
    async def download(self, path: str) -> AsyncGenerator[ClientResponse]:
        """Read something too long to be held; one that breaks off raises OwnerApiError."""
        async with self._open(path, {}, REQUEST_TIMEOUT_S) as response:
            yield response

    @asynccontextmanager
    async def _open(
        self, path: str, asked: Mapping[str, str], silence_s: float
    ) -> AsyncGenerator[ClientResponse]:
        """Begin an answer that is read piece by piece; silence (s) ends it with an error."""
        timeout = ClientTimeout(total=None, sock_connect=REQUEST_TIMEOUT_S, sock_read=silence_s)
        headers = {**await self._authorization(), **asked}
        async with self._response("GET", path, headers=headers, timeout=timeout) as response:
            if response.status != HTTPStatus.OK:
                if response.status == HTTPStatus.UNAUTHORIZED:
                    self._access_token = None
                raise await _problem(response)
            yield response

    @asynccontextmanager
    async def _response(
        self,
        method: str,
        path: str,
        **options: Any,  # noqa: ANN401 - aiohttp's own options
    ) -> AsyncGenerator[ClientResponse]:
        """Send one request and turn transport trouble into our own error."""
        tls: Any = True if self._pin is None else self._pin
        try:
            async with self._session.request(
                method, self._url.join(URL(path)), ssl=tls, allow_redirects=False, **options
            ) as response:
                yield response
        except (ClientConnectorCertificateError, ServerFingerprintMismatch) as error:
            raise OwnerApiCertificateError(str(error)) from error
        except (ClientError, TimeoutError, ValueError) as error:
            raise OwnerApiConnectionError(str(error) or type(error).__name__) from error
        except AssertionError, RuntimeError:
            # So aiohttp says that its session is closed, as Home Assistant does when it ends.
            if not self._session.closed:
                raise
            raise OwnerApiConnectionError("Home Assistant is ending") from None

    async def _send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        **body: Any,  # noqa: ANN401 - aiohttp's own options
    ) -> Json:
        """Send one request and return its JSON object."""
        timeout = ClientTimeout(total=REQUEST_TIMEOUT_S)
        async with self._response(
            method, path, headers=headers, timeout=timeout, **body
        ) as response:
            if response.status >= HTTPStatus.MULTIPLE_CHOICES:
                raise await _problem(response)
            if response.status == HTTPStatus.NO_CONTENT:
                return {}
            return await _object(response)

    async def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        """Send with our token; renew it once if refused, repeat once if the answer was lost."""
        content = {} if body is None else {"json": body}
        renewed, tries = False, 0
        while True:
            sent = await self._authorization() | dict(headers or {})
            try:
                return await self._send(method, path, headers=sent, **content)
            except OwnerApiAuthError:
                if renewed:
                    raise
                renewed, self._access_token = True, None
            except OwnerApiConnectionError as error:
                tries += 1
                # Nothing listens there: trying again at once would only double the wait. And a
                # change under If-Match that did arrive would meet itself as a stranger's.
                unsent = isinstance(error.__cause__, ClientConnectorError)
                if unsent or tries == _TRIES or method == "PATCH":
                    raise

    async def _authorization(self) -> dict[str, str]:
        """Return the header that proves who we are, renewing the token when it is due."""
        async with self._refreshing:
            if self._access_token is None or time.monotonic() > self._access_until:
                form = {"grant_type": "refresh_token", "refresh_token": self._refresh_token or ""}
                answer = await self._send("POST", "/v1/token", headers={}, data=form)
                self._take_tokens(answer)
                if self._on_refresh_token and self._refresh_token:
                    await self._on_refresh_token(self._refresh_token)
            return {"Authorization": f"Bearer {self._access_token}"}

    def _take_tokens(self, answer: Json) -> None:
        """Keep the tokens of an answer to /v1/pair or /v1/token."""
        try:
            life = float(answer.get("expires_in") or answer["expires_in_s"])
            self._access_token = str(answer["access_token"])
        except (KeyError, TypeError, ValueError) as error:
            raise OwnerApiAnswerError("the answer holds no access token") from error
        self._refresh_token = answer.get("refresh_token", self._refresh_token)
        self._access_until = time.monotonic() + max(life - _TOKEN_MARGIN_S, life / 2)


async def _object(response: ClientResponse) -> Json:
    """Return the body as a JSON object."""
    try:
        answer = json_loads(await response.read())
    except ValueError as error:
        raise OwnerApiAnswerError(f"{response.url.path}: not JSON") from error
    if not isinstance(answer, dict):
        raise OwnerApiAnswerError(f"{response.url.path}: not an object")
    return answer


async def _problem(response: ClientResponse) -> Exception:
    """Return the error for an answer that is no success."""
    if response.content_type != "application/problem+json":
        return OwnerApiAnswerError(f"{response.url.path}: status {response.status}")
    return problem(response.status, await _object(response))
