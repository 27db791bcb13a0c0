"""What a home charger does with power, second by second, when something goes: against the promises.

The deal is real: a real owner API judges, grants leases and settles; only time stands still
between two seconds. Each test ends by holding its whole record to ``power_promises``.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.v2g_owner.api_errors import OwnerApiConnectionError

from .power_promises import Second
from .power_stage import Stage, on_stage

# More than --fast has time for.
pytestmark = pytest.mark.slow


@pytest.fixture
async def selling(stage: Stage) -> Stage:
    """Let ten seconds of a deal be delivered."""
    await stage.seconds(3)
    await stage.sell()
    await stage.deliver()
    await stage.seconds(10)
    return stage


def flows(rows: list[Second]) -> list[datetime]:
    """Return the seconds in which energy left the car."""
    return [row.at for row in rows if row.power_w < -50]


async def test_promise_1_nothing_flows_before_the_owners_yes_and_the_parks_award(
    stage: Stage,
) -> None:
    """Promise 1: with an offer open, accepted and awarded, and only then by a lease."""
    await stage.sell()
    assert flows(stage.record) == []
    await stage.deliver()
    first = flows(stage.record)[0]
    deal = await stage.shown()
    assert first >= datetime.fromisoformat(deal["start_at"])
    stage.hold()


async def test_promise_3_a_restarted_home_assistant_leaves_zero_and_goes_on_when_the_api_spoke(
    selling: Stage,
) -> None:
    """Promise 3: zero before it goes, zero while it is away, zero until the API has spoken."""
    await selling.stop_home()
    away = await selling.seconds(15)
    assert flows(away[2:]) == []
    assert {row.ordered_w for row in away} == {0}
    await selling.stop_api()
    await selling.boot()
    alone = await selling.seconds(20)
    assert flows(alone) == []
    assert selling.executor.verdict.reason == "restarted"
    await selling.start_api()
    back = await selling.seconds(40)
    assert flows(back), "the deal goes on"
    selling.hold()


async def test_promise_3_after_a_crash_it_is_zero_within_five_seconds_of_coming_back(
    selling: Stage,
) -> None:
    """Promise 3: while nobody was there the charger went on; back, it stops before all else."""
    selling.renewing = False
    await selling.stop_api()
    await selling.crash_home()
    away = await selling.seconds(20)
    assert len(flows(away)) == 20, "a charger without a watchdog goes on: it is a known limit"
    await selling.boot()
    back = await selling.seconds(60)
    assert flows(back[5:]) == []
    assert {row.ordered_w for row in back[5:]} == {0}
    selling.hold()


async def test_promise_3_an_api_restart_is_bridged_by_the_lease_and_by_nothing_longer(
    selling: Stage,
) -> None:
    """Promise 3: ten seconds away change nothing; longer than the lease, and it is zero."""
    await selling.stop_api()
    bridged = await selling.seconds(10)
    assert len(flows(bridged)) == 10
    await selling.start_api()
    again = await selling.seconds(60)
    assert len(flows(again)) == 60, "the park's next lease came in time"
    await selling.stop_api()
    lease = selling.heard
    assert lease is not None
    gone = await selling.seconds(80)
    assert lease <= max(flows(gone)) <= lease + timedelta(seconds=2)
    await selling.start_api()
    back = await selling.seconds(60)
    assert flows(back) == [], "a lease that ran out is not renewed"
    assert (await selling.shown())["state"] == "failed"
    selling.hold()


async def test_promise_3_with_the_network_cut_only_the_lease_that_was_heard_counts(
    selling: Stage,
) -> None:
    """Promise 3: the park goes on renewing at the API, and no word of it reaches this home."""
    heard = selling.heard
    assert heard is not None
    await selling.cut_network()
    gone = await selling.seconds(90)
    assert heard <= max(flows(gone)) <= heard + timedelta(seconds=2)
    assert selling.granted is not None
    assert selling.granted > heard, "the API granted more than this home heard"
    await selling.mend_network()
    await selling.seconds(90)
    selling.hold()


async def test_promise_4_stop_at_home_needs_no_network_and_the_deal_is_over_when_it_is_back(
    selling: Stage,
) -> None:
    """Promise 4: zero in five seconds by this home alone; the API learns it and it stays so."""
    await selling.cut_network()
    await selling.seconds(5)
    await selling.stop_now()
    stopped = await selling.seconds(30)
    assert flows(stopped[5:]) == []
    await selling.mend_network()
    for _ in range(12):
        await selling.seconds(15)
        if (await selling.shown())["state"] == "revoked":
            break
    assert (await selling.shown())["state"] == "revoked"
    assert max(flows(selling.record)) < stopped[5].at
    selling.hold()


async def test_promise_4_stop_on_the_phone_holds_at_the_leases_end_where_the_network_is_cut(
    selling: Stage,
) -> None:
    """Promise 4: by the network in five seconds; without it when the lease ends."""
    await selling.cut_network()
    heard = selling.heard
    assert heard is not None
    await selling.world.phone.post("/v1/stops", {"commitment_id": selling.commitment_id})
    gone = await selling.seconds(75)
    assert max(flows(gone)) <= heard + timedelta(seconds=2)
    await selling.mend_network()
    assert flows(await selling.seconds(30)) == []
    selling.hold()


async def test_promise_4_stop_on_the_phone_is_zero_in_five_seconds_over_a_live_network(
    selling: Stage,
) -> None:
    """Promise 4: the API tells this home, and this home the charger."""
    await selling.world.phone.post("/v1/stops", {"commitment_id": selling.commitment_id})
    selling.event = "stop"
    stopped = await selling.seconds(40)
    assert flows(stopped[5:]) == []
    selling.hold()


async def test_promise_4_stop_on_the_phone_is_heard_though_the_last_full_read_has_failed(
    selling: Stage,
) -> None:
    """Promise 4: the stream goes on; the next full read is ten minutes away."""
    assert selling.entry is not None
    coordinator = selling.entry.runtime_data.coordinator
    with patch.object(coordinator.api, "get", side_effect=OwnerApiConnectionError("too slow")):
        await coordinator.async_refresh()
    assert not coordinator.last_update_success
    assert flows(await selling.seconds(40)), "the lease is renewed all the same"
    await selling.world.phone.post("/v1/stops", {"commitment_id": selling.commitment_id})
    selling.event = "stop"
    stopped = await selling.seconds(20)
    assert flows(stopped[5:]) == []


@pytest.mark.parametrize("away_s", [4, 30], ids=["plugged in again at once", "after a while"])
async def test_promise_10_an_unplugged_car_gets_zero_and_plugged_in_again_needs_a_new_yes(
    selling: Stage, away_s: int
) -> None:
    """Promises 1, 4 and 10: the deal ended with the plug; another one is another yes."""
    selling.unplug()
    gone = await selling.seconds(away_s)
    assert flows(gone[2:]) == []
    selling.box.plug(connected=True)
    back = await selling.seconds(60)
    assert flows(back) == []
    assert (await selling.shown())["state"] == "failed"
    selling.hold()


async def test_promise_10_with_the_network_cut_replugging_within_the_lease_sells_nothing(
    selling: Stage,
) -> None:
    """Promise 10: the API cannot say that the deal is over; this home knows it by itself."""
    await selling.cut_network()
    await selling.seconds(2)
    selling.unplug()
    await selling.seconds(6)
    selling.box.plug(connected=True)
    back = await selling.seconds(20)
    assert selling.executor.verdict.reason == "unplugged"
    await selling.mend_network()
    back += await selling.seconds(90)
    assert flows(back) == []
    assert (await selling.shown())["state"] not in {"scheduled", "active"}
    selling.hold()


async def test_promise_3_a_car_that_falls_silent_is_zero_at_the_age_the_owner_allows(
    evening: FrozenDateTimeFactory,
    socket_enabled: None,
    tmp_path: Path,
    hass_storage: dict[str, Any],
) -> None:
    """Promise 3: two minutes here; the meter still speaks, and does not make it younger."""
    async with on_stage(evening, tmp_path, hass_storage, soc_max_age_discharge_s=120) as stage:
        await stage.sell()
        await stage.deliver()
        stage.box.soc_silent, stage.event = True, "car silent"
        silent = await stage.seconds(150)
        last = max(flows(silent)) - silent[0].soc_told_at
        assert timedelta(seconds=100) < last <= timedelta(seconds=122)
        stage.hold(soc_max_age=timedelta(seconds=120))


async def test_promise_3_with_car_and_meter_silent_it_is_zero_within_a_minute(
    selling: Stage,
) -> None:
    """Promise 3: blind is a stop, whatever lease the park still gets."""
    selling.box.soc_silent = selling.box.meter_silent = True
    selling.event = "all silent"
    blind = await selling.seconds(90)
    assert timedelta(seconds=40) < max(flows(blind)) - blind[0].meter_told_at
    selling.hold()


async def test_promise_2_a_sensor_that_repeats_itself_is_carried_down_to_the_floor(
    evening: FrozenDateTimeFactory,
    socket_enabled: None,
    tmp_path: Path,
    hass_storage: dict[str, Any],
) -> None:
    """Promise 2: it says 60 % for ever; what has left by the meter is taken off all the same."""
    wishes: dict[str, Any] = {
        "soc_floor_pct": 58,
        "soc_min_departure_pct": 58,
        "soc_margin_pct": 0.5,
    }
    async with on_stage(evening, tmp_path, hass_storage, **wishes) as stage:
        stage.box.soc_frozen, stage.event = True, "car frozen"
        await stage.sell(requested_energy_wh=800, min_energy_wh=500, max_energy_wh=5_000)
        await stage.deliver()
        await stage.seconds(520)
        assert flows(stage.record[-60:]) == []
        assert stage.box.exported_wh - 5_000 > 300, "it sold what there was"
        stage.hold(floor_pct=58.0)


NIGHTS = {
    # At 03:00 it is 02:00 again, an hour later than the clocks tell.
    "autumn": (datetime(2026, 10, 25, 0, 57, tzinfo=UTC), datetime(2026, 10, 25, 6, tzinfo=UTC)),
    # At 02:00 it is 03:00, an hour earlier than the clocks tell.
    "spring": (datetime(2027, 3, 28, 0, 57, tzinfo=UTC), datetime(2027, 3, 28, 5, tzinfo=UTC)),
}


@pytest.mark.parametrize("night", NIGHTS)
async def test_promise_10_in_the_night_the_clock_changes_leases_and_leave_time_are_true_time(
    evening: FrozenDateTimeFactory,
    socket_enabled: None,
    tmp_path: Path,
    hass_storage: dict[str, Any],
    night: str,
) -> None:
    """Promise 10: sold across the change in Berlin, ready at 07:00 by the clock on the wall."""
    begin, leaving = NIGHTS[night]
    assert leaving.astimezone(ZoneInfo("Europe/Berlin")).strftime("%H:%M") == "07:00"
    evening.move_to(begin)
    wishes: dict[str, Any] = {"soc_min_departure_pct": 85, "soc_target_departure_pct": 85}
    async with on_stage(
        evening, tmp_path, hass_storage, time_zone="Europe/Berlin", **wishes
    ) as stage:
        await stage.hass.config.async_set_time_zone("Europe/Berlin")
        vehicle = f"/v1/vehicles/{stage.vehicle_id}/departures"
        weekly = {"one_off": None, "weekly": {"sun": "07:00"}}
        await stage.world.phone.patch(vehicle, weekly)
        await stage.seconds(2)
        energy = {"requested_energy_wh": 600, "min_energy_wh": 300, "max_energy_wh": 1_000}
        await stage.sell(start_s=120, hours=0.1, respond_s=60, **energy)
        await stage.deliver(200)
        sold = await stage.seconds(300)
        deal = await stage.shown()
        window = [datetime.fromisoformat(deal[key]) for key in ("start_at", "end_at")]
        assert window[1] - window[0] == timedelta(minutes=6)
        change = begin.replace(hour=1, minute=0)
        assert window[0] < change < window[1]
        assert change + timedelta(seconds=30) in flows(sold), "the change is no reason to stop"
        assert max(flows(sold)) <= window[1] + timedelta(seconds=2)
        await stage.hop(leaving)
        assert stage.record[-1].at == leaving
        stage.hold(ready_at=leaving, ready_pct=85.0)


@pytest.mark.parametrize("word", ["charge", "stop"])
async def test_what_the_owner_says_for_some_hours_ends_no_deal_that_begins_after_them(
    stage: Stage, word: str
) -> None:
    """Stop now holds for an hour, charge now for twelve: tomorrow's deal is still wanted."""
    await stage.leave_in(hours=20)
    energy = {"requested_energy_wh": 1_000, "min_energy_wh": 500, "max_energy_wh": 2_000}
    await stage.sell(start_s=13 * 3_600, **energy)
    await stage.seconds(5)
    if word == "charge":
        stage.executor.async_charge_now()
    else:
        await stage.executor.async_stop_now()
    await stage.seconds(70)
    assert (await stage.shown())["state"] == "scheduled"
    assert stage.executor.memory.orders.stopped == ()
