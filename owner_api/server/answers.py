"""Answers as bytes: their head is written once, and head and body leave in one piece."""

from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from http import HTTPStatus
from time import time
from typing import Final

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import rfc822_formatted_time

from owner_api.calls import Reply
from owner_api.store.documents import to_json

from .headers import ALWAYS, HSTS, is_encrypted, leave


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """An answer as it leaves: what is stored for a repeat."""

    status: int
    headers: dict[str, str]
    body: bytes

    @cached_property
    def head(self) -> bytes:
        """Return the status line and every header but the date and what depends on TLS."""
        own = lines(self.headers)
        return b"%bContent-Length: %d\r\n%b" % (_begin(self.status), len(self.body), own)


def lines(headers: dict[str, str]) -> bytes:
    """Return header lines; raises ValueError for a value that could begin another line."""
    for value in headers.values():
        if not value.isprintable():
            raise ValueError(f"a header with control characters: {value!r}")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()


_HSTS: Final = lines(HSTS)


@cache
def _begin(status: int) -> bytes:
    """Return the status line and the headers that every answer carries."""
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode() + lines(ALWAYS)


@lru_cache(maxsize=1)
def _end(_second: int) -> bytes:
    """Return the date and the end of a head; one second's answers share it."""
    return lines({"Date": rfc822_formatted_time()}) + b"\r\n"


def render(reply: Reply) -> Rendered:
    """Return an answer's status, headers and bytes."""
    headers: dict[str, str] = {}
    if reply.etag is not None:
        headers["ETag"] = f'"{reply.etag}"'
    if reply.location is not None:
        headers["Location"] = reply.location
    if reply.language is not None:
        headers["Content-Language"] = reply.language
    match reply.body:
        case None:
            body = b""
        case bytes():
            body = reply.body
        case str() if reply.content_type != "application/json":
            body = reply.body.encode()
        case _:
            body = to_json(reply.body)
    if body or reply.body is not None:
        text = reply.content_type.startswith("text/") and "charset" not in reply.content_type
        headers["Content-Type"] = reply.content_type + ("; charset=utf-8" if text else "")
    return Rendered(status=reply.status, headers=headers, body=body)


def respond(request: web.Request, rendered: Rendered) -> web.StreamResponse:
    """Return the response; aiohttp writes what is rare: no body, HTTP/1.0, a last answer."""
    if rendered.body and request.version == HttpVersion11 and request.keep_alive:
        return _Whole(request, rendered)
    return web.Response(
        status=rendered.status, headers=rendered.headers, body=rendered.body or None
    )


class _Whole(web.StreamResponse):
    """An answer with a body on a connection that stays; it leaves in one write."""

    def __init__(self, request: web.Request, rendered: Rendered) -> None:
        super().__init__(status=rendered.status)
        self._asked = request
        self._rendered = rendered

    @property
    def keep_alive(self) -> bool:
        """Tell aiohttp that the connection stays open."""
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Tell who listens; the head leaves with the body."""
        leave(self._asked, self)
        return request.writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Write everything."""
        secured = _HSTS if is_encrypted(self._asked) else b""
        rendered = self._rendered
        pieces = (rendered.head, secured, _end(int(time())), rendered.body, data)
        await self._asked.writer.write_eof(b"".join(pieces))
