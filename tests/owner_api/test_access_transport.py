"""Where the server may listen, what it announces, and the key a house's own server is known by."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
import pytest
from zeroconf import IPVersion, NonUniqueNameException, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from owner_api.access.keys import KeyFileError, key_directory, load_keys, new_p256, write_private
from owner_api.config import Config
from owner_api.server.discovery import (
    SERVICE_TYPE,
    Announcement,
    service_info,
    should_announce,
)
from owner_api.server.running import running_server
from owner_api.server.tls import (
    ListenRefusedError,
    Transport,
    choose_transport,
    key_pin,
    public_url,
)

LOCAL = Config(listen_host="127.0.0.1", announce=True)
OPEN = replace(LOCAL, listen_host="192.0.2.7")


def choose(config: Config, folder: Path, *, self_signed: bool = False) -> Transport:
    return choose_transport(config, database=folder / "owner.db", self_signed=self_signed)


def certificate(folder: Path) -> tuple[str, str, str]:
    """Write a certificate and key as an authority would hand them out; return both and the pin."""
    key, name = new_p256(), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "owner.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (folder / "owner.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "owner.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(folder / "owner.crt"), str(folder / "owner.key"), key_pin(key.public_key())


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_plain_http_is_served_on_loopback(tmp_path: Path, host: str) -> None:
    chosen = choose(replace(LOCAL, listen_host=host), tmp_path)
    assert (chosen.ssl_context, chosen.pin, chosen.scheme) == (None, None, "http")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "fe80::1", "owner.example"])  # noqa: S104
def test_plain_http_is_refused_elsewhere_and_the_refusal_says_what_would_pass(
    tmp_path: Path, host: str
) -> None:
    with pytest.raises(ListenRefusedError) as refused:
        choose(replace(LOCAL, listen_host=host), tmp_path)
    for way in ("--tls-certificate", "--self-signed", "--proxy"):
        assert way in str(refused.value)


def test_a_declared_proxy_brings_the_tls_itself(tmp_path: Path) -> None:
    chosen = choose(replace(OPEN, trusted_proxies=("10.0.0.1",)), tmp_path)
    assert chosen.ssl_context is None


def test_a_certificate_of_ones_own_is_used_and_not_pinned(tmp_path: Path) -> None:
    crt, key, _ = certificate(tmp_path)
    config = replace(OPEN, tls_certificate=crt, tls_key=key)
    chosen = choose(config, tmp_path)
    assert chosen.ssl_context is not None
    assert chosen.ssl_context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert (chosen.scheme, chosen.pin) == ("https", None)
    with pytest.raises(ListenRefusedError):
        choose(config, tmp_path, self_signed=True)


def test_a_key_that_does_not_fit_its_certificate_is_refused(tmp_path: Path) -> None:
    crt, _, _ = certificate(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    _, key, _ = certificate(other)
    with pytest.raises(ListenRefusedError):
        choose(replace(OPEN, tls_certificate=crt, tls_key=key), tmp_path)


def test_a_key_that_asks_for_a_passphrase_is_refused_and_no_terminal_is_waited_for(
    tmp_path: Path,
) -> None:
    crt, key, _ = certificate(tmp_path)
    plain = serialization.load_pem_private_key(Path(key).read_bytes(), None)
    locked = plain.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"word"),
    )
    Path(key).write_bytes(locked)
    with pytest.raises(ListenRefusedError, match="protected by a passphrase"):
        choose(replace(OPEN, tls_certificate=crt, tls_key=key), tmp_path)


def test_the_self_signed_key_stays_and_is_readable_by_its_user_only(tmp_path: Path) -> None:
    first = choose(OPEN, tmp_path, self_signed=True)
    again = choose(OPEN, tmp_path, self_signed=True)
    assert first.pin is not None
    assert len(first.pin) == 64
    assert first.pin == again.pin
    key = key_directory(tmp_path / "owner.db") / "tls-p256.pem"
    assert key.stat().st_mode & 0o077 == 0


def test_the_public_url_is_the_configured_one_or_an_address_clients_can_reach() -> None:
    tls = Transport(ssl_context=ssl.create_default_context())
    named = replace(OPEN, public_url="https://owners.example/")
    assert public_url(named, Transport(), 8477) == "https://owners.example"
    assert public_url(LOCAL, Transport(), 8477) == "http://127.0.0.1:8477"
    assert public_url(replace(LOCAL, listen_host="::1"), tls, 8477) == "https://[::1]:8477"
    anywhere = public_url(replace(LOCAL, listen_host="0.0.0.0"), tls, 8477)  # noqa: S104
    assert "0.0.0.0" not in anywhere  # noqa: S104


# Discovery


def test_only_what_listens_beyond_loopback_under_tls_is_announced() -> None:
    tls = Transport(ssl_context=ssl.create_default_context())
    assert should_announce(OPEN, tls)
    assert not should_announce(LOCAL, tls)
    assert not should_announce(replace(OPEN, listen_host="::1"), tls)
    assert not should_announce(OPEN, Transport())
    assert not should_announce(replace(OPEN, announce=False), tls)


def test_the_announcement_says_who_and_where_and_carries_no_pin() -> None:
    info = service_info(
        server_id="srv_0123456789abcdef", name="House", host="192.0.2.7", port=8477, api_version=1
    )
    assert info.type == SERVICE_TYPE == "_v2g-owner._tcp.local."
    assert info.parsed_addresses(IPVersion.V4Only) == ["192.0.2.7"]
    assert info.port == 8477
    assert info.decoded_properties == {
        "server_id": "srv_0123456789abcdef",
        "name": "House",
        "version": "0.1.0",
        "api_version": "1",
        "tls": "1",
    }


def test_a_public_url_is_announced_because_a_certificate_is_for_its_name() -> None:
    def announced(url: str | None) -> dict[str, str | None]:
        return service_info(
            server_id="srv_0", name="House", host="192.0.2.7", port=8477, api_version=1, url=url
        ).decoded_properties

    assert announced("https://owners.example")["url"] == "https://owners.example"
    assert "url" not in announced(None)
    # What does not fit into one entry is left out; the server is found all the same.
    assert "url" not in announced(f"https://{'a' * 250}.example")


def test_a_name_that_no_entry_holds_is_announced_as_far_as_it_fits() -> None:
    """A hundred letters are allowed, and a Chinese one takes three bytes."""
    info = service_info(
        server_id="srv_0", name="\u56ed" * 100, host="192.0.2.7", port=8477, api_version=1
    )
    name = info.decoded_properties["name"]
    assert name == "\u56ed" * 83
    assert info.text


async def test_an_announced_server_is_found_and_gone_after_its_goodbye(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Real packets of the real protocol, kept on this machine's loopback interface.
    def on_loopback(**_given: object) -> AsyncZeroconf:
        return AsyncZeroconf(interfaces=["127.0.0.1"])

    monkeypatch.setattr("owner_api.server.discovery.AsyncZeroconf", on_loopback)
    info = service_info(
        server_id="srv_00000000deadbeef", name="House", host="127.0.0.1", port=8477, api_version=1
    )
    heard: dict[ServiceStateChange, asyncio.Event] = {
        ServiceStateChange.Added: asyncio.Event(),
        ServiceStateChange.Removed: asyncio.Event(),
    }

    def changed(
        zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        assert (zeroconf, service_type) == (listener.zeroconf, SERVICE_TYPE)
        if name == info.name and state_change in heard:
            heard[state_change].set()

    listener = on_loopback()
    browser = AsyncServiceBrowser(listener.zeroconf, SERVICE_TYPE, handlers=[changed])
    announcement = Announcement(info)
    try:
        async with asyncio.timeout(20):
            await announcement.open()
            await heard[ServiceStateChange.Added].wait()
            await announcement.close()
            await heard[ServiceStateChange.Removed].wait()
    finally:
        await announcement.close()
        await browser.async_cancel()
        await listener.async_close()


async def test_a_network_without_multicast_does_not_keep_the_server_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def unreachable(_announcement: Announcement) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(Announcement, "open", unreachable)
    monkeypatch.setattr("owner_api.server.running.should_announce", lambda *_: True)
    config = Config(database=str(tmp_path / "owner.db"), listen_port=0)
    async with running_server(config) as server:
        assert server.port > 0
    assert "not announced" in caplog.text


async def test_a_stranger_who_takes_the_name_does_not_keep_the_server_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Anybody in the network can announce it, and a restart would be the end of all service."""

    async def taken(_zeroconf: AsyncZeroconf, _info: AsyncServiceInfo) -> None:
        raise NonUniqueNameException

    monkeypatch.setattr(AsyncZeroconf, "async_register_service", taken)
    monkeypatch.setattr("owner_api.server.running.should_announce", lambda *_: True)
    config = Config(database=str(tmp_path / "owner.db"), listen_port=0)
    async with running_server(config) as server:
        assert server.port > 0
    assert "somebody else announces" in caplog.text


# Keys


def test_two_first_starts_at_once_end_with_the_same_keys(tmp_path: Path) -> None:
    database = tmp_path / "owner.db"
    first = load_keys(database)
    late = key_directory(database) / "token-es256.pem"
    assert write_private(late, b"made by the one who came second") is False
    assert load_keys(database).jwks() == first.jwks()
    assert list(late.parent.glob(".*")) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("token-es256.pem", b"no key"),
        ("pairing.key", b"short"),
        ("token-es256.pem", None),
        ("receipt-ed25519.pem", None),
    ],
)
def test_a_damaged_key_file_is_refused_by_name_and_never_replaced(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    database = tmp_path / "owner.db"
    load_keys(database)
    folder = key_directory(database)
    # None: a good key of the wrong kind.
    other = {"token-es256.pem": "receipt-ed25519.pem", "receipt-ed25519.pem": "token-es256.pem"}
    wrong = (folder / other[name]).read_bytes() if content is None else content
    (folder / name).write_bytes(wrong)
    with pytest.raises(KeyFileError, match=name):
        load_keys(database)
    assert (folder / name).read_bytes() == wrong
