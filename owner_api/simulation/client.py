"""A small HTTP client of the public API: tokens, Idempotency-Key, retries, one event stream."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
import uuid

import aiohttp
import orjson

_TRIES: Final = 4
_RETRY_STATUS: Final = frozenset((502, 503, 504))
_RETRY_PAUSE_S: Final = 0.05
# A token is renewed this long before it ends, so that no request dies on the way.
_TOKEN_MARGIN: Final = timedelta(seconds=30)


class ApiError(Exception):
    """The API said no: HTTP status, problem code and the problem itself."""

    def __init__(self, request: str, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.code = str(problem.get("code", ""))
        self.problem = problem
        wrong = "".join(
            f"; {each.get('pointer')}: {each.get('limit')}" for each in problem.get("errors", ())
        )
        super().__init__(f"{request}: {status} {self.code}: {problem.get('detail', '')}{wrong}")


class LinkDownError(Exception):
    """The caller's link to the API is down (the simulation cut it)."""


@dataclass(slots=True)
class Token:
    """A bearer token and the virtual instant it ends."""

    access: str
    ends_at: datetime
    refresh: str | None = None


type Renew = Callable[["Client", Token | None], Awaitable[Token]]


class Client:
    """Speaks for one party; ``renew`` gets or refreshes its token."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        base_url: str,
        now: Callable[[], datetime],
        renew: Renew,
    ) -> None:
        self.link_up = True
        self.requests = 0
        self._http = http
        self._base_url = base_url
        self._now = now
        self._renew = renew
        self._token: Token | None = None
        self._renewing = asyncio.Lock()

    async def get(self, path: str, **query: str) -> Any:  # noqa: ANN401 - any JSON answer
        """Return the JSON of a GET; raises ApiError, LinkDownError."""
        return (await self._send("GET", path, query=query))[0]

    async def post(self, path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON answer
        """Return the JSON of a POST sent under a fresh Idempotency-Key, kept over retries."""
        return (await self._send("POST", path, body, {"Idempotency-Key": uuid.uuid4().hex}))[0]

    async def patch(self, path: str, body: dict[str, Any], etag: str) -> tuple[Any, str]:
        """Change a versioned resource; returns its new JSON and its new ETag."""
        return await self._send("PATCH", path, body, {"If-Match": etag})

    async def read(self, path: str) -> tuple[Any, str]:
        """Return the JSON of a versioned resource and its ETag."""
        return await self._send("GET", path)

    async def pair(self, code: str, device_name: str) -> Token:
        """Pair as a phone with a one-time code; raises ApiError."""
        body = {"code": code, "device_name": device_name, "kind": "phone"}
        key = {"Idempotency-Key": uuid.uuid4().hex}
        answer, _ = await self._send("POST", "/v1/pair", body, key, anonymous=True)
        return Token(
            access=answer["access_token"],
            ends_at=self._now() + timedelta(seconds=answer["expires_in_s"]),
            refresh=answer["refresh_token"],
        )

    async def grant(self, form: dict[str, str]) -> Token:
        """Ask the token endpoint (RFC 6749 form); raises ApiError."""
        async with self._http.post(f"{self._base_url}/v1/token", data=form) as response:
            answer = orjson.loads(await response.read())
            if response.status >= 400:
                raise ApiError("POST /v1/token", response.status, answer)
        return Token(
            access=answer["access_token"],
            ends_at=self._now() + timedelta(seconds=answer["expires_in"]),
            refresh=answer.get("refresh_token"),
        )

    async def events(self, after: int) -> AsyncIterator[tuple[int, str, dict[str, Any]]]:
        """Yield (seq, type, data) from the event stream after ``after``, until it closes."""
        headers = {"Authorization": f"Bearer {await self._bearer()}", "Last-Event-ID": str(after)}
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._http.get(
            f"{self._base_url}/v1/events", headers=headers, timeout=timeout
        ) as response:
            if response.status >= 400:
                raise ApiError(
                    "GET /v1/events", response.status, orjson.loads(await response.read())
                )
            async for line in response.content:
                if line.startswith(b"data:"):
                    event = orjson.loads(line[5:])
                    yield event["seq"], event["type"], event["data"]

    async def _send(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        extra: dict[str, str] | None = None,
        *,
        query: dict[str, str] | None = None,
        anonymous: bool = False,
    ) -> tuple[Any, str]:
        """Send until answered; the same bytes under the same key on every try."""
        data = None if body is None else orjson.dumps(body)
        for attempt in range(_TRIES):
            if not self.link_up:
                raise LinkDownError(path)
            headers = dict(extra or {})
            if data is not None:
                headers["Content-Type"] = "application/json"
            if not anonymous:
                headers["Authorization"] = f"Bearer {await self._bearer()}"
            self.requests += 1
            try:
                async with self._http.request(
                    method, f"{self._base_url}{path}", data=data, headers=headers, params=query
                ) as response:
                    raw = await response.read()
            except aiohttp.ClientError:
                if attempt + 1 == _TRIES:
                    raise
                await asyncio.sleep(_RETRY_PAUSE_S)
                continue
            answer = orjson.loads(raw) if raw else None
            if response.status < 400:
                return answer, response.headers.get("ETag", "")
            last = attempt + 1 == _TRIES
            if response.status == 401 and not anonymous and attempt == 0:
                self._token = await self._renew(self, self._token)
            elif response.status not in _RETRY_STATUS or last:
                raise ApiError(f"{method} {path}", response.status, answer or {})
            else:
                await asyncio.sleep(_RETRY_PAUSE_S)
        raise AssertionError("the last try either returns or raises")

    async def _bearer(self) -> str:
        async with self._renewing:
            if self._token is None or self._now() >= self._token.ends_at - _TOKEN_MARGIN:
                self._token = await self._renew(self, self._token)
            return self._token.access
