"""What the card decides to show, asked of its own modules in a real Chromium without a home.

Two cars, lost links and second deals come in any order; here each is one set of states.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

from playwright.async_api import Page, Route
import pytest
import pytest_asyncio

from custom_components.v2g_owner.card import FOLDER
from custom_components.v2g_owner.money import in_words
from script.demo_lib.browser import running_browser
from tests.told_times import NOW, TOLD, ZONE, there

pytestmark = [
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
    # All beside what they share, however many run at once.
    pytest.mark.xdist_group("card_view"),
]

ADDRESS: Final = "http://card.test"
NOW_MS: Final = 1_800_000_000_000
CARS: Final = ("car_a", "car_b")
# Runs one scene: states in, presses of Stop on the way, the last view out.
_PLAY: Final = """
async ({ address, deals, only, stream, presses, now }) => {
  const { viewOf } = await import(`${address}/view.js`);
  const stops = await import(`${address}/stops.js`);
  const { wordsFor } = await import(`${address}/words.js`);
  const car = id => ({ id, deviceId: id, name: id, entities: {} });
  const vehicles = ["car_a", "car_b"].map(car);
  const entities = { "sensor.deal_state": "deal", "binary_sensor.stream": "stream" };
  const account = { hub: { entities }, vehicles, only: only ? car(only) : null };
  const see = (seen, pressed, at) => {
    const known = { state: seen ? "active" : "unavailable", attributes: { deals: seen ?? [] } };
    const states = { deal: known, stream: { state: stream, attributes: {} } };
    return viewOf({ states }, account, [], pressed, at);
  };
  let pressed = { stops: {} };
  for (const [at, seen] of presses) {
    pressed = { stops: stops.pressFor(see(seen, pressed, at).running, at) };
  }
  pressed = { stops: stops.pressesLeft(pressed.stops, see(deals, pressed, now)) };
  const view = see(deals, pressed, now);
  const more = ["en", "zh-CN", "zh-TW"].map(language =>
    wordsFor(language)("more_deals", { count: view.live?.more ?? 0 }));
  return { ...view, more };
}
"""
# Paints an offer or a deal as the card does and returns what stands there, and what is read aloud.
_PAINT: Final = """
async ({ address, language, zone, now, cars, only, offer, deal, ended, told, paid }) => {
  const { viewOf } = await import(`${address}/view.js`);
  const { wordsFor } = await import(`${address}/words.js`);
  const { formatsFor } = await import(`${address}/format.js`);
  const { OfferPart } = await import(`${address}/offer-part.js`);
  const { DealPart } = await import(`${address}/deal-part.js`);
  const { ResultPart } = await import(`${address}/result-part.js`);
  const { Announcer } = await import(`${address}/announcer.js`);
  const entities = {
    "sensor.deal_state": "deal", "event.deals": "deals", "event.rewards": "rewards",
  };
  const vehicles = cars.map(id => ({ id, deviceId: id, name: `Name of ${id}`, entities: {} }));
  const states = {
    deal: { state: "none", attributes: { deals: deal ? [deal] : [], last_deals: ended ?? [] } },
    deals: { state: "", attributes: told ?? {} },
    rewards: { state: "", attributes: paid ?? {} },
  };
  const hass = {
    states, language, config: { time_zone: zone },
    locale: { language, time_format: "24", time_zone: "local" },
    formatEntityState: (_entity, state) => state,
  };
  const account = { hub: { entities }, vehicles, only: vehicles.find(({ id }) => id === only) };
  const view = viewOf(hass, account, offer ? [offer] : [], { stops: {} }, now);
  const words = wordsFor(language), formats = formatsFor(hass, now);
  const parts = [new OfferPart(() => {}), new DealPart(() => {}), new ResultPart()];
  const announcer = new Announcer();
  parts[0].paint(view.offer, words, formats);
  parts[1].paint(view, words, formats, hass);
  const texts = { ended: "completed", reward: view.result?.reward };
  const sentence = parts[2].paint(view.result, words, formats, texts);
  announcer.announce(view, sentence, words, formats, hass);
  const said = announcer.node.textContent;
  window.steps = parts[2].node.querySelector("ol").hidden;
  return [...parts.map(({ node }) => [...node.querySelectorAll("div, h2, p")]
    .map(each => each.textContent).join("\\n")), said, sentence];
}
"""

# Tells whether the result that was painted last shows how far a stop came.
_STEPS: Final = "() => !window.steps"

# Writes one amount in each of many currencies.
_MONEY: Final = """
async ({ address, minor, currencies }) => {
  const { formatsFor } = await import(`${address}/format.js`);
  const { money } = formatsFor({ language: "en", locale: { number_format: "none" } }, 0);
  return currencies.map(each => money(minor, each));
}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page() -> AsyncIterator[Page]:
    """Serve the card's modules to an empty page."""

    async def serve(route: Route) -> None:
        name = route.request.url.removeprefix(f"{ADDRESS}/")
        if name == "empty":
            await route.fulfill(body="<!doctype html>", content_type="text/html")
        else:
            await route.fulfill(path=FOLDER / name, content_type="text/javascript")

    async with running_browser() as browser:
        # Somebody on a journey, with the owner's home far behind.
        opened = await browser.new_page(timezone_id="America/Los_Angeles")
        await opened.route(f"{ADDRESS}/**", serve)
        await opened.goto(f"{ADDRESS}/empty")
        yield opened


def deal(car: str, **facts: Any) -> dict[str, Any]:
    """Return a deal of one car as the account's sensor lists it."""
    return {
        "commitment_id": f"com_{car}",
        "vehicle_id": car,
        "park": "East Gate Park",
        "state": "active",
        "delivered_wh": 500,
        "power_w": -7_000,
        "earned_minor": 60,
        "currency": "CNY",
    } | facts


async def play(
    page: Page,
    *deals: dict[str, Any],
    only: str | None = None,
    presses: list[tuple[int, list[dict[str, Any]] | None]] | None = None,
    now: int = NOW_MS,
    gone: bool = False,
) -> Any:
    """Return what a card shows; ``presses`` are presses of Stop, each with what was seen then."""
    scene = {
        "address": ADDRESS,
        "deals": None if gone else list(deals),
        "only": only,
        "stream": "on",
        "presses": presses or [],
        "now": now,
    }
    return await page.evaluate(_PLAY, scene)


async def test_a_card_of_one_car_shows_nothing_of_the_other_cars_deal(page: Page) -> None:
    view = await play(page, deal("car_a"), only="car_b")
    assert view["live"] is None
    assert view["stoppable"] is False
    assert [car["id"] for car in view["idle"]] == ["car_b"]


@pytest.mark.parametrize("car", CARS)
async def test_while_two_cars_deliver_the_card_of_each_shows_its_own_figures(
    page: Page, car: str
) -> None:
    both = deal("car_a"), deal("car_b", delivered_wh=900, earned_minor=110, power_w=-3_000)
    live = (await play(page, *both, only=car))["live"]
    (own,) = (each for each in both if each["vehicle_id"] == car)
    shown = live["deliveredWh"], live["earnedMinor"], live["powerW"], live["car"]
    assert shown == (own["delivered_wh"], own["earned_minor"], own["power_w"], car)
    assert live["more"] == 0


async def test_the_card_of_an_account_says_how_many_more_deals_its_stop_would_end(
    page: Page,
) -> None:
    view = await play(page, deal("car_a"), deal("car_b"))
    assert view["live"]["car"] == "car_a"
    assert view["running"] == ["com_car_a", "com_car_b"]
    assert view["live"]["more"] == 1
    assert all("1" in text for text in view["more"])
    assert len(set(view["more"])) == 3


async def test_promise_4_a_stop_of_one_deal_tells_nobody_to_unplug_for_the_next(
    page: Page,
) -> None:
    pressed = [(NOW_MS - 60_000, [deal("car_a")])]
    stop = (await play(page, deal("car_b"), presses=pressed))["live"]["stop"]
    assert not stop["pressed"]
    assert not stop["unplug"]


@pytest.mark.parametrize(("waited_ms", "unplug"), [(4_900, False), (5_000, True)])
async def test_promise_4_a_stop_without_a_word_for_five_seconds_tells_to_unplug(
    page: Page,
    waited_ms: int,
    unplug: bool,  # noqa: FBT001 - a case
) -> None:
    pressed = [(NOW_MS - waited_ms, [deal("car_a"), deal("car_b")])]
    both = deal("car_a"), deal("car_b", stop_confirmed_at="2026-11-29T10:00:00Z")
    assert (await play(page, *both, presses=pressed))["stop"]["unplug"] is unplug
    # A deal whose stop is confirmed needs no hand.
    theirs = await play(page, *both, presses=pressed, only="car_b")
    assert not theirs["stop"]["unplug"]
    # Unless the meter runs on all the same.
    belied = deal(
        "car_b",
        stop_requested_at="2026-11-29T09:59:59Z",
        stop_confirmed_at="2026-11-29T10:00:00Z",
        unplug_hint=True,
    )
    assert (await play(page, belied, only="car_b"))["stop"]["unplug"] is True


async def test_promise_4_a_press_in_the_dark_counts_for_what_runs_when_the_light_is_back(
    page: Page,
) -> None:
    pressed: list[tuple[int, list[dict[str, Any]] | None]] = [(NOW_MS - 9_000, None)]
    dark = await play(page, gone=True, presses=pressed)
    assert dark["live"] is None
    assert dark["stoppable"] is True
    assert dark["stop"] == {"pressed": True, "unplug": True}
    assert (await play(page, deal("car_a"), presses=pressed))["stop"]["unplug"] is True


def an_offer(start: datetime, end: datetime, car: str = "car_a") -> dict[str, Any]:
    """Return an open offer as the action lists it."""
    reward = {"price_per_kwh": "1.2000", "currency": "CNY"}
    times = {"start_at": start.isoformat(), "end_at": end.isoformat()}
    return {
        "offer_id": "off_1",
        "revision": 1,
        "state": "presented",
        "vehicle_id": car,
        "vehicle_name": "Blue car",
        "respond_by": NOW.replace(hour=16).isoformat(),
        "park": {"display_name": "East Gate Park"},
        "terms": {"requested_energy_wh": 6_000, "min_energy_wh": 1_000, "reward": reward} | times,
    }


async def paint(
    page: Page, *, language: str = "en", cars: tuple[str, ...] = ("car_a",), **shown: Any
) -> list[str]:
    """Return what the offer, the deal and the result say, what is announced and what is told."""
    scene = {"address": ADDRESS, "language": language, "zone": ZONE, "cars": list(cars)}
    now = int(NOW.timestamp() * 1_000)
    return list(await page.evaluate(_PAINT, scene | {"now": now} | shown))


@pytest.mark.parametrize("language", ["en", "zh-Hans", "zh-Hant"])
@pytest.mark.parametrize("case", TOLD)
async def test_promise_1_an_offer_names_its_day_as_the_phone_does_in_the_homes_time_zone(
    page: Page, case: str, language: str
) -> None:
    start, end, english, chinese = TOLD[case]
    told = english if language == "en" else chinese
    offer, _, _, announced, _ = await paint(page, language=language, offer=an_offer(start, end))
    assert f"1.2 CNY/kWh · {told}" in offer.splitlines()
    assert told in announced


@pytest.mark.parametrize(
    ("language", "why", "told"),
    [
        ("en", "person_asked_for_more", "better terms"),
        ("zh-Hans", "person_asked_for_more", "更好的条件"),
        ("zh-Hant", "person_asked_for_more", "更好的條件"),
        ("en", "limits_unconfirmed", "those of a backup"),
        ("zh-Hans", "limits_unconfirmed", "来自备份"),
        ("zh-Hant", "limits_unconfirmed", "來自備份"),
        ("en", "person_declined", "You declined"),
        ("zh-Hans", "person_declined", "拒绝过"),
        ("zh-Hant", "person_declined", "拒絕過"),
    ],
)
async def test_promise_8_an_offer_below_what_a_person_asked_for_says_why_it_waits(
    page: Page, language: str, why: str, told: str
) -> None:
    offer = an_offer(there(1, 23, 5), there(1, 23, 50))
    assert told not in (await paint(page, language=language, offer=offer))[0]
    offer["state_reason"] = why
    assert told in (await paint(page, language=language, offer=offer))[0]
    # What a newer agent may say has no words here.
    offer["state_reason"] = "moon_phase"
    assert "moon_phase" not in (await paint(page, language=language, offer=offer))[0]


async def test_promise_1_an_offer_names_its_car_where_there_are_several(page: Page) -> None:
    offer = an_offer(there(1, 23, 5), there(1, 23, 50))
    painted, _, _, announced, _ = await paint(page, cars=CARS, offer=offer)
    assert "Offer · Name of car_a" in painted.splitlines()
    assert announced.startswith("New offer for Name of car_a: East Gate Park asks for 6.0 kWh")
    painted, _, _, announced, _ = await paint(page, offer=offer)
    assert "Offer" in painted.splitlines(), "there is no other"
    assert announced.startswith("New offer: East Gate Park asks for 6.0 kWh")


async def test_promise_1_an_offer_for_a_car_that_is_not_linked_here_names_it_too(
    page: Page,
) -> None:
    offer = an_offer(there(1, 23, 5), there(1, 23, 50), car="car_c")
    painted = (await paint(page, offer=offer))[0]
    assert "Offer · Blue car" in painted.splitlines()


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "a stop may take up to 15 minutes."),
        ("zh-Hans", "停止最多可能需要 15 分钟。"),
        ("zh-Hant", "停止最多可能需要 15 分鐘。"),
    ],
)
async def test_promise_4_an_offer_says_before_the_yes_that_a_stop_may_take_longer(
    page: Page, language: str, told: str
) -> None:
    offer = an_offer(there(1, 23, 5), there(1, 23, 50))
    for lease_s, shown in ((60, False), (120, False), (850, True)):
        offer["terms"]["lease_s"] = lease_s
        painted, _, _, announced, _ = await paint(page, language=language, offer=offer)
        assert (told in painted) is shown, lease_s
        assert (told in announced) is shown, lease_s


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("scheduled", "takes 6.0 kWh from Friday 23:30 to Saturday 00:30."),
        ("active", "takes 6.0 kWh until Saturday 00:30."),
    ],
)
async def test_a_deal_names_its_day(page: Page, state: str, told: str) -> None:
    times = {"start_at": there(4, 23, 30).isoformat(), "end_at": there(5, 0, 30).isoformat()}
    shown = deal("car_a", state=state, committed_energy_wh=6_000, **times)
    assert f"East Gate Park {told}" in (await paint(page, deal=shown))[1].splitlines()


async def test_the_last_deal_names_its_car_where_there_are_several(page: Page) -> None:
    ended = deal("car_b", state="completed")
    _, _, result, _, told = await paint(page, cars=CARS, ended=[ended])
    assert "Last deal · Name of car_b" in result.splitlines()
    assert told.startswith("Name of car_b: 0.5 kWh delivered to East Gate Park.")


@pytest.mark.parametrize(
    ("state", "early", "asked"),
    [("completed", False, False), ("curtailed", True, False), ("revoked", True, True)],
)
async def test_only_what_the_owner_stopped_is_said_to_have_been_stopped(
    page: Page,
    state: str,
    early: bool,  # noqa: FBT001 - a case
    asked: bool,  # noqa: FBT001
) -> None:
    """Each deal's charger is told to stop at its end: a completed one stood there as *Asked*."""
    stop = ("stop_requested_at", "stop_confirmed_at", "stopped_at")
    over = deal("car_a", state=state, **dict.fromkeys(stop, "2026-11-29T10:00:00Z"))
    _, _, result, _, _ = await paint(page, ended=[over])
    assert ("What was delivered is paid." in result) is early
    assert await page.evaluate(_STEPS) is asked
    times = {"start_at": there(4, 23, 30).isoformat(), "end_at": there(5, 0, 30).isoformat()}
    _, _, _, announced, _ = await paint(page, deal=over | times)
    assert ("Stopped" in announced) is asked


async def test_money_has_the_digits_of_its_currency_in_the_card_as_everywhere(page: Page) -> None:
    """A dinar has a thousand fils: with two digits it would be ten dinars."""
    currencies = [
        *("CNY", "EUR", "JPY", "KWD", "BHD", "OMR", "TND", "UGX", "XAF", "XPF", "CLF"),
        *("XCD", "XCG", "XPOINT", "XHOURS"),
    ]
    scene = {"address": ADDRESS, "minor": 12_345, "currencies": currencies}
    shown = await page.evaluate(_MONEY, scene)
    assert shown == [in_words(12_345, currency) for currency in currencies]


async def test_what_an_offer_in_points_leaves_is_money_in_the_card(page: Page) -> None:
    offer = an_offer(there(1, 23, 5), there(1, 23, 50))
    offer["terms"]["reward"] = {"price_per_kwh": "12.0000", "currency": "XPOINT"}
    lines = {"gross_minor": 720, "refill_minor": 192, "losses_minor": 29, "wear_minor": 84}
    offer |= {"net_currency": "CNY", "evaluation": {"net_minor": 415, "breakdown": lines}}
    painted, _, _, announced, _ = await paint(page, offer=offer)
    assert "12 XPOINT/kWh" in painted
    assert "7.20 CNY paid, less 1.92 CNY to recharge" in painted
    assert "You keep 4.15 CNY." in announced


async def test_what_a_deal_in_points_leaves_is_money_in_the_card(page: Page) -> None:
    worth = {"amount_minor": 6, "currency": "XPOINT", "net_minor": -23, "net_currency": "CNY"}
    ended = deal("car_a", state="completed", reward="settlement_provisional", **worth)
    result, told = (await paint(page, ended=[ended]))[2::2]
    assert "You keep -0.23 CNY after recharging" in result
    assert told.endswith("6 XPOINT")


@pytest.mark.parametrize(
    ("only", "told"),
    [
        (None, "Name of car_b: 0.9 kWh delivered to East Gate Park. Waiting for the settlement"),
        ("car_a", "Name of car_a: 0.5 kWh delivered to East Gate Park. reward_paid: 0.60 CNY"),
    ],
)
async def test_the_card_of_a_car_shows_its_own_last_deal_whatever_the_other_car_did_since(
    page: Page, only: str | None, told: str
) -> None:
    newest = deal("car_b", state="completed", delivered_wh=900)
    earlier = deal("car_a", state="completed", amount_minor=60, reward="reward_paid")
    # Of what is told the newest counts: the money of one car's deal, then the other's end.
    paid = {"commitment_id": "com_car_a", "event_type": "reward_paid", "amount_minor": 60}
    shown = {"ended": [newest, earlier], "told": newest, "paid": paid}
    assert (await paint(page, cars=CARS, only=only, **shown))[-1] == told


async def test_a_deal_stays_settled_in_the_card_when_an_earlier_one_is_paid(page: Page) -> None:
    ended = deal("car_a", state="completed", amount_minor=60, reward="reward_confirmed")
    paid = {"commitment_id": "com_of_monday", "event_type": "reward_paid", "amount_minor": 45}
    shown = {"ended": [ended], "told": ended, "paid": paid}
    told = (await paint(page, **shown))[-1]
    assert told == "0.5 kWh delivered to East Gate Park. reward_confirmed: 0.60 CNY"


async def test_a_last_deal_of_long_ago_is_shown_as_it_was_last_told(page: Page) -> None:
    """The API tells a week of deals."""
    ended = deal("car_a", state="completed")
    paid = {"commitment_id": "com_car_a", "event_type": "reward_paid", "owed_minor": 60}
    told = (await paint(page, told=ended, paid=paid | {"owed_currency": "CNY"}))[-1]
    assert told.endswith("reward_paid: 0.60 CNY")
    paid["commitment_id"] = "com_of_monday"
    assert not (await paint(page, told=ended, paid=paid))[-1]


async def test_the_last_deal_shows_what_all_its_payers_owe_whoever_of_them_paid_last(
    page: Page,
) -> None:
    ended = deal("car_a", state="completed")
    reward = {
        "commitment_id": ended["commitment_id"],
        "event_type": "reward_paid",
        "amount_minor": 5,
        "currency": "XPOINT",
        "owed_minor": 60,
        "owed_currency": "CNY",
        "net_minor": 42,
        "net_currency": "CNY",
    }
    result = (await paint(page, told=ended, paid=reward))[2]
    assert "0.60 CNY" in result
    assert "0.42 CNY" in result
    assert "XPOINT" not in result
