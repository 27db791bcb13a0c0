"""Settings: each has a default and bounds, and a wrong one is named with what would pass."""

import ast
from dataclasses import fields
from pathlib import Path

import pytest

from owner_api.config import Config, ConfigError, defaults, is_loopback
from owner_api.core.model import Preferences
from owner_api.schemas.fields import Leaf


def test_a_file_overrides_defaults_and_leaves_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "owner-api.toml"
    path.write_text('lease_s = 30\nheartbeat_s = 5\ntrusted_proxies = ["10.0.0.0/8"]\n')
    loaded = Config.load(path)
    assert (loaded.lease_s, loaded.heartbeat_s) == (30, 5)
    assert loaded.trusted_proxies == ("10.0.0.0/8",)
    assert loaded.reading_grace_s == Config().reading_grace_s


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lease_s = 121", "lease_s: 10 to 120"),
        ("lease_s = 90\nlease_max_s = 60", "lease_s: at most lease_max_s"),
        ('public_url = "hello"', "public_url: https:// and a host"),
        ('public_url = "https://"', "public_url: https:// and a host"),
        ('public_url = "https://owners.example:http"', "public_url: https:// and a host"),
        ('public_url = "ftp://owners.example"', "public_url: https:// and a host"),
        ('public_url = "https://owners.example/?a=1"', "no user, ? or #"),
        ('public_url = "https://me:word@owners.example"', "no user, ? or #"),
        ('server_name = " "', "server_name: "),
        ('public_url = "http://owners.example"', "http:// is for this machine only"),
        ("lease_backup_max_s = 901", "lease_backup_max_s: 10 to 900"),
        ('lease_s = "60"', "lease_s: an integer"),
        ("surprise = 1", "surprise: not a valid option"),
        ('trusted_proxies = ["nonsense"]', "trusted_proxies.0: an address or network"),
        ('tls_certificate = "x"', "give both or neither"),
        ("lease_s = ", "not TOML"),
        ("announce = 1", "announce: true or false"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_pass(
    tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "owner-api.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        Config.load(path)
    assert words in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing-here"):
        Config.load(tmp_path / "nothing-here.toml")


def test_promise_4_no_setting_allows_a_longer_lease_than_promised() -> None:
    """Promise 4: 60 s by default, never over 120 s, 900 s for backup."""
    config = Config()
    assert (config.lease_s, config.lease_max_s, config.lease_backup_max_s) == (60, 120, 900)
    for name, limit in {"lease_s": 120, "lease_max_s": 120, "lease_backup_max_s": 900}.items():
        with pytest.raises(ConfigError, match=name):
            Config(**{name: limit + 1})


def test_promise_3_no_setting_lets_a_discharge_go_blind_for_longer() -> None:
    """Promise 3: 30 and 15 min, the owner may set 1 to 60; 60 s without any reading."""
    config, unsaid = Config(), Preferences()
    assert (unsaid.soc_max_age_consent_s, unsaid.soc_max_age_discharge_s) == (30 * 60, 15 * 60)
    assert (config.soc_max_age_consent_s, config.soc_max_age_discharge_s) == (60 * 60, 60 * 60)
    with pytest.raises(ConfigError, match="soc_max_age"):
        Config(soc_max_age_discharge_s=60 * 60 + 1)
    with pytest.raises(ConfigError, match="blind_after_s"):
        Config(blind_after_s=61)
    with pytest.raises(ConfigError, match="soc_carry_max_pct"):
        Config(soc_carry_max_pct=11)


def test_every_setting_is_read_somewhere() -> None:
    """A setting that nothing reads would promise an operator what does not happen."""
    package = Path(__file__).parents[2] / "owner_api"
    unread = {item.name for item in fields(Config)}
    for path in package.rglob("*.py"):
        # Another thing may have a field of the same name: only what is asked of a config counts,
        # and in its own file what more than the check of its bounds asks of it.
        whose = ("self",) if path == package / "config.py" else ("config", "_config")
        tree = _without_checks(ast.parse(path.read_text(encoding="utf-8")))
        unread -= {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Load)
            and _last_name(node.value) in whose
        }
    assert unread == set()


def _without_checks(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == "__post_init__":
            node.body = [ast.Pass()]
    return tree


def _last_name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def test_every_number_has_bounds_on_both_sides() -> None:
    for item in fields(Config):
        leaf = item.metadata["leaf"]
        if isinstance(leaf, Leaf) and leaf.schema["type"] in ("integer", "number"):
            assert leaf.schema["minimum"] <= defaults()[item.name] <= leaf.schema["maximum"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_addresses_are_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", ""])  # noqa: S104 - as data
def test_other_addresses_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)
