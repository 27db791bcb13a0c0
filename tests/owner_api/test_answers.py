"""An answer that we write ourselves is the one that aiohttp would have written."""

import asyncio

import pytest

from owner_api.server.answers import lines
from owner_api.store import Store
from tests.owner_api.conftest import StillClock
from tests.owner_api.http_bench import bench

_ASK = b"GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer owner:own_a\r\n%s\r\n"
_LAST = b"Connection: close\r\n"
_PLACES = (b"/v1/things", b"/v1/sheet", b"/v1/server")


async def ask(port: int, request: bytes) -> bytes:
    """Send bytes and return everything that comes back until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(30):
        answer = await reader.read()
    writer.close()
    return answer


def head(answer: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """Return the status line and the headers that do not name a moment or the connection."""
    status, *rows = answer.partition(b"\r\n\r\n")[0].split(b"\r\n")
    headers = dict(row.split(b": ", 1) for row in rows)
    assert len(headers) == len(rows)
    assert headers.pop(b"Date").endswith(b" GMT")
    headers.pop(b"Connection", None)
    return status, headers


@pytest.mark.parametrize("path", _PLACES)
async def test_a_kept_connection_gets_the_head_that_aiohttp_writes_on_a_last_answer(
    store: Store, clock: StillClock, path: bytes
) -> None:
    async with bench(store, clock) as api:
        last = await ask(api.port, _ASK % (path, _LAST))
        twice = await ask(api.port, _ASK % (path, b"") + _ASK % (path, _LAST))
    assert b"Connection: close" in last
    assert twice.count(b"HTTP/1.1 200 OK") == 2
    assert head(twice) == head(last)
    assert b"Connection" not in twice.partition(b"\r\n\r\n")[0]


async def test_a_caller_of_http_1_0_is_answered_and_hung_up_on(
    store: Store, clock: StillClock
) -> None:
    async with bench(store, clock) as api:
        asked = (_ASK % (b"/v1/things", b"")).replace(b"HTTP/1.1", b"HTTP/1.0")
        answer = await ask(api.port, asked)
    assert answer.startswith(b"HTTP/1.0 200 OK")
    assert b"nosniff" in answer


async def test_a_client_that_waits_to_be_asked_for_its_body_is_asked(
    store: Store, clock: StillClock
) -> None:
    body = b"grant_type=x"
    async with bench(store, clock) as api:
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(
            b"POST /v1/form HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 12\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"
        )
        async with asyncio.timeout(30):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(body)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
        writer.close()


async def test_an_expectation_that_nobody_knows_is_a_problem(
    store: Store, clock: StillClock
) -> None:
    async with bench(store, clock) as api:
        answer = await ask(api.port, _ASK % (b"/v1/things", _LAST + b"Expect: a miracle\r\n"))
    assert answer.startswith(b"HTTP/1.1 4")
    assert b"application/problem+json" in answer
    assert b"nosniff" in answer


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\nb", "a\x00"])
def test_no_value_begins_another_header(value: str) -> None:
    with pytest.raises(ValueError, match="control characters"):
        lines({"Location": value})
