"""The dashboard card in a real Chromium inside a real Home Assistant, through a whole deal.

One stage is played once, in the order of this file; each test waits for the state it needs. The
pictures taken on the way are judged; with ``V2G_OWNER_PICTURES=FOLDER`` the guide's are kept.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
import re

import aiohttp
from playwright.async_api import Locator, expect
import pytest
import pytest_asyncio

from script.demo_lib.owner_api import start_owner_api

from .card_stage import (
    PATIENCE_MS,
    PHONE,
    PICKER_PATH,
    WIDE,
    CardStage,
    card_stage,
    contrasts,
    overflows,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
    # All beside what they share, however many run at once.
    pytest.mark.xdist_group("card"),
]

ENOUGH_CONTRAST = 4.5
DARK_IS = "dark => document.querySelector('home-assistant').hass.themes.darkMode === dark"
TOUCH_PX = 44
_LOOKS = 50
_BETWEEN_S = 0.1


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CardStage]:
    """Play one stage for the whole file."""
    folder: Path = tmp_path_factory.mktemp("card")
    async with card_stage(folder) as opened:
        yield opened


async def test_an_open_offer_shows_its_countdown_battery_net_and_three_equal_buttons(
    stage: CardStage,
) -> None:
    await stage.see_offer()
    await stage.picture("card-offer")
    offer = stage.part("offer")
    await expect(offer.get_by_role("heading")).to_contain_text("Sunrise Business Park asks for")
    timer = offer.get_by_role("timer")
    before = await timer.inner_text()
    assert re.fullmatch(r"\d\d:\d\d", before)
    await expect(timer).not_to_have_text(before)
    net = stage.demo.watcher.entity_id(f"sensor.{stage.demo.owner_id}_next_offer_net")
    told = float((await stage.demo.home.state(net))["state"])
    await expect(offer.locator("strong.value")).to_have_text(f"{told:.2f} CNY")
    battery = offer.get_by_role(
        "img", name=re.compile("Never below 20 %, at least .* when leaving")
    )
    await expect(battery).to_be_visible()
    boxes = [await stage.button(name).bounding_box() for name in ("Accept", "Decline", "Counter")]
    sizes = {(round(box["width"]), round(box["height"])) for box in boxes if box}
    assert len(boxes) == 3
    assert len(sizes) == 1, sizes


async def test_a_screen_reader_finds_every_part_by_role_and_name(stage: CardStage) -> None:
    await stage.see_offer()
    tree = await stage.card.aria_snapshot()
    for line in (
        r'region "Sunrise Business Park asks for [\d.]+ kWh.*"',
        r"heading .* \[level=2\]",
        r'timer "Answer within"',
        r'img "Battery: ',
        r'button "Accept"',
        r'button "Decline"',
        r'button "Counter"',
    ):
        assert re.search(line, tree), f"{line} is not in\n{tree}"
    spoken = stage.card.locator(".aside")
    await expect(spoken).to_have_attribute("aria-live", "polite")
    await expect(spoken).to_contain_text("New offer: Sunrise Business Park asks for")


async def test_it_fits_the_narrowest_phone_and_reads_well_in_light_and_dark(
    stage: CardStage,
) -> None:
    await stage.see_offer()
    page = stage.page
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        await page.wait_for_function(DARK_IS, arg=scheme == "dark")
        for width, height in (WIDE, PHONE):
            await page.set_viewport_size({"width": width, "height": height})
            assert await overflows(page) == []
            assert await _poor(stage) == {}
            for name in ("Accept", "Decline", "Counter"):
                box = await stage.button(name).bounding_box()
                assert box
                assert min(box["width"], box["height"]) >= TOUCH_PX
            size = "phone" if width == PHONE[0] else "wide"
            await stage.picture(f"card-offer-{scheme}-{size}" if scheme == "dark" else None)
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})


async def _poor(stage: CardStage) -> dict[str, float]:
    """Return the texts that are hard to read once the colours have faded to their new ones."""
    poor: dict[str, float] = {}
    for _ in range(_LOOKS):
        found = await contrasts(stage.card)
        poor = {text: ratio for text, ratio in found.items() if ratio < ENOUGH_CONTRAST}
        if not poor:
            break
        await asyncio.sleep(_BETWEEN_S)
    return poor


async def test_counter_opens_its_form_with_the_terms_offered_and_closes_again(
    stage: CardStage,
) -> None:
    await stage.see_offer()
    counter, form = stage.button("Counter"), stage.card.locator("form")
    await expect(counter).to_have_attribute("aria-expanded", "false")
    await expect(form).to_be_hidden()
    await counter.click()
    await expect(form).to_be_visible()
    await expect(counter).to_have_attribute("aria-expanded", "true")
    price = form.get_by_role("spinbutton", name="Price, CNY/kWh")
    await expect(price).to_be_focused()
    terms = await stage.part("offer").locator("p").first.inner_text()
    # Never less than is offered.
    assert float(await price.input_value()) >= float(terms.partition(" ")[0])
    energy = form.get_by_role("spinbutton", name="Energy, kWh")
    assert float(await energy.input_value()) > 0
    await expect(form.get_by_role("button", name="Ask")).to_be_visible()
    assert await overflows(stage.page) == []
    await stage.picture()
    await counter.click()
    await expect(form).to_be_hidden()
    await expect(counter).to_have_attribute("aria-expanded", "false")


async def test_an_offer_is_declined_with_a_tap_and_the_agent_is_told(stage: CardStage) -> None:
    await stage.see_offer()
    await stage.listen()
    await stage.button("Decline").click()
    told = await stage.demo.watcher.wait_for(
        f"event.{stage.demo.owner_id}_offers",
        lambda state: state["attributes"].get("event_type") == "offer_declined",
        PATIENCE_MS / 1000,
    )
    assert told
    offer = await stage.demo.phone.get(f"/v1/offers/{told['attributes']['offer_id']}")
    assert offer["decision"]["decision"] == "decline"
    assert offer["decision"]["method"] == "tap"
    assert offer["decision"]["revision"] == offer["revision"]
    await stage.hears("The offer is closed")


async def test_an_offer_is_accepted_with_the_keyboard_alone_in_the_revision_shown(
    stage: CardStage,
) -> None:
    await stage.see_offer()
    accept = stage.button("Accept")
    for _ in range(40):
        await stage.page.keyboard.press("Tab")
        if await accept.evaluate("button => button.matches(':focus-visible')"):
            break
    outline = await accept.evaluate("button => getComputedStyle(button).outlineWidth")
    assert outline == "3px"
    # What has stood here for a moment only accepts nothing.
    await expect(accept).to_be_enabled()
    await stage.page.keyboard.press("Enter")
    deal = stage.part("deal")
    await expect(deal).to_be_visible()
    await expect(stage.part("offer")).to_be_hidden()
    # The button is gone; who pressed it goes on from the deal, not from the top of the page.
    assert await stage.focused() == "deal"
    told = await stage.demo.watcher.wait_for(
        f"event.{stage.demo.owner_id}_offers",
        lambda state: state["attributes"].get("event_type") == "offer_accepted",
        PATIENCE_MS / 1000,
    )
    assert told
    offer = await stage.demo.phone.get(f"/v1/offers/{told['attributes']['offer_id']}")
    assert offer["decision"]["method"] == "tap"
    assert offer["decision"]["revision"] == offer["revision"]


async def test_promise_4_stop_on_the_card_tells_asked_confirmed_stopped_and_what_is_paid(
    stage: CardStage,
) -> None:
    await stage.see_deal("until")
    deal = stage.part("deal")
    await expect(deal.locator('[data-figure="delivered"]')).to_have_text(
        re.compile(r"0\.[1-9]|0\.0[1-9]"), timeout=PATIENCE_MS
    )
    await stage.picture("card-deal")
    stop = stage.button("Stop discharging")
    await stage.listen()
    await stop.focus()
    await stage.page.keyboard.press("Enter")
    result = stage.part("result")
    await expect(result).to_be_visible()
    await expect(deal).to_be_hidden()
    # Who cannot see the card is told the end too, and goes on from what it brought.
    await stage.hears("Stopped")
    await stage.hears(r"kWh delivered to Sunrise Business Park\. ")
    assert await stage.focused() == "result"
    steps = result.get_by_role("list", name="How far the stop has come").get_by_role("listitem")
    await expect(steps).to_have_text(["Asked", "Confirmed", "Stopped"])
    await expect(steps.get_by_role("img", name="done")).to_have_count(3)
    await expect(result).to_contain_text("Stopped by you")
    await expect(result).to_contain_text("What was delivered is paid.")
    told = await stage.demo.watcher.wait_for(
        f"event.{stage.demo.owner_id}_rewards",
        lambda state: state["attributes"].get("event_type") == "reward_paid",
        PATIENCE_MS / 1000,
    )
    assert told
    amount = told["attributes"]["amount_minor"] / 100
    await expect(result.locator("strong")).to_have_text(f"{amount:.2f} CNY")
    await stage.hears(f"{amount:.2f} CNY")
    await expect(result).to_contain_text("You keep ")
    await expect(stage.part("idle")).to_contain_text("No offer right now.")
    await stage.picture("card-result")
    assert await overflows(stage.page) == []


async def test_it_speaks_the_owners_language(stage: CardStage) -> None:
    for locale, words in (("zh-CN", "上一笔交易"), ("zh-TW", "上一筆交易")):
        page = await stage.open_page(locale=locale)
        await expect(page.locator("v2g-owner-card")).to_contain_text(words)
        assert await overflows(page) == []
        await page.close()


async def test_the_card_picker_suggests_it_for_our_cars_and_no_others(stage: CardStage) -> None:
    suggested = """ids => {
      const { hass } = document.querySelector("home-assistant");
      const card = window.customCards.find(({ type }) => type === "v2g-owner-card");
      return ids.map(id => card.getEntitySuggestion(hass, id)?.config ?? null);
    }"""
    entity_id = stage.demo.watcher.entity_id
    ours = [
        entity_id(f"sensor.{stage.demo.vehicle_id}_soc"),
        entity_id(f"sensor.{stage.demo.owner_id}_deal_state"),
    ]
    others = [entity_id(f"sensor.{stage.demo.charger_id}_power"), "sensor.demo_car_battery"]
    car, account, *none = await stage.page.evaluate(suggested, [*ours, *others])
    assert none == [None, None]
    assert car["type"] == account["type"] == "custom:v2g-owner-card"
    assert car["device_id"] != account["device_id"]


async def test_the_card_picker_shows_it_for_a_car_and_adds_it_for_that_car(
    stage: CardStage,
) -> None:
    page = await stage.open_page()
    await page.goto(f"{stage.demo.home.url}/{PICKER_PATH}/0?edit=1")
    await page.get_by_role("button", name="Add card").first.click()
    picker = page.locator("hui-dialog-create-card")
    await picker.get_by_role("textbox").first.fill("Blue car state of charge")
    await picker.get_by_role("button", name="State of charge Blue car").click()
    suggestion = picker.get_by_role("button", name="V2G Owner")
    await expect(suggestion).to_be_visible()
    await expect(suggestion.locator("v2g-owner-card")).to_be_visible()
    await suggestion.click()
    await expect(picker.get_by_role("textbox")).to_have_count(0)
    car = await page.evaluate(
        "id => document.querySelector('home-assistant').hass.entities[id].device_id",
        stage.demo.watcher.entity_id(f"sensor.{stage.demo.vehicle_id}_soc"),
    )
    kept = await stage.demo.home.command("lovelace/config", url_path=PICKER_PATH)
    assert kept["views"][0]["cards"] == [{"type": "custom:v2g-owner-card", "device_id": car}]
    await expect(page.locator("v2g-owner-card")).to_have_count(1)
    await page.close()


def _link(stage: CardStage) -> Locator:
    """Return the line that says that the agent is away."""
    return stage.card.locator("p.alarm[role=status]")


async def test_promise_4_with_the_agent_gone_stop_stays_and_says_to_unplug(
    stage: CardStage,
) -> None:
    """On a phone and by keyboard alone; nothing of before stands there as if it were of now."""
    page = stage.page
    await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    await stage.see_deal("until")
    await stage.demo.park.stop()
    await stage.demo.api.process.stop()
    await expect(_link(stage)).to_contain_text("No connection to your agent.")
    assert "Delivering" not in await stage.card.aria_snapshot()
    stop = stage.button("Stop discharging")
    await stop.focus()
    await page.keyboard.press("Enter")
    alarm = stage.card.get_by_role("alert").filter(has_text="Unplug to stop now.")
    await expect(alarm).to_be_visible(timeout=2 * PATIENCE_MS)
    await expect(stop).to_be_visible()
    assert await overflows(page) == []
    assert await _poor(stage) == {}
    assert stage.complaints == []


async def test_the_card_goes_on_by_itself_when_the_agent_is_back(stage: CardStage) -> None:
    """What was pressed in the dark is no alarm about a deal that is over."""
    demo, page = stage.demo, stage.page
    if demo.api.process.process.returncode is None:
        await demo.park.stop()
        await demo.api.process.stop()
        await expect(stage.card).to_contain_text("No connection to your agent.")
    port = int(demo.api.url.rpartition(":")[2])
    async with aiohttp.ClientSession() as http:
        back = await start_owner_api(http, demo.folder, port)
    try:
        await expect(_link(stage)).to_be_hidden(timeout=3 * PATIENCE_MS)
        await expect(stage.part("deal")).to_be_hidden(timeout=3 * PATIENCE_MS)
        alarm = stage.card.get_by_role("alert").filter(has_text="Unplug to stop now.")
        await expect(alarm).to_have_count(0)
        assert await overflows(page) == []
        assert stage.complaints == []
    finally:
        await back.process.stop()
