"""The card as a whole in a real Chromium, with a Home Assistant that is only what it is told."""

from collections.abc import AsyncIterator
from typing import Any, Final

from playwright.async_api import Page, Route
import pytest
import pytest_asyncio

from custom_components.v2g_owner.card import FOLDER
from script.demo_lib.browser import running_browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
    # All beside what they share, however many run at once.
    pytest.mark.xdist_group("card_element"),
]

ADDRESS: Final = "http://card.test"
# One account with one car; ``show`` gives the card its states, ``offers`` are what it is told.
_BEGIN: Final = """
async ({ address }) => {
  await import(`${address}/v2g-owner-card.js`);
  document.body.replaceChildren();
  const card = document.createElement("v2g-owner-card");
  document.body.append(card);
  const keys = {
    "sensor.deal_state": "hub", "sensor.open_offers": "hub", "event.offers": "hub",
    "binary_sensor.stream": "hub", "sensor.soc": "car", "sensor.status": "car",
  };
  const entities = Object.fromEntries(Object.entries(keys).map(([id, device_id]) =>
    [id, { platform: "v2g_owner", translation_key: id.split(".")[1], device_id }]));
  const devices = {
    hub: { id: "hub", name: "Li Wei", config_entries: ["entry"], identifiers: [] },
    car: { id: "car", name: "Blue car", via_device_id: "hub", identifiers: [["v2g_owner", "veh"]] },
  };
  let offers = [], refusal = null;
  window.asks = 0;
  const callService = async (_domain, action) => {
    if (action === "list_offers") window.asks += 1;
    if (action === "list_offers") return { response: { offers } };
    if (refusal) throw { message: refusal };
    return {};
  };
  window.refuse = text => { refusal = text; };
  window.show = async (told, states = {}) => {
    offers = told;
    const state = (id, fallback) => [id, { state: fallback, attributes: {}, ...states[id] }];
    card.hass = {
      language: "en", locale: { language: "en", time_format: "24" },
      config: { time_zone: "Asia/Shanghai" }, entities, devices, callService,
      formatEntityState: (each, value) => value ?? each.state,
      states: Object.fromEntries([
        state("sensor.deal_state", "none"), state("sensor.open_offers", String(told.length)),
        state("event.offers", ""), state("binary_sensor.stream", "on"), state("sensor.soc", "80"),
        state("sensor.status", "idle"),
      ]),
    };
    await new Promise(done => setTimeout(done, 20));
  };
  window.press = async selector => {
    card.shadowRoot.querySelector(selector).click();
    await new Promise(done => setTimeout(done, 20));
  };
  window.choose = device_id => card.setConfig({ device_id });
  window.spoken = () => card.shadowRoot.querySelector(".aside").textContent;
  window.shown = () => [...card.shadowRoot.querySelectorAll("section, .alarm")]
    .filter(node => node.checkVisibility()).map(node => node.innerText).join("\\n");
  card.setConfig({});
}
"""
GONE: Final = {"sensor.deal_state": {"state": "unavailable"}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser_page() -> AsyncIterator[Page]:
    """Serve the card to an empty page."""

    async def serve(route: Route) -> None:
        name = route.request.url.removeprefix(f"{ADDRESS}/")
        if name == "empty":
            await route.fulfill(body="<!doctype html>", content_type="text/html")
        else:
            await route.fulfill(path=FOLDER / name, content_type="text/javascript")

    async with running_browser() as browser:
        opened = await browser.new_page()
        await opened.route(f"{ADDRESS}/**", serve)
        await opened.goto(f"{ADDRESS}/empty")
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser_page: Page) -> Page:
    """Put a new card on the page."""
    await browser_page.evaluate(_BEGIN, {"address": ADDRESS})
    return browser_page


def an_offer(offer_id: str = "off_1", **changes: Any) -> dict[str, Any]:
    """Return an open offer as the action lists it."""
    reward = {"price_per_kwh": "1.2000", "currency": "CNY"}
    times = {"start_at": "2099-01-01T10:00:00Z", "end_at": "2099-01-01T11:00:00Z"}
    return {
        "offer_id": offer_id,
        "revision": 1,
        "state": "presented",
        "vehicle_id": "veh",
        "respond_by": "2099-01-01T09:00:00Z",
        "net_currency": "CNY",
        "park": {"display_name": "East Gate Park"},
        "terms": {"requested_energy_wh": 6_000, "min_energy_wh": 1_000, "reward": reward} | times,
    } | changes


def a_deal(**facts: Any) -> dict[str, Any]:
    """Return the states while a deal runs."""
    deal = {"commitment_id": "com_1", "vehicle_id": "veh", "park": "East Gate Park"}
    deal |= {
        "state": "active",
        "end_at": "2099-01-01T11:00:00Z",
        "start_at": "2099-01-01T10:00:00Z",
    }
    return {"sensor.deal_state": {"state": "active", "attributes": {"deals": [deal | facts]}}}


async def show(
    page: Page, *offers: dict[str, Any], states: dict[str, dict[str, Any]] | None = None
) -> str:
    """Give the card what there is; returns what stands in it then."""
    told = {"offers": list(offers), "states": states or {}}
    await page.evaluate("({ offers, states }) => show(offers, states)", told)
    return str(await page.evaluate("shown()"))


async def test_why_an_answer_failed_is_not_told_of_the_next_offer(page: Page) -> None:
    await show(page, an_offer())
    await page.evaluate("refuse('The offer is closed.')")
    await page.evaluate("press('[data-answer=accept]')")
    assert "That did not work: The offer is closed." in await page.evaluate("shown()")
    assert "The offer is closed." in await show(page), "nobody would know why it went"
    assert "The offer is closed." not in await show(page, an_offer("off_2"))


@pytest.mark.parametrize("then", [an_offer("off_2"), an_offer(revision=2)])
async def test_promise_1_a_tap_meant_for_the_terms_before_accepts_nothing(
    page: Page, then: dict[str, Any]
) -> None:
    await show(page, an_offer())
    await page.evaluate("refuse('It was sent.')")
    await show(page, then)
    await page.evaluate("press('[data-answer=accept]')")
    assert "It was sent." not in await page.evaluate("shown()")
    await page.wait_for_function(
        "document.querySelector('v2g-owner-card').shadowRoot"
        ".querySelector('[data-answer=accept]:not([aria-disabled])')"
    )
    await page.evaluate("press('[data-answer=accept]')")
    assert "It was sent." in await page.evaluate("shown()")


async def test_promise_4_why_a_stop_failed_stands_there_until_nothing_runs(page: Page) -> None:
    await show(page, states=GONE)
    await page.evaluate("refuse('Your agent cannot be reached: unplug the car.')")
    await page.evaluate("press('button.stop')")
    assert "unplug the car" in await page.evaluate("shown()")
    assert "unplug the car" in await show(page, states=a_deal())
    assert "unplug the car" not in await show(page)


async def test_out_of_sight_nobody_says_that_there_is_no_offer(page: Page) -> None:
    assert "No offer right now." in await show(page)
    dark = await show(page, states=GONE)
    assert "No connection to your agent." in dark
    assert "No offer right now." not in dark
    assert "Stop discharging" in dark


async def test_a_counter_begins_with_the_price_in_the_unit_that_the_park_pays_in(
    page: Page,
) -> None:
    """What the owner could live with is counted in their money, not in hours of parking."""
    reward = {"price_per_kwh": "0.0500", "currency": "XHOUR"}
    found = {"quoted_energy_wh": 6_000, "counter": {"energy_wh": 5_500, "price_per_kwh": "0.6000"}}
    offer = an_offer(evaluation=found)
    await show(page, offer | {"terms": offer["terms"] | {"reward": reward}})
    await page.evaluate("press('[data-answer=counter]')")
    assert "Price, XHOUR/kWh" in await page.evaluate("shown()")
    asked = "input => input.value"
    assert await page.locator("#counter-price_per_kwh").evaluate(asked) == "0.05"
    assert await page.locator("#counter-energy_kwh").evaluate(asked) == "5.5"
    # In money the better price stands there.
    await show(page, offer | {"revision": 2})
    await page.evaluate("press('[data-answer=counter]')")
    assert await page.locator("#counter-price_per_kwh").evaluate(asked) == "1.2"
    reward = {"price_per_kwh": "0.5000", "currency": "CNY"}
    await show(page, offer | {"revision": 3, "terms": offer["terms"] | {"reward": reward}})
    await page.evaluate("press('[data-answer=counter]')")
    assert await page.locator("#counter-price_per_kwh").evaluate(asked) == "0.6"


async def test_nothing_is_asked_while_home_assistant_is_still_loading_us(page: Page) -> None:
    """Each dashboard that was open wrote errors into the log at every start."""
    keys = ("sensor.open_offers", "event.offers", "binary_sensor.stream")
    away = {key: {"state": "unavailable"} for key in keys}
    off = {"binary_sensor.stream": {"state": "off"}}
    await show(page, an_offer(), states=GONE | away)
    await show(page, an_offer(), states=GONE | away | {"sensor.open_offers": {"state": "1"}})
    await show(page, an_offer(), states=off)
    assert await page.evaluate("asks") == 0
    assert "East Gate Park" in await show(page, an_offer())
    assert await page.evaluate("asks") == 1
    # Without one the offer is shown all the same.
    await show(page, states=GONE | away)
    await show(page, an_offer(), states=off)
    await page.wait_for_function("shown().includes('East Gate Park')")


async def test_an_offer_that_is_only_out_of_sight_is_not_said_to_be_closed(page: Page) -> None:
    """Who listens must not take a lost connection for a no."""
    await show(page, an_offer())
    assert "New offer" in await page.evaluate("spoken()")
    unseen = GONE | {"sensor.open_offers": {"state": "unavailable"}}
    assert "East Gate Park" not in await show(page, states=unseen)
    assert "The offer is closed." not in await page.evaluate("spoken()")
    await show(page, an_offer())
    await show(page)
    assert await page.evaluate("spoken()") == "The offer is closed."


@pytest.mark.parametrize(
    ("power_w", "told"),
    [(-7_000, "7.0 kW"), (0, "0.0 kW"), (3_000, "0.0 kW"), (None, "\N{EN DASH}")],
)
async def test_power_into_the_car_is_not_told_as_power_out_of_it(
    page: Page, power_w: int | None, told: str
) -> None:
    await show(page, states=a_deal(power_w=power_w))
    assert await page.locator('[data-figure="power"]').inner_text() == told


async def test_a_price_stands_there_with_all_its_digits(page: Page) -> None:
    """Rounded up it would be a promise of the park that the park has not made."""
    reward = {"price_per_kwh": "0.123456", "currency": "USD"}
    offer = an_offer()
    shown = await show(page, offer | {"terms": offer["terms"] | {"reward": reward}})
    assert "0.123456 USD/kWh" in shown


async def test_a_line_that_says_nothing_takes_no_room(page: Page) -> None:
    """Between costs and battery was a gap twice as wide, where a long lease would be told of."""
    await show(page, an_offer())
    shown = await page.evaluate(
        """() => [...document.querySelector("v2g-owner-card").shadowRoot.querySelectorAll(
          "section p:empty:not([role])")].map(line => getComputedStyle(line).display)"""
    )
    assert set(shown) == {"none"}


async def test_a_card_of_a_car_that_is_gone_does_not_deny_the_account(page: Page) -> None:
    """Nobody pairs anew because a car was unlinked."""
    await show(page)
    await page.evaluate("choose('car_of_old')")
    gone = await show(page)
    assert "No V2G Owner account was found." not in gone
    assert "choose another" in gone
    await page.evaluate("choose('car')")
    assert "No offer right now." in await show(page)
