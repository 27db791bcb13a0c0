"""The Integration Quality Scale, rule by rule, by syntax tree and by section of the papers.

Core does not check custom integrations. What a rule asks of behaviour has tests of its own; these
hold what could be deleted without any of them noticing.
"""

import ast
import json
from pathlib import Path
import re
from typing import Any, Final

from homeassistant.util.yaml import load_yaml
import pytest

from custom_components.v2g_owner.const import DOMAIN, PLATFORMS

from . import syntax

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "custom_components" / DOMAIN
TREES = syntax.trees(FOLDER)
CLASSES = syntax.classes(TREES.values())
MANIFEST: dict[str, Any] = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
SCALE: Any = load_yaml(str(FOLDER / "quality_scale.yaml"))
ENTRY: Final = "V2GConfigEntry"
# Where each docs-* rule is met: the page and the section.
README, GUIDE = "README.md", "docs/home-assistant.md"
SECTIONS: Final = {
    "docs-high-level-description": (README, "# V2G Owner"),
    "docs-installation-instructions": (README, "## Install in Home Assistant"),
    "docs-removal-instructions": (README, "## Remove it"),
    "docs-actions": (GUIDE, "## Actions"),
    "docs-conditions": (GUIDE, "## Triggers and conditions"),
    "docs-triggers": (GUIDE, "## Triggers and conditions"),
    "docs-configuration-parameters": (GUIDE, "## Configure: your account and its devices"),
    "docs-installation-parameters": (GUIDE, "## What you are asked when you add it"),
    "docs-data-update": (GUIDE, "## How data is updated"),
    "docs-examples": (GUIDE, "## Automation examples"),
    "docs-known-limitations": (GUIDE, "## Known limits"),
    "docs-supported-devices": (GUIDE, "## What it works with"),
    "docs-supported-functions": (GUIDE, "## Entities"),
    "docs-troubleshooting": (GUIDE, "## When something is not as it should be"),
    "docs-use-cases": (GUIDE, "## What it is good for"),
}
_FEWEST_WORDS: Final = 40


def flow() -> ast.ClassDef:
    """Return the config flow: the one class that names the domain."""
    (found,) = (
        cls for cls in CLASSES.values() if any(keyword.arg == "domain" for keyword in cls.keywords)
    )
    return found


# --- Bronze


def test_action_setup_actions_are_registered_before_any_entry_is_set_up() -> None:
    """An automation that names one is valid while the account is not loaded."""

    def registers(node: ast.AST) -> bool:
        return any(
            isinstance(each, ast.Call)
            and isinstance(each.func, ast.Attribute)
            and each.func.attr == "async_register"
            and isinstance(each.func.value, ast.Attribute)
            and each.func.value.attr == "services"
            for each in ast.walk(node)
        )

    start = syntax.function(TREES["__init__"], "async_setup")
    assert any(map(registers, syntax.reached(TREES.values(), start)))
    entries = [
        syntax.function(TREES[name], "async_setup_entry") for name in ("__init__", *PLATFORMS)
    ]
    # Every platform has a function of that name, each of which is looked at by itself.
    later = syntax.reached(TREES.values(), *entries, beside=["async_setup_entry"])
    assert not any(map(registers, later))
    platform_services = {"async_register_entity_service", "async_register_platform_entity_service"}
    assert not any(platform_services & syntax.called(tree) for tree in TREES.values())


def test_appropriate_polling_every_coordinator_says_how_often_it_reads() -> None:
    """One without an interval would never repair what the stream lost."""
    found = [cls for cls in CLASSES.values() if "DataUpdateCoordinator" in syntax.bases(cls)]
    assert found
    for cls in found:
        given = {
            keyword.arg
            for call in ast.walk(syntax.function(cls, "__init__"))
            if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "__init__"
            for keyword in call.keywords
        }
        assert {"update_interval", "config_entry"} <= given, cls.name


def test_common_modules_the_coordinator_and_the_base_entity_stand_where_they_are_looked_for() -> (
    None
):
    """A newcomer opens these two first."""
    expected = {"coordinator": "DataUpdateCoordinator", "entity": "CoordinatorEntity"}
    for module, base in expected.items():
        found = syntax.classes([TREES[module]]).values()
        assert any(base in syntax.bases(cls) for cls in found), module


def test_entity_event_setup_nothing_is_listened_to_before_an_entity_is_added() -> None:
    """And what an entity subscribes to ends with it."""
    listening = re.compile(r"async_(track|subscribe|listen|add_listener|on_remove)")
    entities = [cls for cls in CLASSES.values() if "entity_description" in syntax.class_values(cls)]
    assert entities
    for cls in CLASSES.values():
        if not any(base.endswith("Entity") for base in syntax.bases(cls)):
            continue
        for method in syntax.functions(cls):
            if method.name == "__init__":
                assert not any(map(listening.match, syntax.called(method))), cls.name


def test_entity_unique_id_and_has_entity_name_every_entity_has_both_from_its_base() -> None:
    """Set once, in the base, and nowhere overwritten by a fixed name or icon."""
    base = CLASSES["V2GEntity"]
    named = syntax.class_values(base)["_attr_has_entity_name"]
    assert isinstance(named, ast.Constant)
    assert named.value is True
    assert syntax.sets_attribute(syntax.function(base, "__init__"), "_attr_unique_id")
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
                known = node.id if isinstance(node, ast.Name) else node.attr
                assert known not in {"_attr_name", "_attr_icon"}, name
            if isinstance(node, ast.Call) and getattr(node.func, "id", "").endswith("Description"):
                assert not {"icon", "name"} & {each.arg for each in node.keywords}, name


def test_runtime_data_is_kept_on_the_entry_and_typed_wherever_the_entry_is_given() -> None:
    """An untyped entry would hide a renamed field until it is used."""
    (alias,) = (
        node
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.TypeAlias) and node.name.id == ENTRY
    )
    assert isinstance(alias.value, ast.Subscript)
    assert getattr(alias.value.slice, "id", "") in CLASSES
    setup = syntax.function(TREES["__init__"], "async_setup_entry")
    assert syntax.sets_attribute(setup, "runtime_data")
    called_by_home_assistant = re.compile(
        r"async_(setup|unload|remove|migrate)_entry|async_get_\w+_diagnostics"
    )
    looked_at = 0
    for name, tree in TREES.items():
        for node in syntax.functions(tree):
            if called_by_home_assistant.fullmatch(node.name):
                entry = node.args.args[1]
                assert getattr(entry.annotation, "id", "") == ENTRY, (name, node.name)
                looked_at += 1
        for node in ast.walk(tree):
            if isinstance(node, ast.Subscript) and getattr(node.value, "attr", "") == "data":
                assert getattr(node.slice, "id", "") != "DOMAIN", name
    assert looked_at > len(PLATFORMS)


def test_test_before_configure_the_flow_talks_to_the_server_and_names_what_goes_wrong() -> None:
    """An entry that cannot work is not made."""
    pairing = syntax.function(CLASSES["PairingFlow"], "_async_pair")
    tried = [node for node in ast.walk(pairing) if isinstance(node, ast.Try)]
    assert any("pair" in syntax.called(node) and node.handlers for node in tried)
    finishing = [
        each for each in syntax.functions(flow()) if "_async_finish" in syntax.called(each)
    ]
    assert finishing
    assert all("_async_pair" in syntax.called(each) for each in finishing)


def test_test_before_setup_the_first_read_decides_whether_the_entry_is_set_up() -> None:
    """A server that is away is a retry, not an account without entities."""
    setup = syntax.function(TREES["__init__"], "async_setup_entry")
    assert "async_config_entry_first_refresh" in syntax.called(setup)


def test_unique_config_entry_no_account_can_be_added_twice() -> None:
    """The flow that makes an entry has asked whether it is there already."""
    making = [
        each for each in syntax.functions(flow()) if "async_create_entry" in syntax.called(each)
    ]
    assert making
    for each in making:
        assert {"async_set_unique_id", "_abort_if_unique_id_configured"} <= syntax.called(each)


def test_config_flow_is_declared_and_begins_with_the_owner() -> None:
    """Added from the page of integrations, without YAML."""
    assert MANIFEST["config_flow"] is True
    assert "async_step_user" in {each.name for each in syntax.functions(flow())}


# --- Silver


def test_config_entry_unloading_ends_what_set_up_began() -> None:
    """Without it a changed address would need a restart."""
    unload = syntax.function(TREES["__init__"], "async_unload_entry")
    assert isinstance(unload, ast.AsyncFunctionDef)
    assert "async_unload_platforms" in syntax.called(unload)


def test_integration_owner_somebody_answers_for_it() -> None:
    """Neither nobody nor an empty name."""
    assert MANIFEST["codeowners"]
    assert all(len(owner) > 1 for owner in MANIFEST["codeowners"])


def test_reauthentication_flow_asks_for_a_new_code() -> None:
    """Raised by the coordinator, taken by the flow."""
    assert "async_step_reauth" in {each.name for each in syntax.functions(flow())}
    assert "ConfigEntryAuthFailed" in syntax.called(TREES["coordinator"])


# --- Gold


def test_devices_every_entity_stands_on_one() -> None:
    """The account, and below it the cars and chargers."""
    assert {"async_get_or_create", "DeviceInfo"} <= syntax.called(TREES["entity"])


@pytest.mark.parametrize(
    "name", ["async_get_config_entry_diagnostics", "async_get_device_diagnostics"]
)
def test_diagnostics_are_given_for_entries_and_devices_and_redacted(name: str) -> None:
    """People post them in public."""
    tree = TREES["diagnostics"]
    told = syntax.function(tree, name)
    assert isinstance(told, ast.AsyncFunctionDef)
    used = set().union(*(syntax.called(each) for each in syntax.reached([tree], told)))
    assert "async_redact_data" in used


def test_discovery_is_declared_taken_once_and_follows_a_new_address() -> None:
    """Found by zeroconf; a server that moved is found again, not asked for anew."""
    assert MANIFEST["zeroconf"]
    step = syntax.function(flow(), "async_step_zeroconf")
    assert isinstance(step, ast.AsyncFunctionDef)
    assert {"async_set_unique_id", "_async_follow"} <= syntax.called(step)
    assert "async_update_entry" in syntax.called(syntax.function(flow(), "_async_follow"))


def test_dynamic_and_stale_devices_come_and_go_without_a_restart() -> None:
    """A new subentry loads the entry again; one that the API no longer knows can be unlinked."""
    setup = syntax.function(TREES["__init__"], "async_setup_entry")
    assert {"add_update_listener", "StaleDevices"} <= syntax.called(setup)
    assert "async_remove_subentry" in syntax.called(TREES["repairs"])


def test_reconfiguration_flow_changes_an_entry_in_place() -> None:
    """So that no history is lost to a new address."""
    step = syntax.function(flow(), "async_step_reconfigure")
    assert "async_update_and_abort" in syntax.called(step)


def test_repair_issues_can_be_acted_on() -> None:
    """Each says whether Submit does something; where it does, there is a flow."""
    found = [
        node
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "async_create_issue"
    ]
    assert found
    for node in found:
        assert {"is_fixable", "severity", "translation_key"} <= {
            keyword.arg for keyword in node.keywords
        }
    assert "async_create_fix_flow" in {each.name for each in syntax.functions(TREES["repairs"])}


@pytest.mark.parametrize("kind", ["category", "device_class", "disabled_by_default"])
def test_entity_category_class_and_default_are_said_where_they_differ(kind: str) -> None:
    """Diagnostics are not in the way, and what few need is off."""
    argument = {
        "category": "entity_category",
        "device_class": "device_class",
        "disabled_by_default": "entity_registry_enabled_default",
    }[kind]
    assert any(
        keyword.arg == argument
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
    )


# --- Platinum


def test_inject_websession_no_session_is_opened_beside_home_assistants() -> None:
    """Its own is closed, counted and configured."""
    for name, tree in TREES.items():
        assert "ClientSession" not in syntax.called(tree), name
        for node in ast.walk(tree):
            modules = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            assert not {"requests", "httpx", "urllib.request"} & set(modules), name
    assert "async_get_clientsession" in syntax.called(TREES["__init__"])


def test_strict_typing_every_argument_and_every_answer_has_a_type() -> None:
    """So that mypy looks into every function, also one that it would take for untyped."""
    for name, tree in TREES.items():
        for node in syntax.functions(tree):
            given = node.args
            takes = [*given.posonlyargs, *given.args, *given.kwonlyargs]
            takes += [each for each in (given.vararg, given.kwarg) if each]
            bare = [each.arg for each in takes if each.annotation is None]
            assert set(bare) <= {"self", "cls", "mcs"}, (name, node.name)
            assert node.returns is not None or node.name == "__init__", (name, node.name)


# --- the papers


@pytest.mark.parametrize("rule", [rule for rule in SCALE["rules"] if rule.startswith("docs-")])
def test_every_docs_rule_marked_done_has_its_section_with_something_in_it(rule: str) -> None:
    """A section that is deleted, renamed or emptied is a rule that no longer holds."""
    if SCALE["rules"][rule] != "done":
        assert SCALE["rules"][rule]["comment"]
        return
    page, heading = SECTIONS[rule]
    text = (ROOT / page).read_text(encoding="utf-8")
    level = heading.partition(" ")[0]
    _, found, rest = f"\n{text}".partition(f"\n{heading}\n")
    assert found, f"{heading} is not in {page}"
    # A deeper section belongs to it.
    body = re.split(rf"\n#{{1,{max(len(level), 2)}}} ", rest)[0]
    assert len(body.split()) >= _FEWEST_WORDS, f"{heading} in {page} says too little"


def test_the_guide_is_reached_from_where_home_assistant_sends_its_owners() -> None:
    """The documentation's address is the repository, whose first page is the README."""
    assert MANIFEST["documentation"] == "https://github.com/v2g-owner/v2g-owner"
    assert f"]({GUIDE})" in (ROOT / README).read_text(encoding="utf-8")
