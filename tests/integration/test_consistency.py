"""What hassfest and HACS would check, and what they do not: files that must agree with each other.

Files are discovered, not listed: a new translation or platform is checked without a new line here.
"""

import ast
from collections.abc import Iterator
import json
from pathlib import Path
import re
from string import Formatter
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import service as service_helper
from homeassistant.helpers.selector import validate_selector
from homeassistant.loader import async_get_custom_components
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml
from PIL import Image
import pytest

from custom_components.v2g_owner.const import DOMAIN, PLATFORMS
from custom_components.v2g_owner.services import ACTIONS
from owner_api.commands.consent import OBJECTIONS

from . import syntax

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "custom_components" / DOMAIN
TRANSLATIONS = sorted((FOLDER / "translations").glob("*.json"))
SOURCES = sorted(FOLDER.glob("*.py"))
# https://developers.home-assistant.io/docs/core/integration-quality-scale/ as of 2026.
RULES = {
    "bronze": (
        "action-setup appropriate-polling brands common-modules config-flow-test-coverage"
        " config-flow dependency-transparency docs-actions docs-conditions"
        " docs-high-level-description docs-installation-instructions docs-removal-instructions"
        " docs-triggers entity-event-setup entity-unique-id has-entity-name runtime-data"
        " test-before-configure test-before-setup unique-config-entry"
    ),
    "silver": (
        "action-exceptions config-entry-unloading docs-configuration-parameters"
        " docs-installation-parameters entity-unavailable integration-owner log-when-unavailable"
        " parallel-updates reauthentication-flow test-coverage"
    ),
    "gold": (
        "devices diagnostics discovery-update-info discovery docs-data-update docs-examples"
        " docs-known-limitations docs-supported-devices docs-supported-functions"
        " docs-troubleshooting docs-use-cases dynamic-devices entity-category"
        " entity-device-class entity-disabled-by-default entity-translations"
        " exception-translations icon-translations reconfiguration-flow repair-issues"
        " stale-devices"
    ),
    "platinum": "async-dependency inject-websession strict-typing",
}
# Integrations that Home Assistant always has, or whose name a manifest key or file of ours covers.
FREE_IMPORTS = {*map(str, PLATFORMS), "diagnostics", "repairs", "system_health"}
FREE_IMPORTS |= {"homeassistant", "intent", "llm"}


def read(path: Path) -> Any:
    """Return a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text with its path."""
    for key, value in tree.items():
        here = f"{path}.{key}" if path else key
        if isinstance(value, dict):
            yield from leaves(value, here)
        else:
            yield here, value


def placeholders(text: str) -> set[str]:
    """Return the names a text asks for."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def trees() -> Iterator[tuple[Path, ast.Module]]:
    """Yield the syntax tree of every module."""
    for source in SOURCES:
        yield source, syntax.parsed(source.read_text(encoding="utf-8"))


def texts() -> dict[str, str]:
    """Return the English texts by path."""
    return dict(leaves(read(FOLDER / "translations/en.json")))


async def test_home_assistant_itself_finds_the_integration(hass: HomeAssistant) -> None:
    """A version Home Assistant cannot read would block the integration."""
    found = (await async_get_custom_components(hass))[DOMAIN]
    assert found.version is not None
    assert found.requirements == []


def test_the_manifest_is_in_hassfests_order_and_complete() -> None:
    """Domain, name, then the alphabet; HACS wants a few keys more."""
    manifest = read(FOLDER / "manifest.json")
    assert list(manifest) == ["domain", "name", *sorted(set(manifest) - {"domain", "name"})]
    assert manifest["domain"] == FOLDER.name
    needed = {"codeowners", "documentation", "issue_tracker", "version", "iot_class"}
    assert needed <= set(manifest)
    assert manifest["documentation"].startswith("https://")


def test_no_other_manifest_confuses_the_validators() -> None:
    """Hassfest takes every folder with a manifest for an integration."""
    found = [
        path
        for path in ROOT.rglob("manifest.json")
        if not any(part.startswith(".") or part == "node_modules" for part in path.parts)
    ]
    assert found == [FOLDER / "manifest.json"]


def test_every_language_says_the_same_things_with_the_same_placeholders() -> None:
    """A missing key shows raw; a missing placeholder hides a number."""
    english = texts()
    assert len(TRANSLATIONS) >= 3
    for file in TRANSLATIONS:
        other = dict(leaves(read(file)))
        assert other.keys() == english.keys(), file.name
        for path, text in other.items():
            assert placeholders(text) == placeholders(english[path]), (file.name, path)


@pytest.mark.parametrize("file", TRANSLATIONS, ids=lambda file: file.stem)
def test_texts_hold_no_address_no_markup_and_no_stray_blanks(file: Path) -> None:
    """Hassfest's rules for every language, not only the one it reads."""
    for path, text in leaves(read(file)):
        assert text, path
        assert text == text.strip(), path
        assert "://" not in text, path
        assert not re.search(r"<[a-z/]", text), path
        assert "[%key" not in text, path
        assert "'{" not in text, path


@pytest.mark.parametrize("file", TRANSLATIONS, ids=lambda file: file.stem)
def test_what_home_assistant_shows_as_plain_text_has_no_asterisks_in_it(file: Path) -> None:
    """It reads Markdown in the body of a dialog, not in what it says is wrong with a field."""
    plain = re.compile(r"(^|\.)(error|exceptions|data_description)\.")
    found = {path for path, text in leaves(read(file)) if plain.search(path) and "*" in text}
    assert found == set()


def test_chinese_is_chinese_and_the_two_scripts_differ() -> None:
    """A language that repeats English is not translated."""
    by_name = {file.stem: dict(leaves(read(file))) for file in TRANSLATIONS}
    hans, hant, english = by_name["zh-Hans"], by_name["zh-Hant"], by_name["en"]
    for language in (hans, hant):
        same = [path for path in english if language[path] == english[path] != "{name}"]
        assert same == []
    # Characters that exist only in the other script.
    assert not re.search("[電車輛時間設充]", "".join(hans.values()).replace("充", ""))
    assert not re.search("[电车辆时间设]", "".join(hant.values()))


def test_what_people_have_to_look_for_has_one_name_in_each_language() -> None:
    """A repair sends somebody to their receipts: the action is found by that word."""
    receipts, english = {"zh-Hans": "收据", "zh-Hant": "收據"}, texts()
    for file in TRANSLATIONS:
        other = dict(leaves(read(file)))
        for path, text in english.items():
            variables = re.findall(r"\b[a-z]+_[a-z]+\b", re.sub(r"{\w+}", "", text))
            assert all(name in other[path] for name in variables), (file.name, path)
            if file.stem in receipts and re.search("receipts?\\b", text, re.IGNORECASE):
                assert receipts[file.stem] in other[path], (file.name, path)
            if file.stem in receipts and re.search("rewards?\\b", text, re.IGNORECASE):
                assert "收益" in other[path] or "回报" in other[path] or "回報" in other[path], path


def test_every_problem_of_the_api_has_words_in_every_language() -> None:
    """The list is read from the API's source, so a new code fails here first."""
    module = ast.parse((ROOT / "owner_api/problems.py").read_text(encoding="utf-8"))
    codes = {
        node.value.value
        for cls in module.body
        if isinstance(cls, ast.ClassDef) and cls.name == "ProblemCode"
        for node in cls.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }
    assert len(codes) > 40
    for file in TRANSLATIONS:
        assert codes <= set(read(file)["exceptions"]), file.name


def test_every_reason_that_the_api_gives_for_a_no_has_a_sentence_in_every_language() -> None:
    """And no sentence is left for a reason that it does not give any more."""
    given = {
        reason
        for source in (ROOT / "owner_api").rglob("*.py")
        for function in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for reason in _reasons_in(function)
    }
    given |= set(OBJECTIONS)
    assert len(given) > 10
    for file in TRANSLATIONS:
        told = {key for key in read(file)["exceptions"] if key.startswith("why_")}
        assert told == {f"why_{reason}" for reason in given}, file.name


def _reasons_in(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """Yield the reasons of the problems that a function makes, written out or set before."""
    nodes, told = list(ast.walk(function)), list[ast.expr]()
    for node in nodes:
        match node:
            case ast.Call(func=ast.Name(id="Problem")):
                told += [each.value for each in node.keywords if each.arg == "reason"]
            case ast.Call(func=ast.Name(id="_persons_word")):
                told += node.args[1:]
    if any(isinstance(each, ast.Name) for each in told):
        for node in nodes:
            match node:
                case ast.Assign(targets=[ast.Name(id="reason")]):
                    told.append(node.value)
                case ast.Assign(
                    targets=[ast.Tuple(elts=[_, ast.Name(id="reason")])],
                    value=ast.Tuple(elts=[_, value]),
                ):
                    told.append(value)
    for each in told:
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def test_every_translation_key_in_code_has_a_text() -> None:
    """Entities by platform; errors and aborts by where they are raised."""
    known = texts()
    exceptions = {path.split(".")[1] for path in known if path.startswith("exceptions.")}
    entities = {path.split(".")[2] for path in known if path.startswith("entity.")}
    issues = {path.split(".")[1] for path in known if path.startswith("issues.")}
    selectors = {path.split(".")[1] for path in known if path.startswith("selector.")}
    for source, tree in trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            for keyword in node.keywords:
                value = keyword.value
                if keyword.arg != "translation_key" or not isinstance(value, ast.Constant):
                    continue
                where = (source.name, name, value.value)
                if name.endswith(("Error", "Failed", "NotReady")):
                    assert value.value in exceptions, where
                elif name == "async_create_issue":
                    assert value.value in issues, where
                elif name.endswith("Description"):
                    assert value.value in entities, where
                else:
                    assert value.value in selectors, where


async def test_every_entity_has_a_name_and_every_text_an_entity(
    hass: HomeAssistant, home: Any, charger_home: None
) -> None:
    """Taken from the registry of a set-up home, so nothing is forgotten on either side."""
    from homeassistant.helpers import entity_registry as er

    known = {
        tuple(path.split(".")[1:3])
        for path in texts()
        if path.startswith("entity.") and path.endswith(".name")
    }
    entries = er.async_entries_for_config_entry(er.async_get(hass), home.entry.entry_id)
    used = {(entry.domain, entry.translation_key) for entry in entries}
    assert used == known
    assert all(entry.has_entity_name for entry in entries)


def test_every_state_of_an_enum_has_a_text() -> None:
    """A state without a text shows its code."""
    from custom_components.v2g_owner.event import EVENTS
    from custom_components.v2g_owner.select import SELECTS
    from custom_components.v2g_owner.sensor import HUB_SENSORS
    from custom_components.v2g_owner.sensor_departure import DEPARTURE_SENSORS
    from custom_components.v2g_owner.sensor_last_offer import LAST_OFFER_SENSORS
    from custom_components.v2g_owner.sensor_vehicle import VEHICLE_SENSORS

    entity = read(FOLDER / "translations/en.json")["entity"]
    for description in (*VEHICLE_SENSORS, *DEPARTURE_SENSORS, *HUB_SENSORS, *LAST_OFFER_SENSORS):
        if description.options:
            states = entity["sensor"][description.translation_key]["state"]
            assert set(states) == set(description.options), description.key
    for select in SELECTS:
        assert set(entity["select"][select.key]["state"]) == set(select.options or ()), select.key
    for event in EVENTS:
        shown = entity["event"][event.translation_key]["state_attributes"]["event_type"]["state"]
        assert set(shown) == set(event.event_types or ()), event.key


def test_every_form_field_is_explained() -> None:
    """Each field has a label and a description, and no description lacks its field."""
    english = read(FOLDER / "translations/en.json")
    groups = [english["config"], english["options"], *english["config_subentries"].values()]
    for group in groups:
        for name, step in group["step"].items():
            if "data" in step:
                assert set(step["data"]) == set(step["data_description"]), name


async def test_actions_are_registered_described_selected_and_named(hass: HomeAssistant) -> None:
    """services.yaml, the schemas in code, the texts and the icons agree field by field."""
    assert await async_setup_component(hass, DOMAIN, {})
    registered = set(hass.services.async_services()[DOMAIN])
    described = load_yaml(str(FOLDER / "services.yaml"))
    assert isinstance(described, dict)
    assert registered == set(described) == set(ACTIONS)
    english = read(FOLDER / "translations/en.json")
    icons = read(FOLDER / "icons.json")
    assert set(english["services"]) == registered == set(icons["services"])
    for name, (_, fields, _) in ACTIONS.items():
        schema = {str(key) for key in fields}
        assert set(described[name]["fields"]) == schema, name
        assert set(english["services"][name]["fields"]) == schema, name
        for field in described[name]["fields"].values():
            validate_selector(field["selector"])
            for config in field["selector"].values():
                if isinstance(config, dict) and "translation_key" in config:
                    options = english["selector"][config["translation_key"]]["options"]
                    assert set(options) == set(config["options"]), name
    shown = await service_helper.async_get_all_descriptions(hass)
    assert set(shown[DOMAIN]) == registered


async def test_triggers_and_conditions_are_described_named_and_drawn(hass: HomeAssistant) -> None:
    """Code, YAML, texts and icons name the same triggers and conditions, field by field."""
    from custom_components.v2g_owner.condition import async_get_conditions
    from custom_components.v2g_owner.trigger import async_get_triggers

    english, icons = read(FOLDER / "translations/en.json"), read(FOLDER / "icons.json")
    kinds: dict[str, set[str]] = {
        "triggers": set(await async_get_triggers(hass)),
        "conditions": set(await async_get_conditions(hass)),
    }
    for kind, keys in kinds.items():
        described = load_yaml(str(FOLDER / f"{kind}.yaml"))
        assert isinstance(described, dict)
        shown = {key: value for key, value in described.items() if not key.startswith(".")}
        assert set(shown) == keys == set(english[kind]) == set(icons[kind]), kind
        for key, value in shown.items():
            fields = set(value.get("fields", {}))
            assert fields == set(english[kind][key].get("fields", {})), key
            for field in value.get("fields", {}).values():
                validate_selector(field["selector"])
        assert all(each[kind[:-1]].startswith("mdi:") for each in icons[kind].values())


def test_icons_are_of_the_right_set_and_for_entities_that_exist() -> None:
    """An icon for nobody is a renamed entity forgotten."""
    icons = read(FOLDER / "icons.json")
    entity = read(FOLDER / "translations/en.json")["entity"]
    for platform, keys in icons["entity"].items():
        assert set(keys) <= set(entity[platform]), platform
        for key, icon in keys.items():
            every = [icon["default"], *icon.get("state", {}).values()]
            assert all(each.startswith("mdi:") for each in every), key
            assert icon["default"] not in icon.get("state", {}).values(), key
            states = entity[platform][key].get("state", {"on": "", "off": ""})
            assert set(icon.get("state", {})) <= set(states), key


def test_imports_of_other_integrations_are_allowed() -> None:
    """Every import of a component needs a dependency, except those that are always there."""
    manifest = read(FOLDER / "manifest.json")
    allowed = FREE_IMPORTS | set(manifest.get("dependencies", []))
    allowed |= set(manifest.get("after_dependencies", []))
    for source, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                module = node.module
                if module.startswith("homeassistant.components."):
                    assert module.split(".")[2] in allowed, source.name
                assert not module.startswith("owner_api"), source.name
            if isinstance(node, ast.Import):
                assert all(not each.name.startswith("owner_api") for each in node.names)


def test_platforms_say_how_many_writes_they_take_at_once() -> None:
    """Hassfest sees only a plain assignment."""
    for platform in PLATFORMS:
        tree = ast.parse((FOLDER / f"{platform}.py").read_text(encoding="utf-8"))
        names = {
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        assert "PARALLEL_UPDATES" in names, platform


def test_the_quality_scale_names_every_rule_and_explains_every_exemption() -> None:
    """Core does not check custom integrations; we do."""
    rules = load_yaml(str(FOLDER / "quality_scale.yaml"))
    assert isinstance(rules, dict)
    expected = {rule for tier in RULES.values() for rule in tier.split()}
    assert set(rules["rules"]) == expected
    for rule, value in rules["rules"].items():
        status = value["status"] if isinstance(value, dict) else value
        assert status in {"done", "todo", "exempt"}, rule
        if status == "exempt":
            assert value["comment"], rule


def test_every_raised_home_assistant_error_is_translated() -> None:
    """No error reaches a person in a language they did not choose."""
    kinds = {
        "HomeAssistantError",
        "ServiceValidationError",
        "ConfigEntryAuthFailed",
        "ConfigEntryNotReady",
        "ConfigEntryError",
        "UpdateFailed",
    }
    for source, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in kinds:
                given = {keyword.arg for keyword in node.keywords}
                assert {"translation_domain", "translation_key"} <= given, source.name


def test_the_brand_has_its_icons() -> None:
    """HACS and Home Assistant both look for them here."""
    for name, size in (("icon.png", 256), ("icon@2x.png", 512)):
        with Image.open(FOLDER / "brand" / name) as image:
            assert image.size == (size, size)


def test_hacs_json_holds_only_what_hacs_reads() -> None:
    """An extra key is refused."""
    known = {"name", "homeassistant", "country", "render_readme", "zip_release", "filename"}
    content = read(ROOT / "hacs.json")
    assert {"name", "homeassistant"} <= set(content) <= known
