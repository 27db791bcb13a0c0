"""Every timer, bound and address of the server, with its limits, in one frozen object."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache, lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
import tomllib
from typing import Any, Final
from urllib.parse import urlsplit

from probatio import Invalid, MultipleInvalid, Optional, Schema

from .schemas.fields import Leaf, LimitError, ListOf, Nullable, integer, name, number, text

_DAY: Final = 86_400


class ConfigError(ValueError):
    """A setting is missing, unknown or outside its limits; the message says which and what."""


def _whole(default: int, low: int, high: int) -> int:
    """Declare a whole-numbered setting within [low, high]."""
    return field(default=default, metadata={"leaf": integer(low, high)})


def _real(default: float, low: float, high: float) -> float:
    """Declare a setting within [low, high]; TOML may write it without decimals."""
    return field(default=default, metadata={"leaf": number(low, high)})


def _words(default: str | None, low: int, high: int) -> Any:  # noqa: ANN401 - str or str | None
    """Declare a text setting; a None default makes it optional."""
    leaf: Any = text(low, high)
    leaf = Nullable(leaf) if default is None else leaf
    return field(default=default, metadata={"leaf": leaf})


def _network(value: Any) -> str:  # noqa: ANN401 - any TOML value may arrive
    """Accept an address or a network in CIDR form."""
    try:
        return str(ip_network(value))
    except (ValueError, TypeError) as error:
        raise LimitError("format", "an address or network such as 10.0.0.0/8") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The server's settings; ``_s`` are seconds, ``_wh`` watt-hours, every field is bounded.

    Raises ConfigError on construction when a value is outside its bounds.
    """

    # Where
    server_name: str = field(default="V2G Owner", metadata={"leaf": name(100)})
    database: str = _words("owner-api.db", 1, 4_096)
    listen_host: str = _words("127.0.0.1", 1, 255)
    listen_port: int = _whole(8477, 0, 65_535)
    public_url: str | None = _words(None, 1, 500)
    tls_certificate: str | None = _words(None, 1, 4_096)
    tls_key: str | None = _words(None, 1, 4_096)
    trusted_proxies: tuple[str, ...] = field(
        default=(),
        metadata={"leaf": ListOf(Leaf(_network, {"type": "string"}), 0, 50)},
    )
    announce: bool = field(default=True, metadata={"leaf": None})
    writer_process: bool = field(default=True, metadata={"leaf": None})
    metrics_host: str = _words("127.0.0.1", 1, 255)
    metrics_port: int | None = field(default=None, metadata={"leaf": Nullable(integer(0, 65_535))})

    # HTTP limits
    max_body_bytes: int = _whole(65_536, 1_024, 1_048_576)
    max_json_depth: int = _whole(16, 4, 64)
    body_timeout_s: float = _real(10, 0.05, 120)
    keepalive_s: float = _real(30, 0.05, 600)
    linger_s: float = _real(1, 0, 30)
    answer_timeout_s: float = _real(30, 0.1, 300)
    shutdown_timeout_s: float = _real(5, 0, 60)
    max_connections: int = _whole(20_000, 10, 1_000_000)
    max_connections_per_address: int = _whole(500, 1, 1_000_000)
    rate_per_s: float = _real(50, 0.01, 1_000_000)
    rate_burst: int = _whole(200, 1, 10_000_000)
    public_rate_per_s: float = _real(10, 0.001, 1_000_000)
    public_rate_burst: int = _whole(60, 1, 10_000_000)
    failure_rate_per_s: float = _real(1, 0.001, 1_000_000)
    failure_burst: int = _whole(60, 1, 10_000_000)

    # Streams and what is kept
    heartbeat_s: float = _real(15, 0.05, 300)
    stream_write_timeout_s: float = _real(10, 0.05, 300)
    stream_buffer_bytes: int = _whole(65_536, 1_024, 1_048_576)
    max_streams_per_party: int = _whole(20, 1, 1_000)
    max_streams: int = _whole(10_000, 1, 100_000)
    max_exports: int = _whole(4, 1, 100)
    export_timeout_s: float = _real(600, 1, 3_600)
    outbox_keep_s: int = _whole(14 * _DAY, 60, 365 * _DAY)
    idempotency_keep_s: int = _whole(7 * _DAY, _DAY, 90 * _DAY)
    tick_interval_s: float = _real(0.5, 0.05, 5)
    prune_interval_s: float = _real(3_600, 1, _DAY)

    # Access
    access_token_s: int = _whole(900, 60, 3_600)
    park_token_s: int = _whole(3_600, 60, 3_600)
    refresh_token_s: int = _whole(180 * _DAY, 3_600, 730 * _DAY)
    pairing_life_s: int = _whole(1_095 * _DAY, _DAY, 1_825 * _DAY)
    refresh_grace_s: int = _whole(10, 0, 60)
    used_token_keep_s: int = _whole(30 * _DAY, _DAY, 365 * _DAY)
    pairing_code_s: int = _whole(600, 30, 600)
    pairing_code_tries: int = _whole(5, 1, 5)
    max_devices_per_owner: int = _whole(50, 1, 1_000)

    # Sessions and offers
    bind_tolerance_s: int = _whole(120, 1, 120)
    asks_per_session_per_hour: int = _whole(6, 1, 1_000)
    waiting_offers_per_session: int = _whole(24, 1, 1_000)
    offer_horizon_s: int = _whole(7 * _DAY, 3_600, 30 * _DAY)
    offer_window_max_s: int = _whole(_DAY, 60, 7 * _DAY)
    departure_horizon_s: int = _whole(60 * _DAY, _DAY, 365 * _DAY)

    # Commitments and delivery
    award_lead_s: int = _whole(60, 10, 600)
    lease_min_s: int = _whole(1, 1, 10)
    lease_s: int = _whole(60, 10, 120)
    lease_max_s: int = _whole(120, 10, 120)
    lease_backup_max_s: int = _whole(900, 10, 900)
    start_grace_s: int = _whole(300, 5, 3_600)
    stopped_power_w: int = _whole(50, 0, 500)
    blind_after_s: int = _whole(60, 1, 60)
    soc_carry_max_pct: float = _real(10, 0, 10)
    soc_max_age_consent_s: int = _whole(3_600, 60, 3_600)
    soc_max_age_discharge_s: int = _whole(3_600, 60, 3_600)
    clock_skew_s: int = _whole(300, 0, 3_600)

    # Settlement
    reading_grace_s: int = _whole(900, 1, _DAY)
    dispute_window_s: int = _whole(7 * _DAY, 0, 365 * _DAY)
    dispute_window_min_s: int = _whole(3_600, 0, 365 * _DAY)

    def __post_init__(self) -> None:
        """Check every field against its leaf."""
        _check({item.name: getattr(self, item.name) for item in fields(self)})
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ConfigError("tls_certificate and tls_key: give both or neither")
        if self.public_url is not None and not _is_web_address(self.public_url):
            raise ConfigError(
                "public_url: https:// and a host, maybe a path, with no user, ? or #; http:// is"
                " for this machine only, as http://127.0.0.1:8477"
            )
        if self.lease_s > self.lease_max_s:
            raise ConfigError("lease_s: at most lease_max_s")
        if self.dispute_window_s < self.dispute_window_min_s:
            raise ConfigError("dispute_window_s: at least dispute_window_min_s")

    @classmethod
    def load(cls, path: Path) -> Config:
        """Read a TOML file; raises ConfigError naming the setting and what would pass."""
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: not TOML ({error})") from error
        _check(values)
        proxies = tuple(values.pop("trusted_proxies", ()))
        return cls(**values, trusted_proxies=proxies)

    @property
    def proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The declared proxies' networks; only their forwarded addresses are believed."""
        return _networks(self.trusted_proxies)


@cache
def _networks(names: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(name) for name in names)


@lru_cache(maxsize=1_024)
def is_loopback(host: str) -> bool:
    """Tell whether a listen address or peer stays on this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _is_web_address(text: str) -> bool:
    """Tell whether clients can be sent there without showing every token to the network."""
    try:
        url = urlsplit(text)
        # Asked for only to have it checked.
        _ = url.port
    except ValueError:
        return False
    if not url.hostname or not text.isprintable():
        return False
    # Paths are put behind it, and it stands in every pairing code.
    if not set("?#@").isdisjoint(text):
        return False
    return url.scheme == "https" or (url.scheme == "http" and is_loopback(url.hostname))


def _boolean(value: Any) -> bool:  # noqa: ANN401 - any TOML value may arrive
    if type(value) is not bool:
        raise LimitError("type", "true or false")
    return value


@cache
def _schema() -> Schema:
    return Schema(
        {Optional(item.name): item.metadata["leaf"] or _boolean for item in fields(Config)}
    )


def _check(values: Mapping[str, Any]) -> None:
    plain = {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}
    try:
        _schema()(plain)
    except MultipleInvalid as error:
        raise ConfigError("; ".join(_sentence(each) for each in error.errors)) from error


def _sentence(error: Invalid) -> str:
    return f"{'.'.join(str(part) for part in error.path)}: {error.error_message}"


def defaults() -> dict[str, Any]:
    """Return every setting with its default, as the sample configuration shows them."""
    return {item.name: item.default for item in fields(Config) if item.default is not MISSING}
