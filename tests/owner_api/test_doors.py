"""What every answer, refusal and log line at the doors carries, whoever asks."""

import asyncio
import base64
from collections.abc import AsyncIterator
import contextlib
from dataclasses import replace
import io
import logging
from pathlib import Path
import re
import ssl
from typing import Any

from aiohttp import ClientSession
import orjson
import pytest

from owner_api.access import opaque
from owner_api.access.keys import key_directory
from owner_api.clock import SystemClock
from owner_api.config import Config, ConfigError
from owner_api.server import owner, park, privacy
from owner_api.server.access import access_routes
from owner_api.server.agent import build_agent
from owner_api.server.crowd import Crowd
from owner_api.server.headers import network_of
from owner_api.server.ledger import ledger_routes
from owner_api.server.logs import JsonLines
from owner_api.server.running import running_server
from owner_api.server.tls import choose_transport
from owner_api.store import Store, Tx
from tests.fresh_database import lay

from .access_server import Server, running
from .conftest import StillClock
from .http_bench import bench

# More than --fast has time for.
pytestmark = pytest.mark.slow

DAY_S = 86_400


@pytest.fixture(name="server")
async def _server(tmp_path: Path) -> AsyncIterator[Server]:
    async with running(tmp_path / "owner.db") as server:
        yield server


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return what the log of requests holds, as the server writes it."""
    return [
        orjson.loads(JsonLines().format(record))
        for record in caplog.records
        if record.name == "owner_api.requests"
    ]


@pytest.mark.parametrize(
    "directive",
    [
        "default-src 'none'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "sandbox",
    ],
)
async def test_a_browser_is_allowed_nothing_with_an_answer_of_ours(
    store: Store, clock: StillClock, directive: str
) -> None:
    async with bench(store, clock) as api:
        answer = await api.send("GET", "/healthz", caller=None)
    stated = answer.headers["Content-Security-Policy"].split("; ")
    assert directive in stated
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "OPTIONS", "HEAD", "PURGE"])
async def test_a_method_that_no_operation_has_is_not_offered(
    store: Store, clock: StillClock, method: str
) -> None:
    async with bench(store, clock) as api:
        answer = await api.send(method, "/v1/form")
        assert answer.status in (404, 405)
        assert not answer.raw or b"Bearer" not in answer.raw


async def test_another_origin_is_answered_without_any_permission(
    store: Store, clock: StillClock
) -> None:
    asked = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    async with bench(store, clock) as api:
        for method in ("OPTIONS", "GET"):
            answer = await api.send(method, "/v1/things", headers=asked)
            allowed = [name for name in answer.headers if name.lower().startswith("access-control")]
            assert allowed == []


async def test_no_answer_sets_a_cookie_and_none_is_believed(server: Server) -> None:
    device = await server.device(await server.add_owner())
    token = device["access_token"]
    good = await server.call("GET", "/v1/me", token=token)
    assert "Set-Cookie" not in good.headers
    with_cookie = await server.call(
        "GET", "/v1/me", headers={"Cookie": f"access_token={token}; Authorization=Bearer {token}"}
    )
    assert with_cookie.status == 401


@pytest.mark.parametrize("name", ["access_token", "token", "authorization"])
async def test_a_token_in_the_address_opens_nothing(server: Server, name: str) -> None:
    device = await server.device(await server.add_owner())
    answer = await server.call("GET", f"/v1/me?{name}={device['access_token']}")
    assert answer.status == 401


SMUGGLED = (
    b"POST /v1/form HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"%s\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
)


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: +5",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding: xchunked",
        b"Content-Length: 5\r\nTransfer-Encoding:\x0bchunked",
    ],
)
async def test_a_message_with_two_possible_ends_is_refused_and_hung_up_on(
    store: Store, clock: StillClock, framing: bytes
) -> None:
    async with bench(store, clock) as api:
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(SMUGGLED % framing)
        async with asyncio.timeout(30):
            answer = await reader.read()
        writer.close()
    # What cannot be parsed is answered in HTTP/1.0, which ends the connection.
    assert re.findall(rb"^HTTP/1\.[01] (\d+)", answer, re.MULTILINE) == [b"400"]


async def test_what_an_address_logs_at_the_door_says_who_what_and_from_which_network(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    device = await server.device(await server.add_owner())
    park = await server.add_park()
    caplog.set_level(logging.INFO, "owner_api.requests")
    # Another test's server may have left the level low enough for what came before.
    caplog.clear()
    await server.call("GET", "/v1/me", token=device["access_token"])
    await server.call("GET", "/v1/me", token="not.a.token")
    await server.call("GET", "/v1/devices", token=await server.park_token(park))
    await server.refresh("v2grt_made-up")
    told = [
        (line["route"], line["level"], line.get("code"), line["caller"], line.get("network"))
        for line in lines(caplog)
    ]
    home = "127.0.0.0/24"
    assert told == [
        ("/v1/me", "info", None, device["device_id"], None),
        ("/v1/me", "warning", "unauthenticated", "unknown", home),
        ("/v1/token", "info", None, "public", None),
        ("/v1/devices", "warning", "forbidden", park.park_id, home),
        ("/v1/token", "warning", "invalid_grant", "public", home),
    ]
    assert all(line["at"].endswith("Z") and line["request_id"] for line in lines(caplog))


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("nonsense", "unknown"),
    ],
)
def test_a_log_keeps_the_network_of_an_address_and_not_the_address(
    address: str, network: str
) -> None:
    assert network_of(address) == network


def test_text_with_line_breaks_stays_one_line_of_the_log() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    forged = 'x\n{"level":"info","message":"all is well"}\r\n\u2028\x1b[2J'
    handler.handle(logging.LogRecord("owner_api", logging.INFO, "", 0, forged, None, None))
    written = stream.getvalue()
    assert written.count("\n") == 1
    assert "\x1b" not in written
    assert orjson.loads(written)["message"] == forged


async def test_a_device_is_paired_anew_after_three_years_however_often_it_refreshed(
    server: Server,
) -> None:
    token = (await server.device(await server.add_owner()))["refresh_token"]
    years = server.config.pairing_life_s
    assert years == 3 * 365 * DAY_S
    step = 179 * DAY_S
    for _ in range(years // step):
        server.clock.move(step)
        answer = await server.refresh(token)
        assert answer.status == 200
        token = answer.body["refresh_token"]
    server.clock.move(years % step - 1)
    token = (await server.refresh(token)).body["refresh_token"]
    server.clock.move(1)
    assert (await server.refresh(token)).status == 400


async def test_a_connection_too_many_is_hung_up_on_and_the_others_are_served(
    store: Store, clock: StillClock
) -> None:
    async with bench(store, clock, Config(max_connections=12)) as api:
        held = [await asyncio.open_connection("127.0.0.1", api.port) for _ in range(12)]
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        async with asyncio.timeout(30):
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()
        for reader, writer in held:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            async with asyncio.timeout(30):
                assert (await reader.read()).startswith(b"HTTP/1.1 200")
            writer.close()
        # They have left, so there is room again.
        async with asyncio.timeout(30):
            while (await knock(api.port)) != b"HTTP/1.1 200":  # noqa: ASYNC110 - the count belongs to the code under test
                await asyncio.sleep(0.01)


async def test_a_handshake_that_never_comes_counts_as_a_connection_and_ends(
    tmp_path: Path,
) -> None:
    config = Config(
        database=str(tmp_path / "owner.db"),
        listen_port=0,
        announce=False,
        max_connections=10,
        keepalive_s=1,
    )
    async with running_server(config, self_signed=True) as server:
        opened = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(15)]

        async def end(reader: asyncio.StreamReader) -> float:
            with contextlib.suppress(ConnectionError):
                await reader.read()
            return asyncio.get_running_loop().time()

        async with asyncio.timeout(30):
            began = asyncio.get_running_loop().time()
            ends = sorted(await asyncio.gather(*(end(reader) for reader, _ in opened)))
        # Five too many are hung up on long before the deadline of the other ten.
        assert ends[4] < began + 0.9 < ends[5]
        for _, writer in opened:
            writer.close()
        # They have left, so there is room again, also after words that are no TLS.
        for _ in range(12):
            assert await knock(server.port) == b""
        async with ClientSession() as http:
            for _ in range(12):
                async with http.get(f"{server.url}/healthz", ssl=False) as answer:
                    assert answer.status == 200


async def knock(port: int) -> bytes:
    """Ask once on a connection of its own; what is hung up on answers nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    try:
        return (await reader.read())[:12]
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("address", "most"),
    [
        ("203.0.113.7", 3),
        ("2001:db8::7", 3),
        ("not an address", 3),
        ("127.0.0.1", 20),
        ("::1", 20),
        ("10.1.2.3", 20),
    ],
)
def test_one_address_holds_a_few_connections_and_a_proxy_stands_for_many(
    address: str, most: int
) -> None:
    limits = Config(
        max_connections=20, max_connections_per_address=3, trusted_proxies=("10.0.0.0/8",)
    )
    crowd = Crowd(limits)
    assert [crowd.enter(address) for _ in range(21)] == [True] * most + [False] * (21 - most)
    for _ in range(21):
        crowd.leave(address)
    assert crowd.enter("203.0.113.9")
    assert crowd.enter(address)


def test_a_house_of_ipv6_addresses_holds_as_many_connections_as_one() -> None:
    crowd = Crowd(Config(max_connections_per_address=3))
    house = [f"2001:db8:0:7:{host:x}::1" for host in range(5)]
    assert [crowd.enter(address) for address in house] == [True] * 3 + [False] * 2
    assert crowd.enter("2001:db8:0:8::1")
    for address in house:
        crowd.leave(address)
    assert crowd.enter(house[4])


def test_what_we_hand_out_as_a_secret_holds_256_random_bits() -> None:
    made = {opaque.new_secret(opaque.REFRESH_PREFIX) for _ in range(1_000)}
    assert len(made) == 1_000
    for secret in made:
        random = secret.removeprefix(opaque.REFRESH_PREFIX)
        assert len(base64.urlsafe_b64decode(random + "=")) == 32


async def test_a_new_database_knows_nobody_who_could_come_in(server: Server) -> None:
    def parties(tx: Tx) -> list[int]:
        counts = []
        for table in ("owner", "park", "device", "refresh_token", "pairing_code"):
            row = tx.one(f"SELECT count(*) AS n FROM {table}")  # noqa: S608 - names from above
            assert row is not None
            counts.append(row["n"])
        return counts

    assert await server.store.read(parties) == [0, 0, 0, 0, 0]


async def test_no_get_changes_anything(tmp_path: Path) -> None:
    """A query runs on a reader's connection, where SQLite refuses to write."""
    config = Config(listen_port=0)
    async with await build_agent(lay(tmp_path / "a.db"), SystemClock(), config) as agent:
        routes = [
            *access_routes(agent.access),
            *owner.ROUTES,
            *park.ROUTES,
            *ledger_routes(agent.notary),
            *privacy.ROUTES,
        ]
    assert len(routes) > 50
    for route in routes:
        assert route.method != "GET" or route.kind == "query", route.name


async def test_under_tls_every_answer_asks_to_stay_there_even_to_what_is_not_http(
    tmp_path: Path,
) -> None:
    choose_transport(Config(), database=tmp_path / "a.db", self_signed=True)
    folder = key_directory(tmp_path / "a.db")
    certificate, key = folder / "tls-p256.crt", folder / "tls-p256.pem"
    config = Config(listen_port=0, tls_certificate=str(certificate), tls_key=str(key))
    trusting = ssl.create_default_context(cafile=str(certificate))
    wanted = b"Strict-Transport-Security: max-age=31536000; includeSubDomains"
    async with await build_agent(lay(tmp_path / "a.db"), SystemClock(), config) as agent:
        port = await agent.start()
        for sent in (b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close", b"nonsense"):
            reader, writer = await asyncio.open_connection("localhost", port, ssl=trusting)
            writer.write(sent + b"\r\n\r\n")
            async with asyncio.timeout(30):
                answer = await reader.read()
            writer.close()
            assert wanted in answer


def test_tls_offers_forward_secret_authenticated_ciphers_from_1_2_on(tmp_path: Path) -> None:
    transport = choose_transport(
        Config(listen_host="127.0.0.1"), database=tmp_path / "owner.db", self_signed=True
    )
    context = transport.ssl_context
    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.maximum_version is ssl.TLSVersion.MAXIMUM_SUPPORTED
    for cipher in context.get_ciphers():
        # Those of TLS 1.3 are forward secret and authenticated by definition.
        assert cipher["protocol"] == "TLSv1.3" or cipher["name"].startswith("ECDHE-")
        assert cipher["aead"]
        assert cipher["strength_bits"] >= 128


async def test_figures_leave_this_machine_under_tls_only(tmp_path: Path) -> None:
    config = Config(listen_port=0, metrics_port=0, metrics_host="0.0.0.0")  # noqa: S104 - refused
    async with await build_agent(lay(tmp_path / "a.db"), SystemClock(), config) as agent:
        with pytest.raises(ConfigError, match="metrics_host"):
            await agent.start()
    choose_transport(Config(), database=tmp_path / "b.db", self_signed=True)
    folder = key_directory(tmp_path / "b.db")
    certificate, key = folder / "tls-p256.crt", folder / "tls-p256.pem"
    config = replace(config, tls_certificate=str(certificate), tls_key=str(key))
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with await build_agent(lay(tmp_path / "b.db"), SystemClock(), config) as agent:
        await agent.start()
        async with (
            ClientSession() as http,
            http.get(f"https://localhost:{agent.metrics_port}/metrics", ssl=trusting) as answer,
        ):
            assert answer.status == 200
