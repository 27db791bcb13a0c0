"""A receipt's page speaks its reader's language, by their clock, in units that people use."""

from collections.abc import Awaitable, Callable, Mapping
from html.parser import HTMLParser
import json
from pathlib import Path
import re
from string import Formatter
from typing import Any

import pytest

from owner_api.commands import park_views, receipt_words
from owner_api.core.machine import CommitmentState
from owner_api.schemas import evidence, owner, terms, views
from tests.owner_api.deal_world import Caller, Deal, World, active, presented, scheduled

from .test_journal import settled

FOLDER = Path(receipt_words.__file__).parent / "words"
TOLD = {file.stem: json.loads(file.read_text("utf-8")) for file in FOLDER.glob("*.json")}


def leaves(tree: Mapping[str, Any], path: str = "") -> dict[str, str]:
    """Return every text by its path."""
    found = {}
    for key, each in tree.items():
        here = f"{path}/{key}"
        found |= leaves(each, here) if isinstance(each, dict) else {here: each}
    return found


async def page_of(
    deal: Deal, side: Caller, kind: str, *, accept: str = "", lang: str = ""
) -> tuple[str, str]:
    """Return a page that somebody asks for, and the language that its head names."""
    listed = (await side.get("/v1/receipts"))["items"]
    item = next(item for item in listed if item["kind"] == kind)
    world = side.world
    headers = {"Authorization": f"Bearer {side.token}", "Accept": "text/html"}
    headers |= {"Accept-Language": accept} if accept else {}
    url = f"{world.url}/v1/receipts/{item['receipt_id']}" + (f"?lang={lang}" if lang else "")
    async with world.http.get(url, headers=headers) as response:
        assert response.status == 200, await response.text()
        return await response.text(), response.headers["Content-Language"]


class Heard(HTMLParser):
    """What a screen reader has of a page: its language, headings and pairs."""

    def __init__(self, page: str) -> None:
        """Read a page."""
        super().__init__()
        self.language: str | None = None
        self.levels: list[int] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what opens."""
        if tag == "html":
            self.language = dict(attrs)["lang"]
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag not in ("meta", "wbr", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Note what closes, which must be what opened last."""
        assert self.open.pop() == tag


@pytest.mark.parametrize(
    ("accept", "lang", "language", "title"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "", "zh-Hans", "您的答复"),
        ("zh-TW", "", "zh-Hant", "您的答覆"),
        ("en;q=0.4, zh-HK;q=0.7", "", "zh-Hant", "您的答覆"),
        ("zh-CN;q=0, en-GB", "", "en", "Your decision"),
        ("zh-CN", "en", "en", "Your decision"),
        ("en", "zh-Hant", "zh-Hant", "您的答覆"),
        # What nobody here speaks, or no header can say, leaves the owner's own.
        ("fr, de;q=0.5", "", "zh-Hans", "您的答复"),
        (";;q=, *;q=x,", "", "zh-Hans", "您的答复"),
        ("", "", "zh-Hans", "您的答复"),
    ],
)
async def test_a_page_is_in_the_language_that_its_reader_asked_for(
    world: World, accept: str, lang: str, language: str, title: str
) -> None:
    deal = await presented(world)
    await deal.owner.patch("/v1/me", {"language": "zh-Hans"})
    await world.decide(deal.owner, deal.offer)
    page, told = await page_of(deal, deal.owner, "decision", accept=accept, lang=lang)
    assert told == language
    assert f'<html lang="{language}">' in page
    assert f"<h1>{title}</h1>" in page


async def test_a_kept_page_can_be_read_in_every_language(world: World) -> None:
    """It said to add something to its address, which a kept page and an app's own view have not."""
    deal = await presented(world)
    await world.decide(deal.owner, deal.offer)
    titles = {"en": "Your decision", "zh-Hans": "您的答复", "zh-Hant": "您的答覆"}
    names = {"en": "English", "zh-Hans": "简体中文", "zh-Hant": "繁體中文"}
    for language, title in titles.items():
        page, _ = await page_of(deal, deal.owner, "decision", lang=language)
        own, *others = page.split("<details ")
        assert f"<h1>{title}</h1>" in own
        told = {name for name in titles if name != language}
        for name, part in zip(sorted(told), sorted(others), strict=True):
            assert part.startswith(f'lang="{name}"><summary>{names[name]}</summary>')
            assert f"<h2>{titles[name]}</h2>" in part
        assert "?lang=" not in page


async def test_a_language_that_there_is_no_page_in_is_refused_by_name(world: World) -> None:
    deal = await presented(world)
    item = (await deal.owner.get("/v1/receipts"))["items"][0]
    refused = await deal.owner.call("GET", f"/v1/receipts/{item['receipt_id']}?lang=fr")
    assert (refused.status, refused.body["code"]) == (422, "invalid_parameter")


async def test_a_chinese_page_has_no_english_word_in_it(world: World) -> None:
    deal = await settled(world)
    for side in (deal.owner, deal.park):
        for item in (await side.get("/v1/receipts"))["items"]:
            page, _ = await page_of(deal, side, item["kind"], accept="zh")
            folded = re.split(r"<details lang=.en", page)
            own = folded[0] + folded[1].partition("</details>")[2]
            bare = re.sub(r"<code.*?</code>|<[^>]*>|k?Wh?\b|CNY|UTC|JSON", " ", own)
            # What the park wrote stays as it was.
            words = set(re.findall(r"[A-Za-z]{2,}", bare)) - {"PO", "PAY"}
            assert words == set(), (item["kind"], words)


async def delivered(world: World) -> Deal:
    """Let a deal give all that was sold."""
    deal = await active(world, requested_energy_wh=1_000, min_energy_wh=500)
    await deal.deliver(900)
    return deal


async def lapsed(world: World) -> Deal:
    """Let the park not confirm what was agreed to."""
    deal = await presented(world)
    assert (await world.decide(deal.owner, deal.offer)).status == 201
    await world.move(7_200)
    return deal


async def missed(world: World) -> Deal:
    """Let the window pass unused."""
    deal = await scheduled(world)
    await world.move(7_200)
    return deal


@pytest.mark.parametrize(
    ("brought", "kind", "why"),
    [
        (delivered, "commitment.completed", "交易的电量或时间已用完"),
        (lapsed, "commitment.lapsed", "园区未及时确认"),
        (missed, "commitment.missed", "园区未开始"),
    ],
)
async def test_how_a_deal_ends_by_itself_is_said_in_words(
    world: World, brought: Callable[[World], Awaitable[Deal]], kind: str, why: str
) -> None:
    """The usual end of a deal stood as *delivered* in a Chinese page."""
    deal = await brought(world)
    page, _ = await page_of(deal, deal.owner, kind, accept="zh")
    assert f"<dd>{why}</dd>" in page


async def test_money_energy_and_times_are_written_as_people_read_them(world: World) -> None:
    deal = await settled(world)
    page, _ = await page_of(deal, deal.owner, "settlement.final")
    assert "<dt>Energy delivered</dt><dd>0.58 kWh</dd>" in page
    assert "<dt>Price</dt><dd>1.20 CNY/kWh</dd>" in page
    assert "<dt>What stays with the owner</dt><dd>0.40 CNY</dd>" in page
    assert "1 December 2026, 14:05:03 (UTC+8)</time>" in page
    assert "minor" not in page
    of_park, _ = await page_of(deal, deal.park, "settlement.final", accept="zh-Hans")
    assert "2026年12月1日 06:05:03" in of_park
    assert "UTC+" not in of_park
    assert "净得" not in of_park


async def test_a_yes_shows_its_figures_in_money_and_a_no_to_another_money_does_not_guess(
    world: World,
) -> None:
    deal = await presented(world)
    await world.decide(deal.owner, deal.offer)
    page, _ = await page_of(deal, deal.owner, "decision")
    assert "<dt>Cost of recharging</dt><dd>1.92 CNY</dd>" in page
    assert "smallest unit" not in page


POINTS = {"kind": "points", "currency": "XPOINT", "price_per_kwh": "80"}
TAKEN = {
    "accepted_reward_kinds": ["cash", "points"],
    "in_kind_rates": [{"currency": "XPOINT", "price_per_unit": "0.0200"}],
}


@pytest.mark.parametrize("decision", ["accept", "decline", "counter"])
async def test_promise_9_an_answer_to_points_tells_its_figures_in_the_owners_money(
    world: World, decision: str
) -> None:
    """1,219 of the smallest unit of nobody knows which money stood there, and was signed."""
    deal = await presented(world, reward=POINTS, preferences=TAKEN)
    asked = {"price_per_kwh": "95"} if decision == "counter" else {}
    await world.decide(deal.owner, deal.offer, decision, **asked)
    page, _ = await page_of(deal, deal.owner, "decision")
    assert "<dt>Cost of recharging</dt><dd>1.92 CNY</dd>" in page
    assert "<dt>Lowest price</dt><dd>0.00 CNY/kWh</dd>" in page
    assert "<dt>The owner&#x27;s money</dt><dd><bdi>CNY</bdi></dd>" in page
    assert ("<dt>Price</dt><dd>95.00 XPOINT/kWh</dd>" in page) == (decision == "counter")
    assert "smallest unit" not in page
    assert "per kWh" not in page


async def test_what_somebody_wrote_stays_letter_by_letter(world: World) -> None:
    deal = await presented(world)
    reason = "2026-12-01T05:30:00Z <b>no"
    await world.decide(deal.owner, deal.offer, "decline", reason=reason)
    page, _ = await page_of(deal, deal.owner, "decision", accept="zh")
    assert f"<bdi>{reason.replace('<', '&lt;').replace('>', '&gt;')}</bdi>" in page


async def test_a_screen_reader_finds_each_part_below_its_heading(world: World) -> None:
    deal = await settled(world)
    for kind in ("decision", "settlement.final"):
        heard = Heard((await page_of(deal, deal.owner, kind, lang="zh-Hant"))[0])
        assert heard.language == "zh-Hant"
        assert heard.open == []
        assert heard.levels.count(1) == 1
        steps = zip(heard.levels, heard.levels[1:], strict=False)
        assert all(after <= before + 1 for before, after in steps), heard.levels


def test_every_language_has_the_same_words_with_the_same_placeholders() -> None:
    assert set(TOLD) == set(owner.LANGUAGES)
    english = leaves(TOLD["en"])
    for language, told in TOLD.items():
        other = leaves(told)
        assert list(other) == list(english), language
        for path, text in other.items():
            asked = [
                {name for _, name, _, _ in Formatter().parse(each) if name}
                for each in (text, english[path])
            ]
            assert asked[0] == asked[1], (language, path)
    chinese = leaves(TOLD["zh-Hans"]), leaves(TOLD["zh-Hant"])
    kept = {path for path in english if "/months/" in path}
    for each in chinese:
        assert [path for path in english.keys() - kept if each[path] == english[path]] == []


def test_every_code_that_a_receipt_may_hold_has_a_word() -> None:
    values, titles = TOLD["en"]["values"], TOLD["en"]["titles"]
    deal_states = {state.value for state in CommitmentState}
    assert deal_states | set(_choices(views.SETTLEMENT_STATE)) == set(values["state"])
    assert {f"commitment.{state}" for state in deal_states} <= set(titles)
    assert set(park_views._STOP_WORDS) <= set(values["state_reason"])
    assert set(park_views._STOP_WORDS.values()) == set(values["stop_reason"])
    assert set(owner.DECISIONS) == set(values["decision"])
    assert set(owner.METHODS) == set(values["method"])
    assert set(owner.PURPOSES) == set(values["purpose"])
    assert set(owner.CONSENT_MODES) == set(values["consent_mode"])
    assert set(owner.WARRANTY_POLICIES) == set(values["warranty_discharge_policy"])
    assert set(terms.REWARD_KINDS) == set(values["kind"])
    assert set(terms.EARLY_STOP_POLICIES) == set(values["early_stop_policy"])
    assert set(evidence.READING_SOURCES) == set(values["source"])
    assert set(evidence.READING_QUALITIES) == set(values["quality"])
    assert set(_choices(views.REWARD_STATUS)) == set(values["status"])


def _choices(validator: Any) -> Any:
    return validator.schema["enum"]
