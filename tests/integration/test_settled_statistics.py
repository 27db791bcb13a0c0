"""Settled energy and rewards in the long-term statistics, at their own hour, once."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
import itertools
from typing import Any

from homeassistant.components.recorder import Recorder, get_instance
from homeassistant.components.recorder.statistics import (
    list_statistic_ids,
    statistics_during_period,
)
from homeassistant.core import Context, HomeAssistant
from homeassistant.util import dt as dt_util
from hypothesis import given, strategies as st
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.v2g_owner.api import OwnerApi
from custom_components.v2g_owner.api_errors import OwnerApiConnectionError, OwnerApiError
from custom_components.v2g_owner.decode import decode
from custom_components.v2g_owner.settled_ledger import SettledDeal, SettledLedger, read_ledger
from custom_components.v2g_owner.settled_statistics import SettledStatistics
from custom_components.v2g_owner.snapshot import StreamEvent

from .conftest import PATIENCE_S, Home, until
from .owner_world import OwnerWorld

# More than --fast has time for.
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def auto_enable_custom_integrations(
    recorder_mock: Recorder, enable_custom_integrations: None
) -> None:
    """Record before anything else is set up, and let Home Assistant find our integration."""


async def kept(hass: HomeAssistant, statistic_id: str) -> list[tuple[datetime, float, float]]:
    """Return (hour, value, sum) of a statistic."""
    recorder = get_instance(hass)
    await recorder.async_add_executor_job(recorder.block_till_done)
    found = await recorder.async_add_executor_job(
        statistics_during_period,
        hass,
        datetime(2020, 1, 1, tzinfo=UTC),
        None,
        {statistic_id},
        "hour",
        None,
        {"state", "sum"},
    )
    return [
        (datetime.fromtimestamp(row["start"], UTC), row["state"], row["sum"])  # type: ignore[misc]
        for row in found.get(statistic_id, [])
    ]


async def written(
    hass: HomeAssistant, statistic_id: str, wanted: list[tuple[datetime, float, float]]
) -> None:
    """Wait until the statistic holds what is wanted."""
    found: list[tuple[datetime, float, float]] = []
    loop = asyncio.get_running_loop()
    enough = loop.time() + PATIENCE_S
    while loop.time() < enough and (found := await kept(hass, statistic_id)) != wanted:  # noqa: ASYNC110 - the recorder tells nobody
        await asyncio.sleep(0.01)
    assert found == wanted


async def deliver(home: Home, world: OwnerWorld, session_id: str, **terms: Any) -> Any:
    """Sell 500 Wh and stop; returns the deal with its settlement."""
    await world.offer(session_id, start_at=world.at(1), end_at=world.at(3_600), **terms)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    answer = await home.act("accept_offer", context=Context(user_id="somebody"))
    commitment_id = answer["answer"]["commitment_id"]
    await world.award(commitment_id)
    world.clock.ahead += timedelta(seconds=2)
    await world.tick()
    await world.meter(session_id, context="begin")
    assert await world.instruct(commitment_id) == 201
    world.exported_wh += 500
    await world.meter(session_id, -7_000)
    await home.act("stop", context=Context(user_id="somebody"))
    await world.park.post(
        f"/v1/park/commitments/{commitment_id}/stop-confirmation", {"confirmed_at": world.at(0)}
    )
    await world.meter(session_id, 0, context="end")
    await world.tick()
    return await world.phone.get(f"/v1/commitments/{commitment_id}")


async def both_confirm(world: OwnerWorld, settlement_id: str) -> None:
    """Make a settlement final before its time to dispute is over."""
    await world.park.post(f"/v1/park/settlements/{settlement_id}/confirmation")
    await world.phone.post(f"/v1/settlements/{settlement_id}/confirmation")


async def test_a_settlement_is_written_at_the_hour_of_delivery_and_a_correction_restates_it(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str
) -> None:
    """Provisional figures are not written; the correction replaces and does not add."""
    hass = home.hass
    energy_id = f"v2g_owner:energy_{vehicle_id}"
    reward_id = f"v2g_owner:reward_{world.owner_id}_cny"
    deal = await deliver(home, world, session_id)
    start = datetime.fromisoformat(deal["start_at"])
    hour = start.replace(minute=0, second=0, microsecond=0)
    assert await kept(hass, energy_id) == []
    # The settlement becomes final long after the hour is over.
    now = world.clock.ahead
    world.clock.ahead += timedelta(hours=5)
    await world.tick()
    # Back to when the tokens of this test are valid.
    world.clock.ahead = now
    await written(hass, energy_id, [(hour, 0.5, 0.5)])
    await written(hass, reward_id, [(hour, 0.6, 0.6)])

    first = deal["settlement"]["settlement_id"]
    corrected = await world.park.post(
        f"/v1/park/settlements/{first}/correction", {"delivered_wh": 400, "reason": "meter"}
    )
    await both_confirm(world, corrected["settlement_id"])
    await written(hass, energy_id, [(hour, 0.4, 0.4)])
    await written(hass, reward_id, [(hour, 0.48, 0.48)])

    recorder = get_instance(hass)
    listed = {
        each["statistic_id"]: each
        for each in await recorder.async_add_executor_job(list_statistic_ids, hass)
    }
    assert listed[energy_id]["statistics_unit_of_measurement"] == "kWh"
    assert listed[energy_id]["name"] == "Blue car Energy discharged"
    assert listed[reward_id]["statistics_unit_of_measurement"] == "CNY"


async def test_the_total_is_that_of_the_statistic_also_where_too_much_was_paid(
    home: Home, world: OwnerWorld, session_id: str
) -> None:
    """0.60 paid and corrected to 0.48: both say what was earned, not what was transferred."""
    deal = await deliver(home, world, session_id)
    first = deal["settlement"]["settlement_id"]
    await both_confirm(world, first)
    path = f"/v1/park/settlements/{first}"
    await world.park.post(f"{path}/payment", {"reference": "BANK-1"})
    await home.reaches("sensor", world.owner_id, "rewards_total", "0.6")
    body = {"delivered_wh": 400, "reason": "meter"}
    second = await world.park.post(f"{path}/correction", body)
    await both_confirm(world, second["settlement_id"])
    hour = datetime.fromisoformat(deal["start_at"]).replace(minute=0, second=0, microsecond=0)
    await written(home.hass, f"v2g_owner:reward_{world.owner_id}_cny", [(hour, 0.48, 0.48)])
    await home.reaches("sensor", world.owner_id, "rewards_total", "0.48")


async def test_each_unit_that_a_deal_of_several_payers_is_paid_in_has_its_statistic(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str
) -> None:
    """Points first, and cash beside them: 5 points and 45 and 15 fen for 500 Wh; credit is none."""
    takes = ["cash", "points", "charging_credit"]
    path = f"/v1/vehicles/{vehicle_id}/preferences"
    await world.phone.patch(path, {"accepted_reward_kinds": takes})
    points = {"kind": "points", "currency": "XPOINT", "price_per_kwh": "10"}
    cash = {"kind": "cash", "currency": "CNY", "price_per_kwh": "0.9"}
    credit = {"kind": "charging_credit", "currency": "CNY", "price_per_kwh": "2"}
    parts = [
        {"payer": "Mall", **points},
        {"payer": "Park", **cash},
        {"payer": "Grid", **cash, "price_per_kwh": "0.3"},
        {"payer": "Park", **credit},
    ]
    deal = await deliver(home, world, session_id, reward={**points, "parts": parts})
    await both_confirm(world, deal["settlement"]["settlement_id"])
    start = datetime.fromisoformat(deal["start_at"])
    hour = start.replace(minute=0, second=0, microsecond=0)
    await written(home.hass, f"v2g_owner:reward_{world.owner_id}_xpoint", [(hour, 5.0, 5.0)])
    await written(home.hass, f"v2g_owner:reward_{world.owner_id}_cny", [(hour, 0.6, 0.6)])


async def test_charging_credit_in_a_unit_of_its_own_has_its_statistic(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str
) -> None:
    """Only credit in money is kept out of the statistic of cash; a unit is counted as points."""
    path = f"/v1/vehicles/{vehicle_id}/preferences"
    await world.phone.patch(path, {"accepted_reward_kinds": ["charging_credit"]})
    credit = {"kind": "charging_credit", "currency": "XKWH", "price_per_kwh": "4"}
    deal = await deliver(home, world, session_id, reward=credit)
    await both_confirm(world, deal["settlement"]["settlement_id"])
    (shown,) = (await world.phone.get("/v1/rewards"))["others"]
    assert (shown["currency"], shown["confirmed_minor"]) == ("XKWH", 2)
    hour = datetime.fromisoformat(deal["start_at"]).replace(minute=0, second=0, microsecond=0)
    await written(home.hass, f"v2g_owner:reward_{world.owner_id}_xkwh", [(hour, 2.0, 2.0)])


async def test_a_restart_writes_nothing_twice_and_catches_up_with_what_it_missed(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str
) -> None:
    """The stream is not replayed over a restart: all deals are looked at again."""
    hass, energy_id = home.hass, f"v2g_owner:energy_{vehicle_id}"
    deal = await deliver(home, world, session_id)
    await until(lambda: home.entry.runtime_data.coordinator.stream_connected)
    await hass.config_entries.async_unload(home.entry.entry_id)
    await both_confirm(world, deal["settlement"]["settlement_id"])
    shown: list[Any] = []
    for _ in range(3):
        await hass.config_entries.async_setup(home.entry.entry_id)
        for _ in range(100):
            if shown := await kept(hass, energy_id):
                break
        await hass.config_entries.async_unload(home.entry.entry_id)
    assert [(value, total) for _, value, total in shown] == [(0.5, 0.5)]


async def test_what_could_not_be_read_is_read_ten_minutes_later(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str
) -> None:
    """Nobody starts Home Assistant for a year, and a deal was missing in it for as long."""
    hass, api = home.hass, home.entry.runtime_data.coordinator.api
    deal = await deliver(home, world, session_id)
    refused: list[str] = []

    async def away(path: str) -> Any:
        refused.append(path)
        raise OwnerApiConnectionError("gone")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "get", away)
        await both_confirm(world, deal["settlement"]["settlement_id"])
        await until(lambda: f"/v1/commitments/{deal['commitment_id']}" in refused)
    start = datetime.fromisoformat(deal["start_at"])
    hour = start.replace(minute=0, second=0, microsecond=0)
    assert await kept(hass, f"v2g_owner:energy_{vehicle_id}") == []
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=10, seconds=1))
    await written(hass, f"v2g_owner:energy_{vehicle_id}", [(hour, 0.5, 0.5)])


async def test_at_a_start_deals_are_read_page_by_page_and_the_final_alone_are_written(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Years of deals are more than one answer, and the newest of them are still provisional."""
    monkeypatch.setattr("custom_components.v2g_owner.pages._MOST_A_PAGE", 1)
    hass, energy_id = home.hass, f"v2g_owner:energy_{vehicle_id}"
    first = await deliver(home, world, session_id)
    second = await deliver(home, world, session_id)
    await until(lambda: home.entry.runtime_data.coordinator.stream_connected)
    await hass.config_entries.async_unload(home.entry.entry_id)
    await both_confirm(world, first["settlement"]["settlement_id"])
    await hass.config_entries.async_setup(home.entry.entry_id)
    coordinator = home.entry.runtime_data.coordinator
    for _ in range(100):
        if shown := await kept(hass, energy_id):
            break
    assert [(value, total) for _, value, total in shown] == [(0.5, 0.5)]

    statistics = SettledStatistics(hass, coordinator)
    await world.stop_server()
    statistics.async_start()()
    await hass.async_block_till_done(wait_background_tasks=False)
    with pytest.raises(OwnerApiError):
        await statistics.async_take()
    await world.start_server()
    await both_confirm(world, second["settlement"]["settlement_id"])
    await statistics.async_take()
    assert (await kept(hass, energy_id))[-1][2] == 1.0


async def test_at_a_start_years_of_deals_are_looked_at_a_page_at_a_time(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All were held as they had been told, and then looked at in one go: the home stood still."""
    hass, coordinator = home.hass, home.entry.runtime_data.coordinator
    deal = await deliver(home, world, session_id)
    await both_confirm(world, deal["settlement"]["settlement_id"])
    told = await world.phone.get(f"/v1/commitments/{deal['commitment_id']}")
    hour = datetime.fromisoformat(told["start_at"]).replace(minute=0, second=0, microsecond=0)
    await written(hass, f"v2g_owner:energy_{vehicle_id}", [(hour, 0.5, 0.5)])
    pages = 10

    async def of_years(path: str) -> Any:
        await asyncio.sleep(0)
        page = int(path.partition("cursor=")[2] or 0)
        ids = [f"com_{page:016x}{number:016x}" for number in range(200)]
        items = [{**told, "commitment_id": each} for each in ids]
        return {"items": items, "next_cursor": page + 1 if page + 1 < pages else None}

    looked_at, seen = 0, [0]

    def counted(shape: Any, value: Any) -> Any:
        nonlocal looked_at
        looked_at += 1
        return decode(shape, value)

    async def watch() -> None:
        while True:
            seen.append(looked_at)
            await asyncio.sleep(0)

    statistics = SettledStatistics(hass, coordinator)
    monkeypatch.setattr("custom_components.v2g_owner.settled_statistics.decode", counted)
    monkeypatch.setattr(coordinator.api, "get", of_years)
    watching = asyncio.create_task(watch())
    await statistics.async_take()
    watching.cancel()
    assert looked_at == 200 * pages
    assert max(after - before for before, after in itertools.pairwise(seen)) <= 200
    # The one that was on disk besides.
    total = (await kept(hass, f"v2g_owner:energy_{vehicle_id}"))[-1][2]
    assert total == 0.5 * (200 * pages + 1)


async def test_what_the_stream_left_out_while_all_deals_were_read_is_read_as_well(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its page may have been read by then: the deal was missing until the next start."""
    deal = await deliver(home, world, session_id)
    await until(lambda: home.entry.runtime_data.coordinator.stream_connected)
    await home.hass.config_entries.async_unload(home.entry.entry_id)
    await both_confirm(world, deal["settlement"]["settlement_id"])
    final = await world.phone.get(f"/v1/commitments/{deal['commitment_id']}")
    read, get = 0, OwnerApi.get

    async def told(api: OwnerApi, path: str) -> Any:
        nonlocal read
        if not path.startswith("/v1/commitments"):
            return await get(api, path)
        if "?" not in path:
            return deal
        read += 1
        if read > 1:
            return {"items": [final], "next_cursor": None}
        coordinator = home.entry.runtime_data.coordinator
        about = {"commitment_id": "com_another"}
        seq = coordinator.stream_position + 2
        coordinator.async_handle_event(StreamEvent(seq=seq, type="deal.news", data=about))
        return {"items": [], "next_cursor": None}

    monkeypatch.setattr(OwnerApi, "get", told)
    await home.hass.config_entries.async_setup(home.entry.entry_id)
    hour = datetime.fromisoformat(deal["start_at"]).replace(minute=0, second=0, microsecond=0)
    await written(home.hass, f"v2g_owner:energy_{vehicle_id}", [(hour, 0.5, 0.5)])


async def test_a_settlement_that_could_not_be_read_is_read_when_the_agent_is_back(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only at the next start of Home Assistant, which may be months away."""
    hass, energy_id = home.hass, f"v2g_owner:energy_{vehicle_id}"
    deal = await deliver(home, world, session_id)
    coordinator = home.entry.runtime_data.coordinator
    await until(lambda: coordinator.stream_connected)
    failed: list[str] = []

    async def away(path: str) -> Any:
        failed.append(path)
        raise OwnerApiConnectionError("away")

    with monkeypatch.context() as patch:
        patch.setattr(coordinator.api, "get", away)
        await both_confirm(world, deal["settlement"]["settlement_id"])
        await until(lambda: failed)
    await world.stop_server()
    await until(lambda: not coordinator.stream_connected)
    await world.start_server()
    hour = datetime.fromisoformat(deal["start_at"]).replace(minute=0, second=0, microsecond=0)
    await written(hass, energy_id, [(hour, 0.5, 0.5)])


async def test_promise_10_neither_a_lost_link_nor_news_of_a_car_reads_all_that_was_ever_sold(
    home: Home, world: OwnerWorld, session_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that comes back would be asked for years of deals by all its homes at once."""
    coordinator = home.entry.runtime_data.coordinator
    await until(lambda: coordinator.stream_connected)
    await home.hass.async_block_till_done()
    asked: list[str] = []
    get = coordinator.api.get

    async def counted(path: str) -> Any:
        asked.append(path)
        if path.startswith("/v1/commitments"):
            raise OwnerApiConnectionError("away")
        return await get(path)

    monkeypatch.setattr(coordinator.api, "get", counted)
    await world.stop_server()
    await until(lambda: not coordinator.stream_connected)
    await world.start_server()
    await until(lambda: coordinator.stream_connected)
    await home.hass.async_block_till_done(wait_background_tasks=False)
    assert [path for path in asked if "commitments" in path] == []
    deal = await deliver(home, world, session_id)
    await both_confirm(world, deal["settlement"]["settlement_id"])
    await until(lambda: [path for path in asked if "commitments" in path])
    for _ in range(3):
        coordinator.async_update_listeners()
        await asyncio.sleep(0.1)
    assert [path for path in asked if "commitments" in path] == [
        f"/v1/commitments/{deal['commitment_id']}"
    ]


DEALS = st.builds(
    SettledDeal,
    hour=st.sampled_from([f"2026-12-01T{hour:02}:00:00+00:00" for hour in range(6)]),
    vehicle_id=st.sampled_from(["veh_1", "veh_2"]),
    delivered_wh=st.integers(0, 10_000),
    amount_minor=st.integers(-1_000, 10_000),
    currency=st.sampled_from(["CNY", "XPT"]),
    beside=st.lists(
        st.tuples(st.sampled_from(["XAB1", "XCD2"]), st.integers(0, 99)),
        unique_by=lambda each: each[0],
        max_size=2,
    ).map(tuple),
)


@given(st.lists(st.tuples(st.sampled_from("abcd"), DEALS), max_size=20))
def test_sums_are_those_of_the_last_word_on_each_deal_in_whatever_order_they_came(
    words: list[tuple[str, SettledDeal]],
) -> None:
    """What is written from the changed hour on, on top of what was there, is the whole truth."""
    ledger = SettledLedger()
    written: dict[Any, dict[str, tuple[int, int]]] = {}
    for key, deal in words:
        for series, hour in ledger.take(key, deal).items():
            rows = written.setdefault(series, {})
            rows |= {at: (value, total) for at, value, total in ledger.rows(series, hour)}
        assert ledger.take(key, deal) == {}
        ledger = read_ledger(ledger.as_json())
    last = dict(words)
    for series, rows in written.items():
        total = sum(deal.values().get(series, 0) for deal in last.values())
        latest = max((deal.hour for deal in last.values() if series in deal.values()), default="")
        if latest:
            assert rows[latest][1] == total


def test_a_deal_that_is_settled_long_after_thousands_of_others_counts_at_its_own_hour() -> None:
    """A dispute may end late, and a park may correct what it settled years ago."""
    ledger = SettledLedger()
    days = [f"20{10 + number // 365}-{number % 365:03}" for number in range(7_000)]
    deals = [
        SettledDeal(
            hour=day, vehicle_id="veh_1", delivered_wh=1_000, amount_minor=120, currency="CNY"
        )
        for day in days
    ]
    energy = ("energy", "veh_1")
    for number, deal in enumerate(deals):
        if number != 3:
            ledger.take(f"com_{number}", deal)
    ledger = read_ledger(ledger.as_json())
    assert ledger.take("com_3", deals[3])[energy] == days[3]
    corrected = replace(deals[5], delivered_wh=400)
    assert ledger.take("com_5", corrected)[energy] == days[5]
    rows = ledger.rows(energy, days[3])
    assert rows[:3] == [(days[3], 1_000, 4_000), (days[4], 1_000, 5_000), (days[5], 400, 5_400)]
    assert rows[-1][2] == 7_000_000 - 600


def test_a_file_in_which_the_oldest_deals_were_summed_up_is_begun_anew() -> None:
    """The API tells of them all; on top of the old sum each would count twice."""
    old = {"deals": {"com_1": {}}, "base": [["energy", "veh_1", 9_000]], "folded_to": "2026"}
    assert read_ledger(old).deals == {}
