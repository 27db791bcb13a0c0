"""A whole server: it starts, keeps time, stops in order, and never speaks plainly to strangers."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
import re
import ssl

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
import pytest

from owner_api.clock import SystemClock
from owner_api.config import Config, ConfigError
from owner_api.server.agent import Agent, build_agent
from owner_api.server.timers import Timers
from owner_api.store import Commit, Store, StoreClosedError, Tx
from tests.fresh_database import lay
from tests.owner_api.conftest import StillClock


async def test_an_agent_answers_while_it_runs_and_frees_the_file_when_it_stops(
    tmp_path: Path, clock: StillClock
) -> None:
    path = tmp_path / "owner.db"
    agent = await build_agent(path, clock, Config(), run_timers=False)
    port = await agent.start("127.0.0.1", 0)
    async with aiohttp.ClientSession() as client:
        async with client.get(f"http://127.0.0.1:{port}/readyz") as response:
            assert response.status == 200
        await agent.stop()
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.get(f"http://127.0.0.1:{port}/healthz")
    with pytest.raises(StoreClosedError):
        await agent.store.write(lambda _tx: None)
    await (await Store.open(path, create=False)).close()


async def test_an_open_stream_does_not_hold_up_the_end(tmp_path: Path, clock: StillClock) -> None:
    config = Config(shutdown_timeout_s=60)
    agent = await build_agent(lay(tmp_path / "owner.db"), clock, config, run_timers=False)
    port = await agent.start("127.0.0.1", 0)
    token = agent.access.tokens.issue(
        role="park", party_id="prk_a", client_id="prk_a", epoch=0, now=clock.now(), life_s=600
    )
    await agent.store.write(
        lambda tx: tx.insert(
            "park",
            park_id="prk_a",
            display_name="A",
            secret_sha256="",
            token_epoch=0,
            terms_version=1,
            terms_text="",
            terms_sha256="",
            created_at=clock.now(),
        )
    )
    async with aiohttp.ClientSession() as client:
        headers = {"Authorization": f"Bearer {token}"}
        url = f"http://127.0.0.1:{port}/v1/events"
        async with client.get(url, headers=headers) as response:
            assert response.status == 200, await response.text()
            async with asyncio.timeout(30):
                await agent.stop()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])  # noqa: S104 - it is refused
async def test_plain_http_beyond_this_machine_is_refused(
    tmp_path: Path, clock: StillClock, host: str
) -> None:
    async with await build_agent(lay(tmp_path / "owner.db"), clock, Config()) as agent:
        with pytest.raises(ConfigError, match="tls_certificate"):
            await agent.start(host, 0)


def self_signed(folder: Path) -> tuple[str, str]:
    """Write a certificate for localhost and its key; return both paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(folder / "cert.pem"), str(folder / "key.pem")


async def test_tls_from_the_configuration_is_spoken_and_asks_to_stay(
    tmp_path: Path, clock: StillClock
) -> None:
    certificate, key = self_signed(tmp_path)
    config = Config(tls_certificate=certificate, tls_key=key)
    trust = ssl.create_default_context(cafile=certificate)
    async with await build_agent(lay(tmp_path / "owner.db"), clock, config) as agent:
        port = await agent.start("127.0.0.1", 0)
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"https://localhost:{port}/healthz", ssl=trust) as response,
        ):
            assert response.status == 200
            assert "max-age" in response.headers["Strict-Transport-Security"]


async def scraped(agent: Agent) -> str:
    """Return the figure of how long the certificate lasts."""
    url = f"http://127.0.0.1:{agent.metrics_port}/metrics"
    async with aiohttp.ClientSession() as client, client.get(url) as response:
        text = await response.text()
    found = re.search(r"^owner_api_certificate_left_seconds (\S+)$", text, re.MULTILINE)
    assert found is not None
    return found[1]


async def test_how_long_the_certificate_lasts_is_a_figure_and_one_that_ended_is_logged(
    tmp_path: Path, clock: StillClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever renews it and does not restart the server locks everybody out, a stop included."""
    async with await build_agent(tmp_path / "a.db", clock, Config(metrics_port=0)) as agent:
        await agent.start("127.0.0.1", 0)
        assert await scraped(agent) == "+Inf"
    certificate, key = self_signed(tmp_path)
    config = Config(tls_certificate=certificate, tls_key=key, metrics_port=0)
    ends_at = datetime.now(UTC) + timedelta(days=1)
    for begun_before in (timedelta(hours=6), timedelta(hours=-6)):
        clock.instant = ends_at - begun_before
        async with await build_agent(tmp_path / "b.db", clock, config) as agent:
            await agent.start("127.0.0.1", 0)
            left = float(await scraped(agent))
        assert abs(left - begun_before.total_seconds()) < 3600
        assert ("ended at" in caplog.text) is (left < 0)


async def test_timers_run_by_themselves_and_forget_what_is_old(store: Store) -> None:
    config = Config(tick_interval_s=0.05, prune_interval_s=1, outbox_keep_s=60)
    long_ago = datetime.now(UTC) - timedelta(days=30)
    await store.write(lambda tx: tx.emit("own_a", "noted", long_ago, {}))
    timers = Timers(store, SystemClock(), config)
    timers.start()
    async with asyncio.timeout(30):
        while await store.read(lambda tx: tx.all("SELECT * FROM outbox")):  # noqa: ASYNC110 - tells nobody
            await asyncio.sleep(0.01)
    await timers.stop()


async def test_a_failing_deadline_is_logged_and_tried_again(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []
    twice = asyncio.Event()
    loop = asyncio.get_running_loop()

    def tick(*_args: object, **_named: object) -> None:
        calls.append(1)
        if len(calls) == 2:
            loop.call_soon_threadsafe(twice.set)
        raise RuntimeError("one bad row")

    monkeypatch.setattr("owner_api.commands.timers.tick", tick)
    timers = Timers(store, SystemClock(), Config(tick_interval_s=0.05))
    timers.start()
    async with asyncio.timeout(30):
        await twice.wait()
    await timers.stop()
    assert "one bad row" in caplog.text


async def test_a_block_that_fails_inside_a_command_undoes_itself_only(store: Store) -> None:
    def failing(tx: Tx) -> None:
        with tx.nested():
            tx.emit("own_b", "inside", datetime.now(UTC), {})
            raise RuntimeError("undone")

    def command(tx: Tx) -> None:
        tx.emit("own_a", "before", datetime.now(UTC), {})
        with pytest.raises(RuntimeError, match="undone"):
            failing(tx)
        with tx.nested():
            tx.emit("own_c", "kept", datetime.now(UTC), {})

    told: list[Commit] = []
    store.subscribe(told.append)
    await store.write(command)
    rows = await store.read(lambda tx: tx.all("SELECT type FROM outbox ORDER BY party_id"))
    assert [row["type"] for row in rows] == ["before", "kept"]
    heard = [[(event.party_id, event.type) for event in commit.events] for commit in told]
    assert heard == [[("own_a", "before"), ("own_c", "kept")]]
