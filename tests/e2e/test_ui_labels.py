"""The ways through Home Assistant that the guides name are those that its own pages show."""

from collections.abc import Iterator
from functools import cache
import json
from pathlib import Path
import re
from typing import Any, Final

import pytest

from custom_components.v2g_owner.const import DOMAIN
from script.demo_lib.hass_folder import HASS, REPOSITORY

pytestmark = pytest.mark.slow

FRONTEND: Final = "hass_frontend/static/translations"
TEXTS: Final = REPOSITORY / f"custom_components/{DOMAIN}/translations"
GUIDES: Final = sorted([REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")])
# How each language marks what stands on a page; the arrow leads from one page to the next.
MARKS: Final = {
    "en": r"\*([^*\n]*→[^*]*)\*",
    "zh-Hans": "“([^”]*→[^”]*)”",
    "zh-Hant": "「([^」]*→[^」]*)」",
}
SUBMIT: Final = "ui.panel.config.integrations.config_flow.submit"
# Names of things, not words of a page.
NAMES: Final = frozenset({"V2G Owner", "the car"})


def values(texts: dict[str, Any]) -> Iterator[str]:
    """Yield every text of a tree."""
    for each in texts.values():
        if isinstance(each, dict):
            yield from values(each)
        elif isinstance(each, str):
            yield each


@cache
def labels(language: str) -> frozenset[str]:
    """Return all that Home Assistant's pages and we ourselves say in a language."""
    (folder,) = HASS.parents[1].glob(f"lib/python*/site-packages/{FRONTEND}")
    # The name of a file ends in a hash; en-GB is another language.
    files = [
        each for each in folder.rglob("*.json") if re.match(rf"{language}-\w+\.json$", each.name)
    ]
    assert len(files) > 1
    found = {text for file in files for text in values(json.loads(file.read_text("utf-8")))}
    ours = json.loads((TEXTS / f"{language}.json").read_text("utf-8"))
    return frozenset(found | set(values(ours)))


def language_of(guide: Path) -> str:
    """Return the language a guide is written in."""
    return next((each for each in MARKS if guide.stem.endswith(each)), "en")


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_every_step_of_a_way_is_a_label_that_is_there(guide: Path) -> None:
    """Whoever reads Home Assistant in Chinese looks for its Chinese labels."""
    language = language_of(guide)
    ways = re.findall(MARKS[language], guide.read_text("utf-8"))
    steps = {" ".join(step.split()).strip(" .") for way in ways for step in way.split("→")}
    assert sorted(steps - NAMES - labels(language)) == []


def test_a_way_through_the_pages_is_found_in_each_language() -> None:
    found = {
        language_of(each)
        for each in GUIDES
        if re.search(MARKS[language_of(each)], each.read_text("utf-8"))
    }
    assert found == set(MARKS)


@pytest.mark.parametrize("language", MARKS)
def test_a_repair_names_its_button_as_the_dialog_does(language: str) -> None:
    """A repair that says which button agrees to new terms must not name another one."""
    english, told = (
        json.loads((TEXTS / f"{each}.json").read_text("utf-8"))["issues"]
        for each in ("en", language)
    )
    (folder,) = HASS.parents[1].glob(f"lib/python*/site-packages/{FRONTEND}/config")
    (file,) = [
        each for each in folder.glob("*.json") if re.match(rf"{language}-\w+\.json$", each.name)
    ]
    button = json.loads(file.read_text("utf-8"))[SUBMIT]
    missing = [
        text
        for source, text in zip(values(english), values(told), strict=True)
        if "submit" in source.lower() and button.lower() not in text.lower()
    ]
    assert missing == []
