"""What charging costs, from price sensors of every form to the API."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from homeassistant.core import HomeAssistant, ServiceCall, State, SupportsResponse
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from hypothesis import given, strategies as st
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.v2g_owner.api_errors import OwnerApiConnectionError
from custom_components.v2g_owner.const import DOMAIN
from custom_components.v2g_owner.price_forms import from_now, read_lists, read_state
from custom_components.v2g_owner.price_reporter import REPORT_INTERVAL, price_entries
from custom_components.v2g_owner.price_source import PriceSource
from custom_components.v2g_owner.price_units import UnreadablePricesError, per_kwh

from .conftest import Home, car_says, until
from .entries import paired_entry, vehicle_subentry
from .owner_world import OwnerWorld
from .prices import PRICE, tell, told_prices, until_told

# More than --fast has time for.
pytestmark = pytest.mark.slow

NOON = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
ONE, TWO = NOON + timedelta(hours=1), NOON + timedelta(hours=2)
PRICES = {NOON: Decimal("0.25"), ONE: Decimal("0.31"), TWO: Decimal("-0.02")}


@pytest.mark.parametrize(
    ("unit", "currency", "factor"),
    [
        ("EUR/kWh", "EUR", "1"),
        ("€/kWh", "EUR", "1"),
        ("ct/kWh", "EUR", "0.01"),
        ("Cent/kWh", "EUR", "0.01"),
        ("EUR/MWh", "EUR", "0.001"),
        ("€/MWh", "EUR", "0.001"),
        ("öre/kWh", "SEK", "0.01"),
        ("p/kWh", "GBP", "0.01"),
        ("kr/kWh", "DKK", "1"),
        ("kr./kWh", "DKK", "1"),
        ("元/kWh", "CNY", "1"),
        ("分/kWh", "CNY", "0.01"),
        ("CNY/Wh", "CNY", "1000"),
        ("EUR", "EUR", "1"),
        (None, "CNY", "1"),
        ("XPT/kWh", "XPT", "1"),
    ],
)
def test_units_of_price_sensors_become_the_owners_currency_per_kwh(
    unit: str | None, currency: str, factor: str
) -> None:
    """A factor of a hundred or a thousand off would ruin every quote."""
    assert per_kwh(unit, currency) == Decimal(factor)


@pytest.mark.parametrize(
    ("unit", "problem"),
    [
        ("USD/kWh", "prices_currency"),
        ("€/kWh", "prices_currency"),
        ("kr/kWh", "prices_currency"),
        ("EUR/MWh", "prices_currency"),
        ("CNY/m³", "prices_unit"),
        ("kWh", "prices_unit"),
        ("%", "prices_unit"),
        ("W", "prices_unit"),
    ],
)
def test_another_currency_or_no_price_at_all_is_refused(unit: str, problem: str) -> None:
    """Nothing is exchanged, and nothing guessed."""
    with pytest.raises(UnreadablePricesError) as refused:
        per_kwh(unit, "CNY")
    assert refused.value.problem == problem
    assert refused.value.told == unit


def _items(start: str, value: str, factor: float = 1, *, text: bool = True) -> list[Any]:
    """Return the prices as one integration's list."""
    return [
        {start: at.isoformat() if text else at, value: float(price) * factor}
        for at, price in PRICES.items()
    ]


FORMS: dict[str, tuple[dict[str, Any], str]] = {
    "nord pool": (
        {
            "raw_today": _items("start", "value", text=False)[:2],
            "raw_tomorrow": _items("start", "value", text=False)[2:],
            "today": [0.25, 0.31],
        },
        "EUR/kWh",
    ),
    "energi data service": (
        {
            "raw_today": _items("hour", "price", text=False),
            "raw_tomorrow": None,
            "forecast": [{"hour": ONE, "price": 9.9}],
        },
        "EUR/kWh",
    ),
    "epex spot": ({"data": _items("start_time", "price_per_kwh")}, "€/kWh"),
    "epex spot, older": (
        {
            "data": [
                {
                    "start_time": at.isoformat(),
                    "end_time": (at + timedelta(hours=1)).isoformat(),
                    "price_eur_per_mwh": float(price) * 1000,
                    "price_ct_per_kwh": float(price) * 100,
                }
                for at, price in PRICES.items()
            ]
        },
        "EUR/MWh",
    ),
    "entso-e": ({"prices": _items("time", "price"), "prices_today": []}, "EUR/kWh"),
    "cents": ({"prices": _items("from", "price", 100)}, "ct/kWh"),
    "megawatt hours": ({"forecast": _items("datetime", "value", 1000)}, "EUR/MWh"),
    "octopus": ({"rates": _items("start", "value_inc_vat")}, "EUR/kWh"),
    "local times": (
        {
            "prices": [
                {"start": at.astimezone().replace(tzinfo=None).isoformat(), "price": str(price)}
                for at, price in PRICES.items()
            ]
        },
        "EUR/kWh",
    ),
}


@pytest.mark.parametrize("form", FORMS)
async def test_each_form_of_a_price_list_is_read_alike(form: str, hass: HomeAssistant) -> None:
    """The same three hours, as each integration writes them."""
    await hass.config.async_set_time_zone(str(datetime.now().astimezone().tzname()))
    attributes, unit = FORMS[form]
    found = read_lists(attributes, unit, "EUR")
    assert {at: round(price, 6) for at, price in found.items()} == PRICES


def test_what_tells_no_price_is_left_out() -> None:
    """Half a list is better than none; a made-up price is worse than either."""
    odd = [
        {"start": NOON, "value": None},
        {"start": NOON, "value": True},
        {"start": "soon", "value": 1},
        {"value": 1},
        {"start": ONE, "value": float("nan")},
        {"start": ONE, "value": "cheap"},
        "0.3",
        {"start": TWO, "value": 0.5},
    ]
    lists = {"prices": odd, "cheapest_hours": [{"start": ONE, "value": 0.1}], "data": "none"}
    assert read_lists(lists, "EUR/kWh", "EUR") == {TWO: Decimal("0.5")}


@given(
    hours=st.sets(st.integers(-100, 900), max_size=200),
    minute=st.integers(0, 59),
)
def test_what_is_told_begins_with_the_price_that_holds_now(hours: set[int], minute: int) -> None:
    """One price at or before now where there is one, everything after it, nothing long past."""
    now = NOON + timedelta(minutes=minute)
    prices = {NOON + timedelta(hours=hour): Decimal(hour) for hour in hours}
    kept = from_now(prices, now)
    assert len(kept) <= 800, "the API takes no more"
    assert list(kept) == sorted(kept)
    past = [at for at in kept if at <= now]
    assert len(past) <= 1
    if past:
        assert past[0] == max(at for at in prices if at <= now)
    later = sorted(at for at in prices if at > now)
    assert [at for at in kept if at > now] == later[: len(kept) - len(past)]
    if not later and prices:
        assert bool(kept) == (max(prices) + timedelta(hours=1) > now)


def test_a_bare_price_holds_for_the_hour_and_the_api_hears_it_as_text() -> None:
    """A sensor without a list is told hour by hour, rounded up in the last digit."""
    state = State(PRICE, "12.34567", {"unit_of_measurement": "ct/kWh"})
    found = read_state(state, "EUR", NOON + timedelta(minutes=40))
    assert found == {NOON: Decimal("0.1234567")}
    told = {"start_at": "2026-12-01T12:00:00Z", "price_per_kwh": "0.123457"}
    assert price_entries(found) == [told]
    assert read_state(State(PRICE, "unknown"), "EUR", NOON) == {}


class Market:
    """A price integration of Home Assistant's own, which answers when it is asked."""

    def __init__(self, hass: HomeAssistant, domain: str, action: str, unique_id: str) -> None:
        """Register the sensor and the action."""
        self.asked: list[dict[str, Any]] = []
        self.answer: Any = {}
        entry = MockConfigEntry(domain=domain)
        entry.add_to_hass(hass)
        self.entry_id = entry.entry_id
        self.sensor = (
            er.async_get(hass)
            .async_get_or_create("sensor", domain, unique_id, config_entry=entry)
            .entity_id
        )

        async def answer(call: ServiceCall) -> Any:
            self.asked.append(dict(call.data))
            if len(self.asked) % 2 == 0:
                raise ServiceValidationError("tomorrow is not out yet")
            return self.answer

        hass.services.async_register(
            domain, action, answer, supports_response=SupportsResponse.ONLY
        )


@pytest.mark.parametrize(
    ("domain", "action", "answer", "unit"),
    [
        (
            "nordpool",
            "get_prices_for_date",
            {"SE4": [], "SE3": _items("start", "price", 1000)},
            "EUR/kWh",
        ),
        ("tibber", "get_prices", {"prices": {"Home": _items("start_time", "price")}}, "EUR/kWh"),
        ("energyzero", "get_energy_prices", {"prices": _items("timestamp", "price")}, "€/kWh"),
        ("easyenergy", "get_energy_usage_prices", {"prices": _items("start", "price")}, "€/kWh"),
    ],
)
async def test_an_integration_that_answers_instead_of_listing_is_asked_at_most_once_an_hour(
    domain: str, action: str, answer: Any, unit: str, hass: HomeAssistant
) -> None:
    """Core's own price integrations keep the coming hours behind an action."""
    market = Market(hass, domain, action, "SE3-current_price")
    market.answer = answer
    hass.states.async_set(market.sensor, "0.25", {"unit_of_measurement": unit})
    source = PriceSource(hass, market.sensor)
    found = await source.async_read(NOON, "EUR")
    assert {at: round(price, 6) for at, price in found.items()} == PRICES
    assert len(market.asked) == 2, "today and tomorrow"
    assert market.asked[0].get("config_entry") in {market.entry_id, None}
    await source.async_read(NOON + timedelta(minutes=59), "EUR")
    assert len(market.asked) == 2
    await source.async_read(ONE, "EUR")
    assert len(market.asked) == 4


async def test_prices_of_two_homes_are_not_mixed_up(hass: HomeAssistant) -> None:
    """Which home the sensor belongs to cannot be told: only its own state counts."""
    market = Market(hass, "tibber", "get_prices", "id")
    market.answer = {"prices": {"Home": _items("start_time", "price"), "Cabin": []}}
    hass.states.async_set(market.sensor, "0.40", {"unit_of_measurement": "EUR/kWh"})
    assert await PriceSource(hass, market.sensor).async_read(NOON, "EUR") == {NOON: Decimal("0.40")}


@pytest.fixture
async def priced_home(hass: HomeAssistant, world: OwnerWorld, vehicle_id: str) -> Home:
    """Set up a home whose vehicle has a price sensor that knows three hours."""
    car_says(hass, 80)
    tell(hass, 0.9, 1.1, 1.0)
    mapped = vehicle_subentry(vehicle_id, price_entity=PRICE)
    entry = await paired_entry(hass, world, [mapped])
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return Home(hass, entry)


async def test_a_price_sensor_reaches_the_api_and_the_hours_it_does_not_know_are_marked(
    priced_home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Prices come late: beyond the last one the dearest stands in, and the owner sees from when."""
    await until_told(world, vehicle_id, "0.900000", "1.100000", "1.000000")
    last = datetime.fromisoformat((await told_prices(world, vehicle_id))[-1][0] + "+00:00")
    await priced_home.reaches("sensor", vehicle_id, "soc", "80.0")
    await world.phone.patch(
        f"/v1/vehicles/{vehicle_id}/preferences", {"later_refill_price_per_kwh": None}
    )
    session_id = await world.plug_in(await world.join(vehicle_id))
    reward = {"kind": "cash", "currency": "CNY", "price_per_kwh": "5.0000"}
    await world.offer(session_id, reward=reward)
    await priced_home.reaches("sensor", world.owner_id, "open_offers", "1")
    net = priced_home.state("sensor", world.owner_id, "next_offer_net")
    assumed = datetime.fromisoformat(net.attributes["prices_assumed_from"])
    assert assumed == last + timedelta(hours=1)


async def test_new_prices_are_told_and_the_same_ones_are_not_told_again(
    priced_home: Home,
    world: OwnerWorld,
    vehicle_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At most four times an hour, and only what the API does not know yet."""
    hass, api = priced_home.hass, priced_home.entry.runtime_data.coordinator.api
    await until_told(world, vehicle_id, "0.900000", "1.100000", "1.000000")
    # The API has them a moment before its answer is here.
    telling = f"prices of {PRICE}"
    await until(lambda: telling not in {each.get_name() for each in asyncio.all_tasks()})
    real, bodies = api.post, []

    async def post(path: str, body: Any) -> Any:
        if path.endswith("/prices"):
            bodies.append(body)
        return await real(path, body)

    monkeypatch.setattr(api, "post", post)
    tell(hass, 0.9, 1.1, 1.3)
    await hass.async_block_till_done()
    assert bodies == [], "told less than a quarter of an hour ago"
    async_fire_time_changed(hass, datetime.now(UTC) + REPORT_INTERVAL)
    await until(lambda: bodies)
    assert [each["price_per_kwh"] for each in bodies[-1]["entries"]][-1] == "1.300000"
    await until_told(world, vehicle_id, "0.900000", "1.100000", "1.300000")
    async_fire_time_changed(hass, datetime.now(UTC) + 2 * REPORT_INTERVAL)
    await hass.async_block_till_done()
    assert len(bodies) == 1


async def test_prices_that_did_not_arrive_are_told_when_the_api_is_back(
    priced_home: Home, world: OwnerWorld, vehicle_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A price lost on the way would cost the owner money."""
    hass, coordinator = priced_home.hass, priced_home.entry.runtime_data.coordinator
    await until_told(world, vehicle_id, "0.900000", "1.100000", "1.000000")
    real = coordinator.api.post
    lost: list[str] = []

    async def away(path: str, body: Any) -> Any:
        if path.endswith("/prices"):
            lost.append(path)
            raise OwnerApiConnectionError("away")
        return await real(path, body)

    monkeypatch.setattr(coordinator.api, "post", away)
    tell(hass, 0.8, 0.7)
    async_fire_time_changed(hass, datetime.now(UTC) + REPORT_INTERVAL)
    await until(lambda: lost)
    await hass.async_block_till_done(wait_background_tasks=False)
    monkeypatch.setattr(coordinator.api, "post", real)
    coordinator.async_update_listeners()
    await until_told(world, vehicle_id, "0.800000", "0.700000")


async def test_a_price_sensor_that_is_deleted_raises_a_repair_that_ends_when_it_is_back(
    hass: HomeAssistant, world: OwnerWorld, priced_home: Home
) -> None:
    """Also one that no registry knows, such as a sensor from YAML."""
    subentry = priced_home.entry.get_subentries_of_type("vehicle")[0]
    issue = (DOMAIN, f"mapped_entity_gone_{subentry.subentry_id}_price_entity")
    registry = ir.async_get(hass)
    assert registry.async_get_issue(*issue) is None
    hass.states.async_remove(PRICE)
    async_fire_time_changed(hass, datetime.now(UTC) + REPORT_INTERVAL)
    found = await until(lambda: registry.async_get_issue(*issue))
    assert found.translation_placeholders == {"entity_id": PRICE, "name": "Blue car"}
    tell(hass, 0.9)
    async_fire_time_changed(hass, datetime.now(UTC) + 2 * REPORT_INTERVAL)
    await until(lambda: registry.async_get_issue(*issue) is None)


async def test_a_registered_price_sensor_is_followed_to_its_new_name(
    hass: HomeAssistant, world: OwnerWorld, vehicle_id: str
) -> None:
    """Renaming is not deleting."""
    registry = er.async_get(hass)
    entity_id = registry.async_get_or_create("sensor", "template", "price").entity_id
    hass.states.async_set(entity_id, "0.5", {"unit_of_measurement": "CNY/kWh"})
    car_says(hass, 80)
    entry = await paired_entry(hass, world, [vehicle_subentry(vehicle_id, price_entity=entity_id)])
    assert await hass.config_entries.async_setup(entry.entry_id)
    registry.async_update_entity(entity_id, new_entity_id="sensor.grid_price")
    await hass.async_block_till_done()
    (subentry,) = entry.get_subentries_of_type("vehicle")
    assert subentry.data["price_entity"] == "sensor.grid_price"
    registry.async_remove("sensor.grid_price")
    issue = (DOMAIN, f"mapped_entity_gone_{subentry.subentry_id}_price_entity")
    await until(lambda: ir.async_get(hass).async_get_issue(*issue))


async def test_prices_in_another_currency_raise_a_repair_and_are_not_told(
    hass: HomeAssistant, world: OwnerWorld, priced_home: Home, vehicle_id: str
) -> None:
    """Euros taken for yuan would make every offer look eight times better."""
    await until_told(world, vehicle_id, "0.900000", "1.100000", "1.000000")
    subentry = priced_home.entry.get_subentries_of_type("vehicle")[0]
    issue = (DOMAIN, f"prices_unreadable_{subentry.subentry_id}")
    tell(hass, 0.1, unit="EUR/kWh")
    async_fire_time_changed(hass, datetime.now(UTC) + REPORT_INTERVAL)
    found = await until(lambda: ir.async_get(hass).async_get_issue(*issue))
    assert found.translation_placeholders is not None
    assert found.translation_placeholders["unit"] == "EUR/kWh"
    assert found.translation_placeholders["currency"] == "CNY"
    assert len(await told_prices(world, vehicle_id)) == 3
    tell(hass, 0.8)
    async_fire_time_changed(hass, datetime.now(UTC) + 2 * REPORT_INTERVAL)
    await until_told(world, vehicle_id, "0.800000")
    assert ir.async_get(hass).async_get_issue(*issue) is None


async def test_a_sensor_that_is_away_takes_nothing_back(
    hass: HomeAssistant, world: OwnerWorld, priced_home: Home, vehicle_id: str
) -> None:
    """What was told goes on counting until it ends; no price is made up."""
    await until_told(world, vehicle_id, "0.900000", "1.100000", "1.000000")
    hass.states.async_set(PRICE, "unavailable")
    async_fire_time_changed(hass, datetime.now(UTC) + REPORT_INTERVAL)
    await hass.async_block_till_done()
    assert len(await told_prices(world, vehicle_id)) == 3
