"""The dashboard card's files: served, complete, in three languages, and safe to show data with.

What it looks like and how it behaves is tested in a real browser, in ``tests/e2e/test_card.py``.
"""

import itertools
import json
from pathlib import Path
import re
import string
from typing import Final

from homeassistant.components.frontend import DATA_EXTRA_MODULE_URL, UrlManager
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.v2g_owner.card import MODULE
from custom_components.v2g_owner.const import DOMAIN
from custom_components.v2g_owner.money import minor_digits

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "custom_components" / DOMAIN / "frontend"
WORDS: Final = sorted((FOLDER / "words").glob("*.js"))
MODULES: Final = sorted(FOLDER.rglob("*.js"))
_IMPORT: Final = re.compile(r'^import .* from "(\./[^"]+)";$', re.MULTILINE)
_USED: Final = re.compile(r'words\((?:\w+ \? )?"(\w+)"(?: : "(\w+)")?')
_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")


def words(file: Path) -> dict[str, str]:
    """Return one language's words."""
    text = file.read_text(encoding="utf-8")
    found: dict[str, str] = json.loads(text[text.index("{\n") : text.rindex("}") + 1])
    return found


def test_the_card_speaks_each_language_of_the_integration() -> None:
    translations = {file.stem for file in (FOLDER.parent / "translations").glob("*.json")}
    assert {file.stem for file in WORDS} == translations


@pytest.mark.parametrize("file", WORDS, ids=lambda file: file.stem)
def test_every_language_has_every_word_with_its_placeholders(file: Path) -> None:
    english, theirs = words(FOLDER / "words/en.js"), words(file)
    assert set(theirs) == set(english)
    for key, text in theirs.items():
        assert text.strip(), key
        assert sorted(_PLACEHOLDER.findall(text)) == sorted(_PLACEHOLDER.findall(english[key])), key


def test_every_word_named_in_the_modules_exists() -> None:
    """A missing key would be an exception while a person waits for the card."""
    known = set(words(FOLDER / "words/en.js"))
    named = {
        key
        for module in MODULES
        if module.parent == FOLDER
        for found in _USED.findall(module.read_text(encoding="utf-8"))
        for key in found
        if key
    }
    assert len(named) > 20
    assert named <= known, named - known


def test_no_word_is_left_over() -> None:
    code = "".join(m.read_text(encoding="utf-8") for m in MODULES if m.parent == FOLDER)
    assert [key for key in words(FOLDER / "words/en.js") if f'"{key}"' not in code] == []


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_modules_import_only_each_other_and_never_parse_text_as_markup(module: Path) -> None:
    """Data goes in as text: what a park calls itself must not become an element."""
    text = module.read_text(encoding="utf-8")
    assert text.count("import ") >= len(_IMPORT.findall(text))
    for imported in _IMPORT.findall(text):
        assert (module.parent / imported).is_file(), imported
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "document.write"):
        assert forbidden not in text


def test_the_card_counts_minor_units_as_the_integration_does() -> None:
    text = (FOLDER / "format.js").read_text(encoding="utf-8")
    table = re.search(r"MINOR_DIGITS = \[(.*?)\n\];", text, re.DOTALL)
    assert table
    told = re.findall(r'\[(\d), "([A-Z ]+)"\]', table[1])
    digits = {code: int(count) for count, codes in told for code in codes.split()}
    # Every code that there could be, whatever ISO 4217 makes of it.
    for code in map("".join, itertools.product(string.ascii_uppercase, repeat=3)):
        assert digits.get(code, 2) == minor_digits(code), code


async def test_dashboards_load_the_card_from_an_address_that_names_its_content(
    hass: HomeAssistant, hass_client_no_auth: ClientSessionGenerator
) -> None:
    """Without dashboards to load it, as in all other tests, the integration works just the same."""
    urls: set[str] = set()
    hass.data[DATA_EXTRA_MODULE_URL] = UrlManager(lambda _kind, url: urls.add(url), [])
    assert await async_setup_component(hass, "http", {})
    hass.config.components.add("frontend")
    assert await async_setup_component(hass, DOMAIN, {})
    (url,) = urls
    assert re.fullmatch(rf"/{DOMAIN}/[0-9a-f]{{12}}/{MODULE}", url)
    browser = await hass_client_no_auth()
    for module in MODULES:
        address = url.replace(MODULE, module.relative_to(FOLDER).as_posix())
        answer = await browser.get(address)
        assert answer.status == 200, address
        assert "javascript" in answer.headers["Content-Type"]
        assert "max-age" in answer.headers["Cache-Control"]
        assert await answer.read() == module.read_bytes()
