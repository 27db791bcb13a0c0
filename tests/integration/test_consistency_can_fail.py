"""Criterion 2: each rule about files is green on a copy of them and red once it is broken.

The rules are discovered: every test of a module that names ``ROOT``. One without a way to break it
is missing here, and that is red too.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
import importlib.util
import inspect
import itertools
import json
from pathlib import Path
import re
import shutil
from types import ModuleType
from typing import Any, Final

from homeassistant.core import HomeAssistant
from PIL import Image
import pytest

from custom_components.v2g_owner.const import DOMAIN

from . import test_quality_scale
from .conftest import Home

# More than --fast has time for.
pytestmark = pytest.mark.slow

type Break = Callable[[Path], None]
type Breaks = dict[str, list[Break]]

HERE: Final = Path(__file__).parent
OURS: Final = HERE.parents[1]
FOLDER: Final = f"custom_components/{DOMAIN}"
# What the rules are about.
COPIED: Final = (
    *(FOLDER, "owner_api", "docs", "blueprints", ".github"),
    *("README.md", "LICENSE", "hacs.json"),
)
# How a rule says no: it asserts, or finds no such key, or a file that cannot be parsed.
RED: Final = (AssertionError, KeyError, ValueError)


# --- ways to break something; a name that begins with / is one beside the integration's folder


def place(root: Path, name: str) -> Path:
    """Return where a file stands in the copy."""
    return root / name[1:] if name.startswith("/") else root / FOLDER / name


def text(name: str, old: str, new: str) -> Break:
    """Return what replaces a text in a file, by regular expression."""

    def change(root: Path) -> None:
        path = place(root, name)
        before = path.read_text(encoding="utf-8")
        after = re.sub(old, new, before)
        assert after != before, (name, old)
        path.write_text(after, encoding="utf-8")

    return change


def everywhere(old: str, new: str) -> Break:
    """Return what replaces a word in every module."""

    def change(root: Path) -> None:
        for path in (root / FOLDER).glob("*.py"):
            path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")

    return change


def cut(page: str, heading: str) -> Break:
    """Return what deletes a section of a page."""
    return text(f"/{page}", rf"(?ms)^{re.escape(heading)}\n.*?(?=^## |\Z)", "")


def empty(page: str, heading: str) -> Break:
    """Return what leaves nothing of a section but its heading and a word."""
    return text(f"/{page}", rf"(?ms)^({re.escape(heading)}\n).*?(?=^## |\Z)", r"\1\nSoon.\n\n")


def gone(name: str) -> Break:
    """Return what deletes a file."""
    return lambda root: place(root, name).unlink()


def add(name: str, code: str) -> Break:
    """Return what adds lines to a module."""
    return text(name, r"\Z", f"\n{code}\n")


def only_said(name: str, line: str) -> Break:
    """Return what turns a line of code into a comment: to say it is not to do it."""
    return text(name, rf"(?m)^( *)({re.escape(line)}.*)$", r"\1pass  # \2")


def content(name: str, change: Callable[[Any], Any]) -> Break:
    """Return what changes a JSON file."""

    def apply(root: Path) -> None:
        path = place(root, name)
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


def shrink(root: Path) -> None:
    """Make an icon too small."""
    Image.new("RGBA", (16, 16)).save(place(root, "brand/icon.png"))


def second_manifest(root: Path) -> None:
    """Put a manifest elsewhere."""
    (root / "docs/manifest.json").write_text("{}")


def same_script(root: Path) -> None:
    """Write one Chinese for both."""
    shutil.copy(place(root, "translations/zh-Hans.json"), place(root, HANT))


EN = "translations/en.json"
HANT = "translations/zh-Hant.json"
GUIDE = "/docs/home-assistant.md"
CONSISTENCY: Breaks = {
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
    "test_what_home_assistant_shows_as_plain_text_has_no_asterisks_in_it": [
        put(EN, "exceptions.unknown.message", "Something *unexpected* went wrong: {detail}"),
    ],
    "test_chinese_is_chinese_and_the_two_scripts_differ": [
        put(HANT, "exceptions.unknown.message", "Something unexpected went wrong: {detail}"),
        same_script,
    ],
    "test_what_people_have_to_look_for_has_one_name_in_each_language": [
        put(HANT, "services.get_receipts.name", "取得憑證"),
        text(HANT, "換算成 current_a", "換算成安培"),
    ],
    "test_every_problem_of_the_api_has_words_in_every_language": [
        drop(HANT, "exceptions.soc_stale")
    ],
    "test_every_reason_that_the_api_gives_for_a_no_has_a_sentence_in_every_language": [
        drop(HANT, "exceptions.why_person_declined"),
        put(EN, "exceptions.why_gone", {"message": "Gone."}),
        text("/owner_api/commands/consent.py", '"long_stop"', '"longer_stop"'),
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
        text("quality_scale.yaml", "comment: There is no dependency.*", "comment: ''"),
    ],
    "test_every_raised_home_assistant_error_is_translated": [
        text("money.py", r"\Z", '\nraise HomeAssistantError("broken")\n')
    ],
    "test_the_brand_has_its_icons": [shrink],
    "test_hacs_json_holds_only_what_hacs_reads": [put("/hacs.json", "colour", "green")],
}
QUALITY_SCALE: Breaks = {
    "test_action_setup_actions_are_registered_before_any_entry_is_set_up": [
        only_said("__init__.py", "async_setup_services(hass)"),
        text("__init__.py", r"(    await async_start_)", r"    async_setup_services(hass)\n\1"),
        add("time.py", "platform.async_register_entity_service('now', {}, 'now')"),
    ],
    "test_appropriate_polling_every_coordinator_says_how_often_it_reads": [
        text("coordinator.py", "( +)(update_interval=SNAPSHOT_INTERVAL,)", r"\1# \2")
    ],
    "test_common_modules_the_coordinator_and_the_base_entity_stand_where_they_are_looked_for": [
        text("entity.py", r"\(CoordinatorEntity\[V2GCoordinator\]\)", "(Other)"),
        text("coordinator.py", r"\(DataUpdateCoordinator\[Snapshot\]\)", "(Other)"),
    ],
    "test_entity_event_setup_nothing_is_listened_to_before_an_entity_is_added": [
        text(
            "entity.py", r"(?m)^( +)(self\._attr_device_info =)", r"\1a.async_add_listener(b)\n\1\2"
        )
    ],
    "test_entity_unique_id_and_has_entity_name_every_entity_has_both_from_its_base": [
        text("entity.py", "_attr_has_entity_name = True", "_attr_has_entity_name = False"),
        only_said("entity.py", "_attr_has_entity_name = True"),
        only_said("entity.py", "self._attr_unique_id ="),
        add("time.py", '_attr_icon = "mdi:car"'),
        add("time.py", '_attr_name = "Time"'),
        text("sensor_vehicle.py", 'key="soc",', 'key="soc", icon="mdi:car",'),
    ],
    "test_runtime_data_is_kept_on_the_entry_and_typed_wherever_the_entry_is_given": [
        text("__init__.py", r"entry\.runtime_data = ", "kept = "),
        text("coordinator.py", r"= ConfigEntry\[V2GRuntimeData\]", "= ConfigEntry"),
        text("time.py", "entry: V2GConfigEntry", "entry: ConfigEntry"),
        text("diagnostics.py", "entry: V2GConfigEntry", "entry: Any"),
        add("money.py", "hass.data[DOMAIN] = 1"),
    ],
    "test_test_before_configure_the_flow_talks_to_the_server_and_names_what_goes_wrong": [
        text("pairing_flow.py", r"await api\.pair\(", "await api.greet("),
        text("config_flow.py", r"self\._async_pair\(", "self._async_trust("),
    ],
    "test_test_before_setup_the_first_read_decides_whether_the_entry_is_set_up": [
        only_said("__init__.py", "await coordinator.async_config_entry_first_refresh()")
    ],
    "test_unique_config_entry_no_account_can_be_added_twice": [
        only_said("config_flow.py", "self._abort_if_unique_id_configured()"),
        only_said("config_flow.py", "await self.async_set_unique_id(data"),
    ],
    "test_config_flow_is_declared_and_begins_with_the_owner": [
        put("manifest.json", "config_flow", value=False),
        text("config_flow.py", "async_step_user", "async_step_begin"),
    ],
    "test_config_entry_unloading_ends_what_set_up_began": [
        text("__init__.py", "async def async_unload_entry", "async def async_end_entry"),
        text("__init__.py", "async_unload_platforms", "async_keep_platforms"),
    ],
    "test_integration_owner_somebody_answers_for_it": [
        put("manifest.json", "codeowners", []),
        put("manifest.json", "codeowners", ["@"]),
    ],
    "test_reauthentication_flow_asks_for_a_new_code": [
        text("config_flow.py", r"async_step_reauth\(", "async_step_again("),
        text("coordinator.py", r"raise ConfigEntryAuthFailed\(", "raise UpdateFailed("),
    ],
    "test_devices_every_entity_stands_on_one": [text("entity.py", r"DeviceInfo\(", "dict(")],
    "test_diagnostics_are_given_for_entries_and_devices_and_redacted": [
        text("diagnostics.py", "async_get_device_diagnostics", "device_diagnostics"),
        text(
            "diagnostics.py", r"return async_redact_data\((.*)\)", r"return \1  # async_redact_data"
        ),
    ],
    "test_discovery_is_declared_taken_once_and_follows_a_new_address": [
        drop("manifest.json", "zeroconf"),
        text("config_flow.py", r"async_step_zeroconf\(", "async_step_bluetooth("),
        text("config_flow.py", "config_entries.async_update_entry", "config_entries.async_forget"),
        only_said("config_flow.py", "await self.async_set_unique_id(server_id)"),
    ],
    "test_dynamic_and_stale_devices_come_and_go_without_a_restart": [
        only_said("__init__.py", "entry.async_on_unload(entry.add_update_listener"),
        only_said("__init__.py", "entry.async_on_unload(StaleDevices"),
        only_said("repairs.py", "self.hass.config_entries.async_remove_subentry"),
    ],
    "test_reconfiguration_flow_changes_an_entry_in_place": [
        text("config_flow.py", r"async_step_reconfigure\(", "async_step_change("),
        text(
            "config_flow.py", r"done = self\.async_update_and_abort\(entry, data_u.*", "done = {}"
        ),
    ],
    "test_repair_issues_can_be_acted_on": [
        text("stale_devices.py", "( +)(is_fixable=True,)", r"\1# \2"),
        text("repairs.py", "async def async_create_fix_flow", "async def async_create_flow"),
    ],
    "test_entity_category_class_and_default_are_said_where_they_differ": [
        everywhere(f"{name}=", f"other_{name}=")
        for name in ("entity_category", "device_class", "entity_registry_enabled_default")
    ],
    "test_inject_websession_no_session_is_opened_beside_home_assistants": [
        add("api.py", "SESSION = aiohttp.ClientSession()"),
        add("money.py", "import requests"),
        text("__init__.py", r"async_get_clientsession\(hass\)", "session"),
    ],
    "test_strict_typing_every_argument_and_every_answer_has_a_type": [
        add("money.py", "def half(it) -> int:\n    return it"),
        add("money.py", "def half(it: int):\n    return it"),
    ],
    "test_every_docs_rule_marked_done_has_its_section_with_something_in_it": [
        *itertools.starmap(cut, dict.fromkeys(test_quality_scale.SECTIONS.values())),
        *itertools.starmap(empty, dict.fromkeys(test_quality_scale.SECTIONS.values())),
        text(
            "quality_scale.yaml",
            "docs-examples: done",
            "docs-examples:\n    status: exempt\n    comment: ''",
        ),
        text("quality_scale.yaml", "docs-actions:", "docs-of-another-kind: done\n  docs-actions:"),
    ],
    "test_the_guide_is_reached_from_where_home_assistant_sends_its_owners": [
        text("/README.md", r"\]\(docs/home-assistant\.md\)", "](docs/first-offer.md)"),
        put("manifest.json", "documentation", "https://example.org"),
    ],
}
VALIDATORS: Breaks = {
    "test_every_check_has_a_test_that_exists_or_is_said_to_be_made_only_there": [
        text("/docs/quality.md", "test_every_json_file_can_be_read", "test_what_is_gone"),
        text("/docs/quality.md", r"Only there\.", "Somewhere."),
    ],
    "test_both_validators_run_on_every_change_and_every_night": [
        text("/.github/workflows/hacs.yaml", "schedule:", "workflow_call:"),
        text("/.github/workflows/hacs.yaml", "contents: read", "contents: write"),
        text("/.github/workflows/hacs.yaml", "category: integration", "category: theme"),
        text("/.github/workflows/hassfest.yaml", "home-assistant/actions/hassfest", "other/one"),
    ],
    "test_the_manifest_keeps_hassfests_values": [
        put("manifest.json", "iot_class", "cloud"),
        put("manifest.json", "integration_type", "car"),
        put("manifest.json", "codeowners", ["li"]),
        put("manifest.json", "version", "one"),
        put("manifest.json", "documentation", "https://home-assistant.io/x"),
    ],
    "test_the_only_discovery_is_zeroconf_and_a_flow_takes_it": [
        put("manifest.json", "ssdp", []),
        drop("manifest.json", "config_flow"),
        put("manifest.json", "zeroconf", ["_Upper._tcp.local."]),
        text("config_flow.py", r"async_step_zeroconf\(", "async_step_bluetooth("),
        only_said("config_flow.py", "await self.async_set_unique_id(server_id)"),
    ],
    "test_set_up_without_yaml_is_declared": [
        only_said("__init__.py", "CONFIG_SCHEMA ="),
        text("__init__.py", r"async def async_setup\(", "async def async_begin("),
    ],
    "test_every_json_file_can_be_read": [text("icons.json", r"\{", "{,"), gone("icons.json")],
    "test_the_domain_is_not_home_assistants_own": [put("manifest.json", "domain", "sun")],
    "test_there_is_a_readme_and_a_licence_that_are_recognised": [
        text("/README.md", r"\A# ", ""),
        text("/LICENSE", "Apache", "Other"),
    ],
}
OWNER_DOCS: Breaks = {
    "test_every_entity_is_explained_and_none_that_does_not_exist": [
        text(GUIDE, r"\| Deals \| calendar \|", "| Agreements | calendar |"),
        drop(EN, "entity.time.leave_mon"),
    ],
    "test_every_attribute_told_of_an_entity_is_one_by_its_key": [
        text(GUIDE, "`soc_min_departure_pct`", "`guarantee`"),
        drop(EN, "entity.sensor.next_departure.state_attributes.calendar"),
        text(GUIDE, "`prices_assumed_from`", "`prices_guessed_from`"),
    ],
    "test_every_event_type_is_named": [text(GUIDE, "`stop_confirmed`", "`stop_seen`")],
    "test_an_action_is_told_with_each_field_and_its_response": [
        put(EN, "services.stop.description", "Something else."),
        text(GUIDE, "(?m)^Response: ", "Answer: "),
        text(GUIDE, r"\| Deal ID \(`commitment_id`\) \| no", "| Deal ID (`commitment_id`) | yes"),
    ],
    "test_no_action_trigger_or_condition_is_told_that_does_not_exist": [
        text(GUIDE, r"v2g_owner\.offer_received", "v2g_owner.offer_arrived"),
        put(EN, "conditions.offer_open.description", "Something else."),
    ],
    "test_every_blueprint_is_linked_and_every_example_is_an_automation": [
        text(GUIDE, r"blob/main/blueprints/\S+\.yaml", "blob/main/blueprints/gone.yaml"),
        text(GUIDE, "(?m)^triggers:", "trigger:"),
    ],
    "test_every_readme_leads_to_the_guide_of_its_language_and_names_each_step": [
        text("/docs/README.zh-Hant.md", r"first-offer\.zh-Hant", "first-offer"),
        text("/README.md", "Set the leave times and limits", "Look"),
    ],
    "test_what_the_page_on_home_chargers_names_is_what_owners_see": [
        text("/docs/home-chargers.md", r"\*([A-Z][a-z]+ [a-z ]+)\*", r"*\1 by moonlight*")
    ],
    "test_every_reason_of_a_home_charger_is_told_with_what_to_do": [
        text("/docs/home-chargers.md", r"## What its \*Reason\* says", "## Reasons")
    ],
    "test_how_long_a_change_in_the_makers_app_is_overwritten_is_told": [
        text("/docs/home-chargers.md", r"within \d+ seconds", "soon")
    ],
}
CARD: Breaks = {
    "test_the_card_speaks_each_language_of_the_integration": [gone("frontend/words/zh-Hant.js")],
    "test_every_language_has_every_word_with_its_placeholders": [
        text("frontend/words/zh-Hant.js", r'  "deal": .*\n', ""),
        text("frontend/words/zh-Hant.js", r"\{count\}", "{number}"),
        text("frontend/words/zh-Hant.js", r'"deal": ".*"', '"deal": " "'),
    ],
    "test_every_word_named_in_the_modules_exists": [
        text("frontend/deal-part.js", r'words\("deal"\)', 'words("agreement")')
    ],
    "test_no_word_is_left_over": [
        text(f"frontend/words/{language}.js", '  "deal":', '  "spare": "x",\n  "deal":')
        for language in ("en",)
    ],
    "test_modules_import_only_each_other_and_never_parse_text_as_markup": [
        add("frontend/dom.js", "node.innerHTML = text;"),
        text("frontend/view.js", r'"\./stops\.js"', '"./gone.js"'),
    ],
    "test_the_card_counts_minor_units_as_the_integration_does": [
        text("frontend/format.js", " JPY ", " "),
        text("frontend/format.js", "BHD ", "BHD CNY "),
    ],
}
WORDING: Breaks = {
    "test_one_thing_has_one_name": [
        text("translations/zh-Hans.json", "电池电量未知", "电量未知"),
        text("frontend/words/zh-Hant.js", "園區尚未答覆", "停車場尚未答覆"),
    ],
    "test_no_text_uses_a_word_that_its_readers_do_not": [
        text("translations/en.json", "permissions to discharge", "leases"),
        text("translations/zh-Hant.json", "帳號", "帳戶"),
        text("/docs/README.zh-Hans.md", "放电许可", "租约"),
    ],
    "test_chinese_is_punctuated_in_full_width": [
        text("translations/zh-Hans.json", "当前未连接.", "当前未连接,"),
        text("frontend/words/zh-Hant.js", "(?<=時間)", ":"),
        text("/docs/first-offer.zh-Hant.md", "50%", "50 %"),
    ],
    "test_a_sentence_ends_with_a_stop_where_the_english_one_does": [
        text("translations/zh-Hant.json", "請檢查所選感測器。", "請檢查所選感測器"),
    ],
    "test_no_sentence_for_owners_is_longer_than_can_be_read_at_once": [
        text("translations/en.json", r"(?<=moment)\. Set", " and set"),
    ],
}
BREAKS: Final[dict[str, Breaks]] = {
    "test_card": CARD,
    "test_consistency": CONSISTENCY,
    "test_owner_docs": OWNER_DOCS,
    "test_quality_scale": QUALITY_SCALE,
    "test_validators": VALIDATORS,
    "test_wording": WORDING,
}
# These look at what runs, not at files: Home Assistant's loader, and its server.
NOT_OURS: Final = {
    "test_home_assistant_itself_finds_the_integration",
    "test_dashboards_load_the_card_from_an_address_that_names_its_content",
}


# --- the copy and the rules in it


@dataclass(frozen=True)
class Copy:
    """A copy of what the rules are about, and what each file of it holds as long as it is whole."""

    root: Path
    kept: dict[Path, bytes]


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """Copy what the rules are about, and the rules: once, and whoever breaks it mends it."""
    root = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__", "images")
    for name in COPIED:
        if (OURS / name).is_dir():
            shutil.copytree(OURS / name, root / name, ignore=ignored)
        else:
            shutil.copy(OURS / name, root / name)
    (root / "tests/integration").mkdir(parents=True)
    for path in HERE.glob("test_*.py"):
        shutil.copy(path, root / "tests/integration")
    return Copy(root, files(root))


def load(root: Path, name: str) -> ModuleType:
    """Return a module of rules that reads the copy."""
    path = root / "tests/integration" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"tests.integration.copy_of_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def given(test: Callable[..., Any]) -> Iterator[dict[str, Any]]:
    """Yield every set of arguments that a rule is run with, by its own marks."""
    columns = []
    for mark in getattr(test, "pytestmark", ()):
        if mark.name == "parametrize":
            names, rows = mark.args[0], [*mark.args[1]]
            assert isinstance(names, str)
            assert rows, test.__name__
            columns.append([{names: row} for row in rows])
    for some in itertools.product(*columns):
        yield {name: value for each in some for name, value in each.items()}


async def run(root: Path, module: str, name: str, **fixtures: Any) -> None:
    """Run a rule on the copy, with all it is run with."""
    test = getattr(load(root, module), name)
    for arguments in given(test):
        result = test(**arguments, **fixtures)
        if inspect.isawaitable(result):
            await result


def asks_for(module: str, name: str) -> set[str]:
    """Return the fixtures that a rule needs beside the files."""
    test = getattr(importlib.import_module(f"tests.integration.{module}"), name)
    return set(inspect.signature(test).parameters) - {key for one in given(test) for key in one}


def rules(*fixtures: str) -> list[tuple[str, str]]:
    """Return the rules that need exactly these fixtures."""
    known = [(module, name) for module, breaks in BREAKS.items() for name in breaks]
    return [rule for rule in known if asks_for(*rule) == set(fixtures)]


def files(root: Path) -> dict[Path, bytes]:
    """Return what every file of the copy holds, but for what Python made of the rules."""
    found = (path for path in root.rglob("*") if "__pycache__" not in path.parts)
    return {path: path.read_bytes() for path in found if path.is_file()}


def mend(copy: Copy) -> None:
    """Put the copy back as it was."""
    now = files(copy.root)
    for path in now.keys() - copy.kept.keys():
        path.unlink()
    for path, before in copy.kept.items():
        if now.get(path) != before:
            path.write_bytes(before)


async def is_red(root: Path, module: str, name: str, **fixtures: Any) -> bool:
    """Tell whether a rule says no to the copy."""
    try:
        await run(root, module, name, **fixtures)
    except RED:
        return True
    return False


async def turns_red(copy: Copy, module: str, name: str, **fixtures: Any) -> None:
    """See a rule green, and red after each break of it."""
    await run(copy.root, module, name, **fixtures)
    for number, change in enumerate(BREAKS[module][name]):
        try:
            change(copy.root)
            red = await is_red(copy.root, module, name, **fixtures)
        finally:
            mend(copy)
        assert red, f"{name} is green after break {number}"


def test_every_rule_has_a_way_to_be_broken() -> None:
    """A consistency test that cannot be seen red proves nothing."""
    found: dict[str, set[str]] = {}
    for path in HERE.glob("test_*.py"):
        if not re.search(r"(?m)^ROOT\b.* = Path\(__file__\)", path.read_text(encoding="utf-8")):
            continue
        module = importlib.import_module(f"tests.integration.{path.stem}")
        found[path.stem] = {name for name in vars(module) if name.startswith("test_")} - NOT_OURS
    assert found == {module: set(breaks) for module, breaks in BREAKS.items()}
    assert all(breaks for rules_of in BREAKS.values() for breaks in rules_of.values())
    known = [rule for fixtures in ((), ("hass",), HOME) for rule in rules(*fixtures)]
    assert len(known) == sum(map(len, BREAKS.values()))


HOME: Final = ("hass", "home", "charger_home")


@pytest.mark.parametrize(("module", "name"), rules())
async def test_a_broken_rule_is_red_and_an_unbroken_one_green(
    module: str, name: str, copied: Copy
) -> None:
    """First as it is, then with the rule broken in each way."""
    await turns_red(copied, module, name)


@pytest.mark.parametrize(("module", "name"), rules("hass"))
async def test_a_broken_description_of_what_home_assistant_registers_is_red(
    module: str, name: str, copied: Copy, hass: HomeAssistant
) -> None:
    """These compare the files with the running integration."""
    await turns_red(copied, module, name, hass=hass)


@pytest.mark.parametrize(("module", "name"), rules(*HOME))
async def test_a_text_without_its_entity_and_an_entity_without_its_text_are_red(
    module: str, name: str, copied: Copy, hass: HomeAssistant, home: Home, charger_home: None
) -> None:
    """Taken from the registry of a set-up home."""
    await turns_red(copied, module, name, hass=hass, home=home, charger_home=charger_home)
