"""What every answer has in common: who may ask, how often, and what a no looks like."""

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.test_utils import make_mocked_request
import pytest

from owner_api.config import Config
from owner_api.problems import Problem, ProblemCode
from owner_api.server.app import create_app
from owner_api.server.headers import CONFIG, client_address, require_private_transport
from owner_api.store import Store
from tests.owner_api.conftest import StillClock
from tests.owner_api.http_bench import Gate, authenticate, bench, operations

PROBLEM_MEMBERS = {"type", "title", "status", "detail", "instance", "code", "errors"}


@pytest.mark.parametrize(
    ("method", "path", "caller", "status", "code"),
    [
        ("GET", "/nowhere", "owner:own_a", 404, "not_found"),
        ("GET", "/v1/things/evt_1", "owner:own_a", 404, "not_found"),
        ("PUT", "/v1/things", "owner:own_a", 405, "method_not_allowed"),
        ("GET", "/v1/things", None, 401, "unauthenticated"),
        ("GET", "/v1/things", "park:prk_a", 403, "forbidden"),
        ("PATCH", "/v1/things/evt_1", "owner:own_a", 428, "precondition_required"),
    ],
)
async def test_every_no_is_a_problem_with_a_known_code(
    store: Store,
    clock: StillClock,
    method: str,
    path: str,
    caller: str | None,
    status: int,
    code: str,
) -> None:
    async with bench(store, clock) as api:
        answer = await api.send(method, path, caller=caller)
        assert (answer.status, answer.code) == (status, code)
        assert set(answer.json) == PROBLEM_MEMBERS
        assert answer.json["type"] == f"urn:v2g-owner:problem:{code}"
        assert answer.json["status"] == status


async def test_an_unexpected_failure_shows_nothing_of_our_insides(
    store: Store, clock: StillClock
) -> None:
    async with bench(store, clock) as api:
        answer = await api.post("/v1/things", {"name": "broken"})
        assert (answer.status, answer.code) == (500, "internal")
        for secret in (b"inner detail", b"Traceback", b"RuntimeError", b".py"):
            assert secret not in answer.raw
        assert await api.things() == 0


async def test_a_store_that_cannot_answer_is_503_with_a_time_to_come_back(
    store: Store, clock: StillClock
) -> None:
    async with bench(store, clock) as api:
        await store.close()
        answer = await api.post("/v1/things", {"name": "one"})
        assert (answer.status, answer.code) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0


async def test_promise_7_a_foreign_and_a_missing_id_answer_the_same_bytes(
    store: Store, clock: StillClock
) -> None:
    """Promise 7: nobody learns from a 404 what exists; only the request's own id differs."""
    async with bench(store, clock) as api:
        missing = await api.send("GET", "/v1/things/evt_1")
        nowhere = await api.send("GET", "/v1/nothing/at/all")
        first, second = missing.json, nowhere.json
        assert first.pop("instance") != second.pop("instance")
        assert first == second


@pytest.mark.parametrize(
    ("method", "path", "caller"),
    [
        ("GET", "/v1/things", "owner:own_a"),
        ("GET", "/nowhere", None),
        ("GET", "/healthz", None),
        ("GET", "/v1/sheet", "owner:own_a"),
        ("DELETE", "/v1/things/x", "park:prk_a"),
    ],
)
async def test_every_answer_carries_the_security_headers(
    store: Store, clock: StillClock, method: str, path: str, caller: str | None
) -> None:
    async with bench(store, clock) as api:
        answer = await api.send(method, path, caller=caller)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Server"] == "owner-api"
        assert "Access-Control-Allow-Origin" not in answer.headers
        if answer.headers.get("Content-Type", "").startswith("text/"):
            assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"


async def test_a_versioned_change_needs_the_revision_that_was_read(
    store: Store, clock: StillClock
) -> None:
    async with bench(store, clock) as api:
        made = await api.post("/v1/things", {"name": "one"})
        path = made.headers["Location"]
        stale = await api.send("PATCH", path, json={}, headers={"If-Match": '"7"'})
        assert (stale.status, stale.code) == (412, "precondition_failed")
        assert stale.json["current"] == {"name": "one"}
        weak = await api.send("PATCH", path, json={}, headers={"If-Match": 'W/"1"'})
        assert weak.status == 400
        good = await api.send("PATCH", path, json={"name": "two"}, headers={"If-Match": '"1"'})
        assert (good.status, good.headers["ETag"]) == (200, '"2"')


async def test_too_many_requests_of_one_credential_wait_and_others_do_not(
    store: Store, clock: StillClock
) -> None:
    async with bench(store, clock, Config(rate_per_s=1, rate_burst=3)) as api:
        statuses = [(await api.send("GET", "/v1/things")).status for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        limited = await api.send("GET", "/v1/things")
        assert limited.code == "rate_limited"
        assert limited.headers["Retry-After"] == "1"
        assert (await api.send("GET", "/v1/things", caller="owner:own_b")).status == 200
        clock.move(1)
        assert (await api.send("GET", "/v1/things")).status == 200
        clock.move(-3_600)
        assert (await api.send("GET", "/v1/things")).status == 429
        clock.move(1)
        assert (await api.send("GET", "/v1/things")).status == 200


async def test_an_address_that_guesses_is_shut_out_for_a_while(
    store: Store, clock: StillClock
) -> None:
    async with bench(store, clock, Config(failure_burst=3, failure_rate_per_s=0.1)) as api:
        statuses = [(await api.send("GET", "/v1/things", caller="wrong")).status for _ in range(5)]
        assert statuses == [401, 401, 401, 429, 429]
        # A neighbour behind the same address is not locked out by somebody else's guesses.
        assert (await api.send("GET", "/v1/things", caller="owner:own_a")).status == 200
        # Where guessing could pay, nobody from there may try for now.
        form = await api.send("POST", "/v1/form", caller=None, data={"grant_type": "x"})
        assert (form.status, form.headers["Retry-After"]) == (429, "10")
        clock.move(10)
        assert (await api.send("GET", "/v1/things", caller="wrong")).status == 401


@pytest.mark.parametrize(
    ("addresses", "statuses"),
    [
        ([f"2001:db8:0:1::{host:x}" for host in range(1, 5)], [401, 401, 429, 429]),
        ([f"2001:db8:0:{house}::1" for house in range(1, 5)], [401] * 4),
        ([f"203.0.113.{host}" for host in range(1, 5)], [401] * 4),
        (["203.0.113.7", "::ffff:203.0.113.7", "203.0.113.7"], [401, 401, 429]),
        # Some proxies write the caller's port beside the address: no caller of its own.
        ([f"203.0.113.7:{port}" for port in range(4000, 4004)], [401, 401, 429, 429]),
        (["203.0.113.7", "203.0.113.7:4000", "[::ffff:203.0.113.7]:4000"], [401, 401, 429]),
        ([f"[2001:db8::{host:x}]:{4000 + host}" for host in range(1, 5)], [401, 401, 429, 429]),
        (["[2001:db8::1]", "2001:db8::2%eth0", "[2001:db8::3%eth0]:80"], [401, 401, 429]),
        ([f"203.0.113.{host}:4000" for host in range(1, 5)], [401] * 4),
        # What is no address is the proxy's own, whatever it says.
        (["unknown", "_hidden", "203.0.113:80", "[]:80"], [401, 401, 429, 429]),
    ],
)
async def test_a_house_of_ipv6_addresses_guesses_no_more_often_than_one(
    store: Store, clock: StillClock, addresses: list[str], statuses: list[int]
) -> None:
    limits = Config(failure_burst=2, failure_rate_per_s=0.1, trusted_proxies=("127.0.0.1",))
    async with bench(store, clock, limits) as api:
        found = []
        for address in addresses:
            headers = {"X-Forwarded-For": address, "X-Forwarded-Proto": "https"}
            answer = await api.send("GET", "/v1/things", caller="wrong", headers=headers)
            found.append(answer.status)
    assert found == statuses


async def test_health_says_ready_only_while_a_durable_write_works(
    store: Store, clock: StillClock
) -> None:
    async with bench(store, clock) as api:
        assert (await api.send("GET", "/healthz", caller=None)).json == {"status": "ok"}
        assert (await api.send("GET", "/readyz", caller=None)).json == {"status": "ok"}
        await store.close()
        clock.move(60)
        assert (await api.send("GET", "/healthz", caller=None)).status == 200
        assert (await api.send("GET", "/readyz", caller=None)).status == 503


async def test_the_server_names_itself_and_its_time(store: Store, clock: StillClock) -> None:
    async with bench(store, clock) as api:
        body = (await api.send("GET", "/v1/server", caller=None)).json
        assert body["time"] == "2026-12-01T05:30:00Z"
        assert body["api_version"] == 1
        assert body["server_id"].startswith("srv_")


def request_from(peer: str, config: Config, **headers: str) -> web.Request:
    """Return a plain HTTP request that came from ``peer``."""
    app = web.Application()
    app[CONFIG] = config
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    request = make_mocked_request("GET", "/v1/things", headers=sent, app=app)
    return request.clone(remote=peer)


PROXIED = Config(trusted_proxies=("10.0.0.0/8",))


@pytest.mark.parametrize(
    ("peer", "config", "headers"),
    [
        ("127.0.0.1", Config(), {}),
        ("::1", Config(), {}),
        ("10.1.2.3", PROXIED, {"X_Forwarded_Proto": "https"}),
    ],
)
def test_plain_http_is_for_this_machine_or_a_declared_proxy(
    peer: str, config: Config, headers: dict[str, Any]
) -> None:
    require_private_transport(request_from(peer, config, **headers))


@pytest.mark.parametrize(
    ("peer", "config", "headers"),
    [
        ("192.168.1.7", Config(), {}),
        ("192.168.1.7", PROXIED, {"X_Forwarded_Proto": "https"}),
        ("10.1.2.3", PROXIED, {"X_Forwarded_Proto": "http"}),
        ("10.1.2.3", PROXIED, {}),
        ("127.0.0.1", Config(trusted_proxies=("127.0.0.1",)), {"X_Forwarded_Proto": "http"}),
    ],
)
def test_plain_http_that_left_a_machine_is_refused(
    peer: str, config: Config, headers: dict[str, Any]
) -> None:
    with pytest.raises(Problem) as refused:
        require_private_transport(request_from(peer, config, **headers))
    assert refused.value.code is ProblemCode.FORBIDDEN


def test_a_forwarded_address_is_believed_from_a_declared_proxy_only() -> None:
    forwarded = {"X_Forwarded_For": "6.6.6.6, 203.0.113.9"}
    assert client_address(request_from("10.1.2.3", PROXIED, **forwarded)) == "203.0.113.9"
    assert client_address(request_from("192.0.2.1", PROXIED, **forwarded)) == "192.0.2.1"


@pytest.mark.parametrize(
    "nonsense",
    [
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Null: \x00\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: nonsense\r\n\r\n",
    ],
)
async def test_what_is_not_http_gets_a_problem_and_is_hung_up_on(
    store: Store, clock: StillClock, caplog: pytest.LogCaptureFixture, nonsense: bytes
) -> None:
    async with bench(store, clock) as api:
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(nonsense)
        async with asyncio.timeout(30):
            answer = await reader.read()
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
        assert b"application/problem+json" in head
        assert b"nosniff" in head
        assert b'"code":"bad_request"' in body
        # Strangers must not be able to fill the log.
        assert "Traceback" not in caplog.text


async def test_two_operations_for_one_place_are_a_mistake(store: Store, clock: StillClock) -> None:
    doubled = [*operations(Gate()), *operations(Gate())]
    with pytest.raises(ValueError, match="declared twice: POST /v1/things"):
        create_app(
            store=store, clock=clock, config=Config(), routes=doubled, authenticate=authenticate
        )


async def test_many_callers_at_once_all_get_their_own_answer(
    store: Store, clock: StillClock
) -> None:
    async with bench(store, clock) as api:
        answers = await asyncio.gather(
            *(api.post("/v1/things", {"name": f"n{at}"}, key=f"k{at}") for at in range(100))
        )
        assert {answer.status for answer in answers} == {201}
        assert len({answer.json["thing_id"] for answer in answers}) == 100
        assert await api.things() == 100


def test_every_code_has_a_status_a_title_and_a_name_of_its_own() -> None:
    for code in ProblemCode:
        assert 400 <= code.status <= 599
        assert code.title
    assert len({code.title for code in ProblemCode}) == len(ProblemCode)
