"""The security page says what the code does: every number, key, table and log field."""

from dataclasses import fields
import logging
from pathlib import Path
import re
import tomllib

from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from aiohttp.web_urldispatcher import SystemRoute, UrlMappingMatchInfo
import orjson
from packaging.requirements import Requirement
from packaging.version import Version
import pytest

from owner_api.access import keys
from owner_api.config import Config
from owner_api.problems import ProblemCode
from owner_api.schemas.fields import Leaf
from owner_api.server.headers import CONFIG
from owner_api.server.logs import REQUESTS, JsonLines, log_request
from owner_api.store import upgrading
from owner_api.store.metadata import metadata

ROOT = Path(__file__).parent.parent
_FIXED = re.compile(r"^\| ([a-z0-9-]+) \| (\d+\.\d+\.\d+) \| CVE-", re.MULTILINE)
PAGE = (ROOT / "docs" / "security" / "README.md").read_text(encoding="utf-8")
_SETTING = re.compile(r"^\| `(\w+)` \| ([\d.]+) \| ([\d.]+) to ([\d.]+) \|$", re.MULTILINE)


def section(heading: str) -> str:
    """Return what stands under a heading of the page."""
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, heading
    return found[1]


def test_every_limit_on_the_page_is_the_configurations() -> None:
    settings = {item.name: item for item in fields(Config)}
    stated = _SETTING.findall(PAGE)
    assert len(stated) > 30
    for name, default, low, high in stated:
        leaf = settings[name].metadata["leaf"]
        assert isinstance(leaf, Leaf)
        real = (settings[name].default, leaf.schema["minimum"], leaf.schema["maximum"])
        assert (float(default), float(low), float(high)) == tuple(map(float, real)), name


def test_every_setting_of_access_and_of_http_limits_is_on_the_page() -> None:
    source = (ROOT / "owner_api" / "config.py").read_text(encoding="utf-8")
    wanted = set[str]()
    for group in ("HTTP limits", "Access"):
        block = re.search(rf"    # {group}\n(.*?)\n\n", source, re.DOTALL)
        assert block is not None
        wanted |= set(re.findall(r"^    (\w+):", block[1], re.MULTILINE))
    assert wanted - {name for name, *_ in _SETTING.findall(PAGE)} == {"shutdown_timeout_s"}


def test_every_key_file_is_in_the_inventory_of_keys() -> None:
    listed = set(re.findall(r"^\| `([\w.-]+)` \|", section("Keys"), re.MULTILINE))
    assert listed == {
        f"{keys.TOKEN_FILE}.pem",
        f"{keys.RECEIPT_FILE}.pem",
        keys.PAIRING_FILE,
        keys.TLS_FILE,
    }


def test_no_component_is_older_than_the_release_that_ended_a_known_weakness() -> None:
    known = {
        name: Version(fixed) for name, fixed in _FIXED.findall(section("Third-party components"))
    }
    assert len(known) >= 3
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {each.name: each for each in map(Requirement, project["dependencies"])}
    for name, fixed in known.items():
        floor = min(
            Version(part.version) for part in asked[name].specifier if part.operator == ">="
        )
        assert floor >= fixed, name
        for lock in ("test.txt", "ha.txt"):
            text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
            pinned = re.search(rf"^{name}==(\S+)", text, re.MULTILINE | re.IGNORECASE)
            assert pinned is not None
            assert Version(pinned[1]) >= fixed, f"{lock}: {name}"


def test_every_table_belongs_to_exactly_one_class_of_data() -> None:
    upgrading.import_tables()
    rows = re.findall(r"^\| \w[\w ]* \| [^|]* \| ([^|]*) \|", section("Data"), re.MULTILINE)
    classified = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(classified) == sorted(metadata.tables)


def test_a_refused_request_logs_exactly_the_fields_on_the_page(
    caplog: pytest.LogCaptureFixture,
) -> None:
    row = next(line for line in section("Logs").splitlines() if "each request" in line)
    stated = set(re.findall(r"`(\w+)`", row.split("|")[3]))
    request = make_mocked_request("GET", "/v1/me")
    app = web.Application()
    app[CONFIG] = Config()
    nowhere = UrlMappingMatchInfo({}, SystemRoute(web.HTTPNotFound()))
    nowhere.add_app(app)
    request._match_info = nowhere
    caplog.set_level(logging.INFO, REQUESTS.name)
    log_request(request, request_id="0", status=401, seconds=0, refused=ProblemCode.UNAUTHENTICATED)
    assert set(orjson.loads(JsonLines().format(caplog.records[0]))) == stated
