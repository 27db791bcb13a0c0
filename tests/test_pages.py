"""Every link of a page leads somewhere, and a decision is called by its own number."""

from pathlib import Path
import re
from typing import Final

import pytest
import yaml

ROOT: Final = Path(__file__).parent.parent
PAGES: Final = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "packaging").rglob("*.md")]
)
LINK: Final = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")


def names(page: Path) -> str:
    """Return how a page is called."""
    return page.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    """Return a page without what stands in it as code."""
    text = page.read_text(encoding="utf-8")
    return re.sub(r"```.*?```|`[^`\n]*`", "code", text, flags=re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchors that a page's headings get on GitHub."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    heads = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    """A page that was renamed or cut leaves nobody at a dead end."""
    dead = []
    for _, address in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", address):
            continue
        path, _, anchor = address.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(address)
    assert dead == []


def test_a_decision_is_called_by_its_number() -> None:
    """Two of the same name would send a reader to the wrong one."""
    wrong = [
        (names(page), told, address)
        for page in PAGES
        for told, address in LINK.findall(page.read_text(encoding="utf-8"))
        if (said := re.search(r"decision (\d+)", told))
        and not re.search(rf"(^|/){int(said[1]):04}-[^/]*$", address)
    ]
    assert wrong == []
    numbers = [page.name[:4] for page in PAGES if page.parent.name == "adr"]
    assert len(numbers) == len(set(numbers)) > 1


@pytest.mark.parametrize("language", ["zh-Hans", "zh-Hant"])
def test_the_chinese_guides_give_the_phone_its_words(language: str) -> None:
    """The blueprint brings English ones; a placeholder that is lost takes the figure with it."""
    source = ROOT / "blueprints/automation/v2g_owner/phone_notification.yaml"
    text = source.read_text(encoding="utf-8").replace("!input ", "")
    blueprint = yaml.safe_load(text)["blueprint"]
    asked = {
        each["name"]: set(re.findall(r"{\w+}", each["default"]))
        for key, each in blueprint["input"].items()
        if key.endswith(("_text", "_title"))
    }
    page = (ROOT / f"docs/first-offer.{language}.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([A-Z][^|]+) \| ([^|]+) \|$", page, flags=re.MULTILINE)
    assert {name: set(re.findall(r"{\w+}", words)) for name, words in rows} == asked
    assert len(asked) > 8
