"""One word for one thing in each language, in the words that its readers use."""

from collections.abc import Iterator
import json
from pathlib import Path
import re
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "custom_components/v2g_owner"
CHINESE = ("zh-Hans", "zh-Hant")

# What English calls by the first is called by the others everywhere: Simplified, Traditional.
GLOSSARY = (
    (r"accounts?\b", "账户", "帳號"),
    (r"(?<!auto)agents?\b", "代理", "代理"),
    (r"administrators?\b", "管理员", "管理員"),
    (r"automations?\b", "自动化", "自動化"),
    (r"backup in an outage", "停电时的后备供电", "停電時的備援供電"),
    (r"chargers?\b", "充电桩|此桩|桩", "充電樁|此樁|樁"),
    (r"lowest price", "最低价格", "最低價格"),
    (r"\bdeals?\b", "交易", "交易"),
    (r"leave times?\b", "出发时间|出发日程", "出發時間|出發行程"),
    (r"(?<!counter )(?<!does not )\boffers?\b", "报价|提供", "報價|提供"),
    (r"\brules?\b", "规则", "規則"),
    (r"one-off leave time", "单次出发时间", "單次出發時間"),
    (r"operator", "运营方", "營運方"),
    (r"pairing code", "配对码", "配對碼"),
    (r"permissions? to discharge|park's permission", "许可", "許可"),
    (r"parks?\b(?! ?ing)", "园区", "園區"),
    (r"quiet hours", "免打扰", "勿擾"),
    (r"battery wear|\bwear\b", "磨损", "磨損"),
    (r"state of charge", "电池电量", "電池電量"),
    (r"the floor|battery floor|its floor|your floor", "下限", "下限"),
    (r"unplug to stop", "拔枪以停止", "拔槍以停止"),
    (r"warranty", "质保", "保固"),
)
# Words of the other side of the strait, of the trade, or of a second name for something.
FOREIGN = {
    "en": r"\b(lease[sd]?|award(s|ed)?|EVSEs?|setpoints?)\b",
    "zh-Hans": "帐户|账号|缺省|二进制传感器|租约|充电站|代理程序|代理服务",
    "zh-Hant": "帳戶|默認|信息|設置|軟件|網絡|用戶|日曆|添加|服務器|鏈接|打印|二元感測器|租約|"
    "充電站|代理程式|代理服務|菜單|屏幕|數據|視頻|質保|後備",
}
_CJK = "[一-鿿]"
_STOPS = ((".", "?"), ("。", "\N{FULLWIDTH QUESTION MARK}"))
# The halves of a pair may stand around what is not Chinese, such as a link of Markdown.
_HALF_WIDTH = re.compile(f"{_CJK}[,;:?!](?!/)|(?<!\\]){_CJK}\\(|\\({_CJK}|{_CJK}\\.(?!\\w)")


def texts(language: str) -> dict[str, str]:
    """Return the texts of the integration, of the card and of a receipt's page by path."""
    found = dict(_leaves(json.loads((FOLDER / f"translations/{language}.json").read_text("utf-8"))))
    card = (FOLDER / f"frontend/words/{language}.js").read_text("utf-8")
    body = card.partition("export default ")[2].rstrip().removesuffix(";")
    receipt = json.loads((ROOT / f"owner_api/commands/words/{language}.json").read_text("utf-8"))
    return found | dict(_leaves(json.loads(body), "card")) | dict(_leaves(receipt, "receipt"))


def guides(language: str) -> list[Path]:
    """Return the pages written in a language."""
    return sorted((ROOT / "docs").glob(f"*.{language}.md"))


@pytest.mark.parametrize("language", CHINESE)
def test_one_thing_has_one_name(language: str) -> None:
    """Battery level and energy sold must not be told by the same word either."""
    english, told = texts("en"), texts(language)
    wrong = [
        (path, text, told[path])
        for path, text in english.items()
        for term, hans, hant in GLOSSARY
        if re.search(term, re.sub(r"{\w+}|\(\w+#…\)", "", text), re.IGNORECASE)
        if not re.search(hans if language == "zh-Hans" else hant, told[path])
    ]
    assert wrong == []


@pytest.mark.parametrize("language", FOREIGN)
def test_no_text_uses_a_word_that_its_readers_do_not(language: str) -> None:
    """What Home Assistant calls otherwise is looked for in vain."""
    # The number on a charger is printed there under that name.
    told = {k: v for k, v in texts(language).items() if not k.endswith("evse_id")}
    pages = {page.name: page.read_text("utf-8") for page in guides(language)}
    wrong = [
        (path, found[0])
        for path, text in (told | pages).items()
        if (found := re.search(FOREIGN[language], text))
    ]
    assert wrong == []


@pytest.mark.parametrize("language", CHINESE)
def test_chinese_is_punctuated_in_full_width(language: str) -> None:
    """And no blank stands before a percent sign in it."""
    pages = {page.name: _prose(page.read_text("utf-8")) for page in guides(language)}
    wrong = [
        (path, found[0])
        for path, text in (texts(language) | pages).items()
        if (found := _HALF_WIDTH.search(text) or re.search(r"\d %", text))
    ]
    assert wrong == []


@pytest.mark.parametrize("language", CHINESE)
def test_a_sentence_ends_with_a_stop_where_the_english_one_does(language: str) -> None:
    """A label has none in either."""
    told = texts(language)
    wrong = [
        path
        for path, text in texts("en").items()
        if not text.endswith("}") and text.endswith(_STOPS[0]) != told[path].endswith(_STOPS[1])
    ]
    assert wrong == []


def test_no_sentence_for_owners_is_longer_than_can_be_read_at_once() -> None:
    """Twenty-eight words; a list of things to see stands in a sentence of its own."""
    sentences = [
        (path, sentence)
        for path, text in texts("en").items()
        for sentence in re.split(r"(?<=[.:;?])\s+|\n\n", text)
    ]
    assert [each for each in sentences if len(each[1].split()) > 28] == []


def _leaves(tree: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text with its path."""
    for key, each in tree.items():
        if isinstance(each, dict):
            yield from _leaves(each, f"{path}/{key}")
        else:
            yield f"{path}/{key}", each


def _prose(page: str) -> str:
    """Return a page without its code, its pictures' and its links' addresses."""
    bare = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    return re.sub(r"\]\([^)]*\)|`[^`]*`", "", bare)
