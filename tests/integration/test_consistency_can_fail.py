"""Criterion 2: each consistency test is green on a copy of the files and red once a rule is broken.

The tests are discovered: one without a way to break its rule is missing here, and that is red too.
"""

from collections.abc import Callable
import inspect
import json
from pathlib import Path
import re
import shutil
from typing import Any

from homeassistant.core import HomeAssistant
from PIL import Image
import pytest

from . import test_consistency as rules
from .conftest import Home

# More than --fast has time for.
pytestmark = pytest.mark.slow

type Break = Callable[[Path], None]


def text(name: str, old: str, new: str) -> Break:
    """Return what replaces a text in a file of the integration, by regular expression."""

    def change(folder: Path) -> None:
        path = folder / name
        before = path.read_text(encoding="utf-8")
        after = re.sub(old, new, before)
        assert after != before, (name, old)
        path.write_text(after, encoding="utf-8")

    return change


def content(name: str, change: Callable[[Any], Any]) -> Break:
    """Return what changes a JSON file."""

    def apply(folder: Path) -> None:
        path = folder / name
        loaded = json.loads(path.read_text(encoding="utf-8"))
        changed = change(loaded)
        path.write_text(json.dumps(loaded if changed is None else changed), encoding="utf-8")

    return apply


def drop(name: str, path: str) -> Break:
    """Return what removes one key of a JSON file."""

    def change(loaded: Any) -> None:
        *way, last = path.split(".")
        for key in way:
            loaded = loaded[key]
        del loaded[last]

    return content(name, change)


def put(name: str, path: str, value: Any) -> Break:
    """Return what sets one key of a JSON file."""

    def change(loaded: Any) -> None:
        *way, last = path.split(".")
        for key in way:
            loaded = loaded[key]
        loaded[last] = value

    return content(name, change)


def move_last_first(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest out of order."""
    return dict(reversed(manifest.items()))


def shrink(folder: Path) -> None:
    """Make an icon too small."""
    Image.new("RGBA", (16, 16)).save(folder / "brand/icon.png")


def second_manifest(folder: Path) -> None:
    """Put a manifest elsewhere."""
    other = folder.parents[1] / "docs"
    other.mkdir()
    (other / "manifest.json").write_text("{}")


def hacs_key(folder: Path) -> None:
    """Give HACS a key that it refuses."""
    path = folder.parents[1] / "hacs.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"colour": "green"}))


EN = "translations/en.json"
HANT = "translations/zh-Hant.json"
BREAKS: dict[str, list[Break]] = {
    "test_the_manifest_is_in_hassfests_order_and_complete": [
        content("manifest.json", move_last_first),
        drop("manifest.json", "issue_tracker"),
        put("manifest.json", "documentation", "http://x"),
    ],
    "test_no_other_manifest_confuses_the_validators": [second_manifest],
    "test_every_language_says_the_same_things_with_the_same_placeholders": [
        drop(HANT, "exceptions.unknown"),
        text(HANT, r"\{detail\}", "{details}"),
    ],
    "test_texts_hold_no_address_no_markup_and_no_stray_blanks": [
        put(EN, "exceptions.unknown.message", message)
        for message in ("See https://x", "a <b>b</b>", " blank ", "[%key:x%]", "'{detail}'", "")
    ],
    "test_chinese_is_chinese_and_the_two_scripts_differ": [
        put(HANT, "exceptions.unknown.message", "Something unexpected went wrong: {detail}"),
        lambda folder: shutil.copy(folder / "translations/zh-Hans.json", folder / HANT),  # type: ignore[list-item]
    ],
    "test_every_problem_of_the_api_has_words_in_every_language": [
        drop(HANT, "exceptions.soc_stale")
    ],
    "test_every_translation_key_in_code_has_a_text": [
        drop(EN, "exceptions.no_counter"),
        drop(EN, "issues.mapped_entity_gone"),
        content(EN, lambda read: read["entity"]["select"].clear()),
    ],
    "test_every_entity_has_a_name_and_every_text_an_entity": [
        drop(EN, "entity.time.leave_mon"),
        put(EN, "entity.time.gone", {"name": "Gone"}),
    ],
    "test_every_state_of_an_enum_has_a_text": [drop(EN, "entity.select.consent_mode.state.ask")],
    "test_every_form_field_is_explained": [drop(EN, "config.step.user.data_description.url")],
    "test_actions_are_registered_described_selected_and_named": [
        text("services.yaml", r"(?m)^list_parks:", "list_the_parks:"),
        drop(EN, "services.stop.fields.device_id"),
        drop("icons.json", "services.stop"),
    ],
    "test_triggers_and_conditions_are_described_named_and_drawn": [
        text("triggers.yaml", r"(?m)^offer_received:", "offer_arrived:"),
        drop(EN, "conditions.offer_open"),
        drop("icons.json", "conditions.offer_open"),
    ],
    "test_icons_are_of_the_right_set_and_for_entities_that_exist": [
        put("icons.json", "entity.time.gone", {"default": "mdi:x"}),
        text("icons.json", "mdi:clock-end", "fa:clock"),
    ],
    "test_imports_of_other_integrations_are_allowed": [
        text("money.py", r"\Z", "\nfrom homeassistant.components.energy import data\n"),
        text("money.py", r"\Z", "\nfrom owner_api import clock\n"),
        text("money.py", r"\Z", "\nimport owner_api.clock\n"),
    ],
    "test_platforms_say_how_many_writes_they_take_at_once": [
        text("time.py", "PARALLEL_UPDATES = 0", "PARALLEL_UPDATES: int = 0")
    ],
    "test_the_quality_scale_names_every_rule_and_explains_every_exemption": [
        text("quality_scale.yaml", "  brands: done\n", ""),
        text("quality_scale.yaml", "brands: done", "brands: perhaps"),
        text("quality_scale.yaml", "comment: There are no options.*", "comment: ''"),
    ],
    "test_rules_marked_done_hold_in_the_source": [
        text("__init__.py", r"\Z", "\nhass.services.async_register\n"),
        text("config_flow.py", "async_step_reauth", "async_step_again"),
        text("time.py", r"\Z", '\n_attr_icon = "mdi:car"\n'),
        text("time.py", r"\Z", '\n_attr_name = "Time"\n'),
    ],
    "test_every_raised_home_assistant_error_is_translated": [
        text("money.py", r"\Z", '\nraise HomeAssistantError("broken")\n')
    ],
    "test_the_brand_has_its_icons": [shrink],
    "test_hacs_json_holds_only_what_hacs_reads": [hacs_key],
}
# Home Assistant's own loader reads the real folder, not a copy.
NOT_OURS = {"test_home_assistant_itself_finds_the_integration"}
REGISTERED = {
    "test_actions_are_registered_described_selected_and_named",
    "test_triggers_and_conditions_are_described_named_and_drawn",
}
SLOW = "test_every_entity_has_a_name_and_every_text_an_entity"
CASES = [(name, number) for name, breaks in BREAKS.items() for number in range(len(breaks))]


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy what the rules are about, and have the tests read the copy."""
    folder = tmp_path / "custom_components" / rules.DOMAIN
    ignored = shutil.ignore_patterns("__pycache__", "frontend")
    shutil.copytree(rules.FOLDER, folder, ignore=ignored)
    shutil.copy(rules.ROOT / "hacs.json", tmp_path)
    (tmp_path / "owner_api").mkdir()
    shutil.copy(rules.ROOT / "owner_api/problems.py", tmp_path / "owner_api")
    monkeypatch.setattr(rules, "ROOT", tmp_path)
    monkeypatch.setattr(rules, "FOLDER", folder)
    monkeypatch.setattr(rules, "TRANSLATIONS", sorted((folder / "translations").glob("*.json")))
    monkeypatch.setattr(rules, "SOURCES", sorted(folder.glob("*.py")))
    return folder


def test_every_rule_has_a_way_to_be_broken() -> None:
    """A consistency test that cannot be seen red proves nothing."""
    found = {name for name in vars(rules) if name.startswith("test_")}
    assert found - NOT_OURS == set(BREAKS)


def files(folder: Path) -> dict[Path, bytes]:
    """Return what every file holds."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def run(name: str, folder: Path, request: pytest.FixtureRequest) -> None:
    """Run a consistency test with what it asks for."""
    test = getattr(rules, name)
    given: dict[str, Any] = {}
    for wanted in inspect.signature(test).parameters:
        given[wanted] = folder / EN if wanted == "file" else request.getfixturevalue(wanted)
    result = test(**given)
    if inspect.isawaitable(result):
        await result


@pytest.mark.parametrize(
    ("name", "number"), [case for case in CASES if case[0] not in REGISTERED | {SLOW}]
)
async def test_a_broken_rule_is_red_and_an_unbroken_one_green(
    name: str, number: int, copied: Path, request: pytest.FixtureRequest
) -> None:
    """First as it is, then with the rule broken."""
    await run(name, copied, request)
    BREAKS[name][number](copied)
    with pytest.raises((AssertionError, KeyError, ValueError)):
        await run(name, copied, request)


@pytest.mark.parametrize("name", sorted(REGISTERED))
async def test_a_broken_description_of_what_home_assistant_registers_is_red(
    name: str, copied: Path, hass: HomeAssistant, request: pytest.FixtureRequest
) -> None:
    """These compare the files with the running integration."""
    await getattr(rules, name)(hass)
    for change in BREAKS[name]:
        kept = files(copied)
        change(copied)
        with pytest.raises((AssertionError, KeyError)):
            await getattr(rules, name)(hass)
        for path, before in kept.items():
            path.write_bytes(before)


async def test_a_text_without_its_entity_and_an_entity_without_its_text_are_red(
    copied: Path, hass: HomeAssistant, home: Home, charger_home: None
) -> None:
    """Taken from the registry of a set-up home."""
    await getattr(rules, SLOW)(hass, home, None)
    for change in BREAKS[SLOW]:
        before = (copied / EN).read_bytes()
        change(copied)
        with pytest.raises(AssertionError):
            await getattr(rules, SLOW)(hass, home, None)
        (copied / EN).write_bytes(before)
