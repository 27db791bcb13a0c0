"""The rest of what hassfest and HACS check, and that the page listing it all names real tests."""

import ast
import json
from pathlib import Path
import pkgutil
import re
from typing import Any

from homeassistant import components
from homeassistant.util.yaml import load_yaml
import pytest

from custom_components.v2g_owner.const import DOMAIN

from . import syntax

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "custom_components" / DOMAIN
PAGE = (ROOT / "docs/quality.md").read_text()
MANIFEST: dict[str, Any] = json.loads((FOLDER / "manifest.json").read_text())
WORKFLOWS = {
    "hassfest": "home-assistant/actions/hassfest",
    "hacs": "hacs/action",
}
DISCOVERIES = {"bluetooth", "dhcp", "homekit", "lorawan", "mqtt", "ssdp", "usb"}
IOT_CLASSES = {
    "assumed_state",
    "calculated",
    "cloud_polling",
    "cloud_push",
    "local_polling",
    "local_push",
}
LAST_COLUMN = re.compile(r"^Only there\.$|^Does not apply\.$|^`test_\w+\.py::test_\w+`")


def functions(path: Path) -> set[str]:
    """Return the names of a module's functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading of the page, without its head."""
    _, _, rest = PAGE.partition(f"\n## {heading}\n")
    lines = [line for line in rest.split("\n## ")[0].splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


@pytest.mark.parametrize("heading", ["Hassfest", "HACS"])
def test_every_check_has_a_test_that_exists_or_is_said_to_be_made_only_there(heading: str) -> None:
    """A renamed test would leave a check that nobody makes."""
    found = rows(heading)
    assert len(found) > 10
    for check, asks, where in found:
        assert asks, check
        assert LAST_COLUMN.match(where), check
        for file, name in re.findall(r"`(test_\w+\.py)::(test_\w+)`", where):
            assert name in functions(Path(__file__).with_name(file)), (check, name)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_both_validators_run_on_every_change_and_every_night(name: str) -> None:
    """And only read what they check."""
    workflow: Any = load_yaml(str(ROOT / f".github/workflows/{name}.yaml"))
    # YAML takes the word on for true.
    begins = workflow.get("on", workflow.get(True))
    assert {"push", "pull_request", "schedule"} <= set(begins)
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    uses = {step["uses"].partition("@")[0]: step.get("with", {}) for step in job["steps"]}
    assert WORKFLOWS[name] in uses
    if name == "hacs":
        assert uses[WORKFLOWS[name]]["category"] == "integration"
    else:
        assert "actions/checkout" in uses


def test_the_manifest_keeps_hassfests_values() -> None:
    """Each from a closed list, or of a fixed form."""
    assert MANIFEST["iot_class"] in IOT_CLASSES
    assert MANIFEST["integration_type"] in {"device", "hub", "service", "helper", "virtual"}
    assert all(re.fullmatch(r"@[\w/-]+", owner) for owner in MANIFEST["codeowners"])
    assert "home-assistant.io" not in MANIFEST["documentation"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", MANIFEST["version"])


def test_the_only_discovery_is_zeroconf_and_a_flow_takes_it() -> None:
    """In lower case, and what was found has a unique id, so that it is found once."""
    assert not DISCOVERIES & set(MANIFEST)
    assert MANIFEST["config_flow"] is True
    assert all(service == service.lower() for service in MANIFEST["zeroconf"])
    step = syntax.function(syntax.trees(FOLDER)["config_flow"], "async_step_zeroconf")
    assert "async_set_unique_id" in syntax.called(step)


def test_set_up_without_yaml_is_declared() -> None:
    """Else Home Assistant would take any YAML under our name in silence."""
    tree = ast.parse((FOLDER / "__init__.py").read_text())
    names = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert "async_setup" in functions(FOLDER / "__init__.py")
    assert "CONFIG_SCHEMA" in names


def test_every_json_file_can_be_read() -> None:
    """A comma too many would take every text with it."""
    found = sorted(FOLDER.rglob("*.json"))
    assert len(found) > 4
    for path in found:
        assert json.loads(path.read_text(encoding="utf-8")), path.name


def test_the_domain_is_not_home_assistants_own() -> None:
    """A custom integration must not stand in for one of core's."""
    core = {module.name for module in pkgutil.iter_modules(components.__path__)}
    assert len(core) > 1_000
    assert MANIFEST["domain"] not in core


def test_there_is_a_readme_and_a_licence_that_are_recognised() -> None:
    """What owners see in the store, and what it lets in."""
    assert (ROOT / "README.md").read_text().startswith("# ")
    words = (ROOT / "LICENSE").read_text().split()
    assert words[:4] == ["Apache", "License", "Version", "2.0,"]
