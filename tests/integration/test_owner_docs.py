"""The owners' page names what the integration really has: neither more nor less."""

import ast
from collections.abc import Iterator
import json
from pathlib import Path
import re
from typing import Any

from homeassistant.util.yaml import parse_yaml
import pytest

from custom_components.v2g_owner.control_model import Reason
from custom_components.v2g_owner.control_watch import ECHO

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/home-assistant.md").read_text()
HOME_PAGE = (ROOT / "docs/home-chargers.md").read_text()
TEXTS = json.loads((ROOT / "custom_components/v2g_owner/translations/en.json").read_text())


def section(title: str, level: int = 2) -> str:
    """Return what stands under a heading, up to the next one as high."""
    _, found, rest = PAGE.partition(f"\n{'#' * level} {title}\n")
    assert found, title
    return re.split(rf"\n#{{2,{level}}} ", rest)[0]


def rows(text: str) -> list[list[str]]:
    """Return the cells of a section's tables, without heads."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] not in {"Entity", "Field", "Name"}]


def test_every_entity_is_explained_and_none_that_does_not_exist() -> None:
    """By the name owners see and the kind of entity."""
    told = {(row[0], row[1]) for row in rows(section("Entities"))}
    kinds = {"binary_sensor": "binary sensor", "datetime": "date and time"}
    real = {
        (texts["name"], kinds.get(platform, platform))
        for platform, entities in TEXTS["entity"].items()
        for texts in entities.values()
    }
    assert told == real
    assert all(row[2] for row in rows(section("Entities")))


def test_every_attribute_told_of_an_entity_is_one_by_its_key() -> None:
    """An automation is written with the key: a word in its place would find nothing."""
    constants = {
        node.value
        for source in (ROOT / "custom_components/v2g_owner").glob("*.py")
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
    }
    worded = {
        texts["name"]: set(texts["state_attributes"])
        for texts in TEXTS["entity"]["sensor"].values()
        if "state_attributes" in texts
    }
    assert "Next departure" in worded
    for name, kind, text in rows(section("Entities")):
        told = set(re.findall(r"`(\w+)`", text))
        assert told <= constants, name
        if kind == "sensor" and name in worded:
            assert told == worded[name], name


def test_every_reason_of_a_home_charger_is_told_with_what_to_do() -> None:
    """By the words the entity shows, each in a row of its own."""
    _, _, rest = HOME_PAGE.partition("\n## What its *Reason* says\n")
    told = [row[0] for row in rows(rest.partition("\n## ")[0])][1:]
    shown = TEXTS["entity"]["sensor"]["control_reason"]["state"]
    assert [shown[reason] for reason in Reason] == told


def test_how_long_a_change_in_the_makers_app_is_overwritten_is_told() -> None:
    """A limit that owners meet, in the figure that the code has."""
    assert f"within {ECHO.seconds} seconds" in HOME_PAGE.partition("\n## Limits\n")[2]


def test_every_event_type_is_named() -> None:
    """Automations are written with these."""
    told = set(re.findall(r"`(\w+)`", section("What the event entities report", 3)))
    real = {
        event_type
        for texts in TEXTS["entity"]["event"].values()
        for event_type in texts["state_attributes"]["event_type"]["state"]
    }
    assert told == real


@pytest.mark.parametrize("action", TEXTS["services"])
def test_an_action_is_told_with_each_field_and_its_response(action: str) -> None:
    """What it is called, what it takes, what it answers."""
    texts: dict[str, Any] = TEXTS["services"][action]
    told = section(f"{texts['name']} (`v2g_owner.{action}`)", 3)
    assert texts["description"] in told
    fields: Any = parse_yaml((ROOT / "custom_components/v2g_owner/services.yaml").read_text())
    real = [
        [
            f"{field['name']} (`{key}`)",
            "yes" if fields[action]["fields"][key].get("required") else "no",
            field["description"],
        ]
        for key, field in texts["fields"].items()
    ]
    assert sorted(rows(told)) == sorted(real)
    assert "\nResponse: " in told


def test_no_action_trigger_or_condition_is_told_that_does_not_exist() -> None:
    """And no example calls one."""
    told = set(re.findall(r"v2g_owner\.(\w+)", PAGE))
    assert told == {*TEXTS["services"], *TEXTS["triggers"], *TEXTS["conditions"]}
    for kind in ("triggers", "conditions"):
        for key, texts in TEXTS[kind].items():
            assert [texts["name"], f"`v2g_owner.{key}`", texts["description"]] in rows(PAGE)


def test_every_blueprint_is_linked_and_every_example_is_an_automation() -> None:
    """Each link by the address that Home Assistant imports it from."""
    told = set(re.findall(r"blob/main/(blueprints/\S+\.yaml)", PAGE))
    real = {path.relative_to(ROOT).as_posix() for path in (ROOT / "blueprints").rglob("*.yaml")}
    assert told == real
    examples = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert examples
    for example in examples:
        parsed = parse_yaml(example)
        assert isinstance(parsed, dict)
        assert {"alias", "triggers", "actions"} <= parsed.keys()


def test_what_the_page_on_home_chargers_names_is_what_owners_see() -> None:
    """Each button, field and finding by the very words on the screen."""
    told = re.findall(r"(?<!\*)\*([A-Z][^*]+)\*(?!\*)", HOME_PAGE)
    names = {part for text in told for part in re.sub(r"\s+", " ", text).split(" → ")}
    names |= {row[0].removesuffix(".") for row in rows(HOME_PAGE)} - {"The test says"}
    assert len(names) > 12
    assert names - set(_words(TEXTS)) == set()


def _words(texts: Any) -> Iterator[str]:
    """Yield every text of a language."""
    if isinstance(texts, str):
        yield texts
    else:
        for each in texts.values():
            yield from _words(each)


@pytest.mark.parametrize(
    "found",
    [
        ("README.md", "docs/first-offer.md", "leave times and limits", "Switch on"),
        (
            "docs/README.zh-Hans.md",
            "first-offer.zh-Hans.md",
            "出发时间和各项限制",
            "打开“允许放电”",
        ),
        (
            "docs/README.zh-Hant.md",
            "first-offer.zh-Hant.md",
            "出發時間和各項限制",
            "開啟「允許放電」",
        ),
    ],
)
def test_every_readme_leads_to_the_guide_of_its_language_and_names_each_step(
    found: tuple[str, str, str, str],
) -> None:
    """Without a leave time no offer is judged; it is set before discharging is switched on."""
    readme, guide, leaves, switches = found
    told = (ROOT / readme).read_text()
    assert f"({guide})" in told
    assert told.index(leaves) < told.index(switches)
