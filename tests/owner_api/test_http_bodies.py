"""Bad input: each a 4xx problem that names the field and the limit, and nothing is stored."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, strategies as st
from probatio import Optional
import pytest

from owner_api.config import Config
from owner_api.schemas.fields import ListOf, integer, timestamp
from owner_api.server.limits import _deeper_than
from owner_api.server.problems import pointer
from owner_api.store import Store
from tests.owner_api.conftest import StillClock
from tests.owner_api.http_bench import bench

# More than --fast has time for.
pytestmark = pytest.mark.slow

JSON = {"Content-Type": "application/json", "Idempotency-Key": "k1"}


@pytest.mark.parametrize(
    ("body", "at", "code", "limit"),
    [
        ({}, "/name", "required", "this field is required"),
        ({"name": "x", "surprise": 1}, "/surprise", "unknown", "not a known field"),
        ({"name": 5}, "/name", "type", "a string"),
        ({"name": "x", "share_pct": 101}, "/share_pct", "range", "0 to 100"),
        ({"name": "x", "share_pct": -0.5}, "/share_pct", "range", "0 to 100"),
        ({"name": "x", "share_pct": True}, "/share_pct", "type", "a finite number"),
        ({"name": "x", "count": 1.0}, "/count", "type", "an integer"),
        ({"name": "x", "count": 10**30}, "/count", "type", "an integer"),
        ({"name": "x" * 21}, "/name", "length", "1 to 20 characters"),
        ({"name": "a\u0000b"}, "/name", "format", "printable characters only"),
        ({"name": "x", "at": "yesterday"}, "/at", "format", "an RFC 3339 time with a zone"),
        ({"name": "x", "at": "2026-12-01T05:30:00"}, "/at", "format", None),
        ({"name": "x", "at": "1999-12-01T05:30:00Z"}, "/at", "range", None),
        ({"name": "x", "parts": [{"size": 9}]}, "/parts/0/size", "range", "1 to 5"),
        ({"name": "x", "parts": [{}] * 4}, "/parts", "length", "0 to 3 items"),
        ([], "", "type", "an object"),
        ("x", "", "type", "an object"),
        (5, "", "type", "an object"),
    ],
)
async def test_a_body_that_breaks_the_schema_names_field_and_limit(
    store: Store, clock: StillClock, body: Any, at: str, code: str, limit: str | None
) -> None:
    async with bench(store, clock) as api:
        answer = await api.post("/v1/things", body)
        assert (answer.status, answer.code) == (422, "invalid_body")
        (error,) = answer.json["errors"]
        assert (error["pointer"], error["code"]) == (at, code)
        assert limit is None or error["limit"] == limit
        assert await api.things() == 0


@pytest.mark.parametrize(
    "at",
    [
        "2026-12-01T05:30:00.123456Z",
        "2026-12-01T05:30:00.1234567Z",
        "2026-12-01T05:30:00.123456789Z",
        "2026-12-01T13:30:00.123456789+08:00",
        "2026-12-01t05:30:00.123456z",
    ],
)
async def test_a_time_may_be_as_fine_as_any_clock_writes_it(
    store: Store, clock: StillClock, at: str
) -> None:
    """Those of .NET have seven digits, of Go and Java nine: RFC 3339 allows any number."""
    async with bench(store, clock) as api:
        assert (await api.post("/v1/things", {"name": "x", "at": at})).status == 201
    assert timestamp()(at) == datetime(2026, 12, 1, 5, 30, 0, 123456, UTC)


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b'{"name": NaN}',
        b'{"name": Infinity}',
        b'{"name": "x",}',
        b"{'name': 'x'}",
        b'\xff{"name": "x"}',
        b'{"name": "\\ud800"}',
        b'{"parts": ' + b"[" * 40 + b"]" * 40 + b"}",
        b"[" * 20_000,
    ],
)
async def test_a_body_that_is_not_our_json_is_refused(
    store: Store, clock: StillClock, raw: bytes
) -> None:
    async with bench(store, clock) as api:
        answer = await api.send("POST", "/v1/things", data=raw, headers=JSON)
        assert (answer.status, answer.code) == (400, "malformed_json")
        assert await api.things() == 0


@pytest.mark.parametrize("length", ["announced", "chunked"])
async def test_a_bigger_body_than_allowed_is_refused_and_the_connection_closed(
    store: Store, clock: StillClock, length: str
) -> None:
    async with bench(store, clock, Config(max_body_bytes=1_024)) as api:

        async def pieces() -> Any:
            for _ in range(20):
                yield b" " * 100

        data = b" " * 2_000 if length == "announced" else pieces()
        answer = await api.send("POST", "/v1/things", data=data, headers=JSON)
        assert (answer.status, answer.code) == (413, "payload_too_large")
        assert "1024 bytes" in answer.json["detail"]
        assert answer.headers["Connection"] == "close"
        assert await api.things() == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, 415),
        ({"Content-Type": "application/json; charset=utf-8"}, 201),
    ],
)
async def test_only_plain_json_is_taken(
    store: Store, clock: StillClock, headers: dict[str, str], status: int
) -> None:
    async with bench(store, clock) as api:
        answer = await api.send(
            "POST",
            "/v1/things",
            data=b'{"name": "x"}',
            headers=headers | {"Idempotency-Key": "k1"},
        )
        assert answer.status == status


@pytest.mark.parametrize(
    ("form", "status"),
    [
        (b"grant_type=refresh_token", 200),
        (b"grant_type=a&grant_type=b", 400),
        (b"grant_type", 400),
        (b"other=x", 422),
        (b"\xff", 400),
        (b"&".join(b"f%d=1" % at for at in range(30)), 400),
    ],
)
async def test_a_form_is_read_strictly_too(
    store: Store, clock: StillClock, form: bytes, status: int
) -> None:
    async with bench(store, clock) as api:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await api.send("POST", "/v1/form", caller=None, data=form, headers=headers)
        assert answer.status == status


@pytest.mark.parametrize(
    ("query", "at"),
    [
        ("limit=0", "?limit"),
        ("limit=201", "?limit"),
        ("limit=1e2", "?limit"),
        ("limit=0x10", "?limit"),
        ("limit=5&limit=6", "?limit"),
        ("surprise=1", "?surprise"),
        ("cursor=", "?cursor"),
        ("deep=yes", "?deep"),
    ],
)
async def test_a_parameter_that_is_unknown_repeated_or_out_of_range_is_named(
    store: Store, clock: StillClock, query: str, at: str
) -> None:
    async with bench(store, clock) as api:
        answer = await api.send("GET", f"/v1/things?{query}")
        assert (answer.status, answer.code) == (422, "invalid_parameter")
        assert [error["pointer"] for error in answer.json["errors"]] == [at]


async def test_parameters_arrive_as_the_type_their_schema_says(
    store: Store, clock: StillClock
) -> None:
    async with bench(store, clock) as api:
        answer = await api.send("GET", "/v1/things?limit=20&cursor=7&deep=true")
        assert answer.json["query"] == {"limit": 20, "cursor": "7", "deep": True}


SLOW_BODY = (
    b"POST /v1/things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Authorization: Bearer owner:own_a\r\nIdempotency-Key: k\r\n"
    b"Content-Length: 100\r\n\r\n{"
)
SLOW_HEADERS = b"POST /v1/things HTTP/1.1\r\nHost: x\r\nAuthor"


@pytest.mark.parametrize(
    ("part", "closes"),
    [(SLOW_BODY, b"408"), (SLOW_HEADERS, b""), (b"", b"")],
    ids=["slow body", "slow headers", "nothing at all"],
)
async def test_promise_10_a_client_that_dribbles_is_closed(
    store: Store, clock: StillClock, part: bytes, closes: bytes
) -> None:
    """Promise 10: a slow or silent client holds nothing open."""
    config = Config(body_timeout_s=0.2, keepalive_s=0.2)
    async with bench(store, clock, config) as api:
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(part)
        await writer.drain()
        async with asyncio.timeout(30):
            answer = await reader.read()  # to the end: the server must close
        assert closes in answer
        if closes:
            assert b'"code":"request_timeout"' in answer
        writer.close()
        assert await api.things() == 0


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=30,
)


def depth(value: Any) -> int:
    """Return how many containers stand inside one another: the plain definition."""
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


@given(value=JSON_VALUES, limit=st.integers(0, 6))
def test_the_depth_limit_counts_what_nests(value: Any, limit: int) -> None:
    assert _deeper_than(value, limit) == (depth(value) > limit)


def test_pointers_escape_what_rfc_6901_says() -> None:
    assert pointer(["a/b", "m~n", 0]) == "/a~1b/m~0n/0"


def test_the_leaves_of_a_list_are_checked_by_their_own_schema() -> None:
    assert ListOf({Optional("n"): integer(1, 2)}, 0, 1)([{"n": 2}]) == [{"n": 2}]
