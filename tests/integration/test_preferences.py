"""The owner's limits as entities: what is set here stands at the API, and a loser is told."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
import probatio
import pytest

from .conftest import Home
from .owner_world import OwnerWorld, rfc
from .test_whose_word_loosens import guest

# More than --fast has time for.
pytestmark = pytest.mark.slow


def device_id_of(home: Home, vehicle_id: str) -> str:
    """Return the id of a vehicle's device."""
    entry = er.async_get(home.hass).async_get(home.entity_id("sensor", vehicle_id, "soc"))
    assert entry is not None
    assert entry.device_id is not None
    return entry.device_id


@pytest.mark.parametrize(
    ("key", "value", "field", "kept"),
    [
        ("soc_floor_pct", 30, "soc_floor_pct", 30),
        ("soc_ceiling_pct", 95, "soc_ceiling_pct", 95),
        ("soc_min_departure_pct", 55, "soc_min_departure_pct", 55),
        ("soc_target_departure_pct", 85, "soc_target_departure_pct", 85),
        ("min_price_per_kwh", 0.85, "min_price_per_kwh", "0.85"),
        ("max_discharge_wh_per_day", 12.5, "max_discharge_wh_per_day", 12_500),
        ("max_discharge_events_per_day", 3, "max_discharge_events_per_day", 3),
    ],
)
async def test_a_number_set_here_is_kept_by_the_api(
    key: str,
    value: float,
    field: str,
    kept: Any,
    home: Home,
    world: OwnerWorld,
    vehicle_id: str,
) -> None:
    """What a person reads in kWh and CNY is Wh and a decimal string on the wire."""
    await home.set("number", vehicle_id, key, "set_value", value=value)
    told = await world.phone.get(f"/v1/vehicles/{vehicle_id}/preferences")
    assert told[field] == kept
    assert float(home.state("number", vehicle_id, key).state) == value


@pytest.mark.parametrize(
    ("key", "strict", "kept_strict", "loose", "kept_loose"),
    [
        ("soc_margin_pct", 4.5, 4.5, 0, 0),
        ("departure_buffer_s", 45, 2_700, 0, 0),
        ("soc_max_age_consent_s", 1, 60, 60, 3_600),
        ("soc_max_age_discharge_s", 5, 300, 60, 3_600),
        ("cooldown_s", 12.5, 45_000, 0, 0),
    ],
)
async def test_promise_3_how_careful_the_agent_is_can_be_set_here_and_loosened_by_few(
    key: str,
    strict: float,
    kept_strict: float,
    loose: float,
    kept_loose: float,
    home: Home,
    world: OwnerWorld,
    vehicle_id: str,
    hass_admin_user: Any,
) -> None:
    """Anybody may ask for more care; for less, as for anything that lets more be sold, few may."""
    entity_id = home.entity_id("number", vehicle_id, key)
    er.async_get(home.hass).async_update_entity(entity_id, disabled_by=None)
    assert await home.hass.config_entries.async_reload(home.entry.entry_id)
    await home.hass.async_block_till_done()

    async def kept(value: float, context: Context) -> Any:
        data = {"entity_id": entity_id, "value": value}
        await home.hass.services.async_call(
            "number", "set_value", data, blocking=True, context=context
        )
        assert float(home.state("number", vehicle_id, key).state) == value
        return (await world.phone.get(f"/v1/vehicles/{vehicle_id}/preferences"))[key]

    anybody = guest(home.hass)
    assert await kept(strict, anybody) == kept_strict
    with pytest.raises(ServiceValidationError) as refused:
        await kept(loose, anybody)
    assert refused.value.translation_key == "not_yours_to_allow"
    assert await kept(loose, Context(user_id=hass_admin_user.id)) == kept_loose


async def test_promise_2_how_often_a_forecast_may_be_too_late_is_set_here_and_loosened_by_few(
    home: Home, world: OwnerWorld, vehicle_id: str, hass_admin_user: Any
) -> None:
    """A leave time that nobody named may let a rule sell: who says yes says how sure it must be."""
    entity_id = home.entity_id("select", vehicle_id, "departure_guard")
    er.async_get(home.hass).async_update_entity(entity_id, disabled_by=None)
    assert await home.hass.config_entries.async_reload(home.entry.entry_id)
    await home.hass.async_block_till_done()
    assert home.state("select", vehicle_id, "departure_guard").state == "q05"

    async def kept(option: str, context: Context) -> Any:
        data = {"entity_id": entity_id, "option": option}
        await home.hass.services.async_call(
            "select", "select_option", data, blocking=True, context=context
        )
        return (await world.phone.get(f"/v1/vehicles/{vehicle_id}/preferences"))["departure_guard"]

    anybody, owner = guest(home.hass), Context(user_id=hass_admin_user.id)
    assert await kept("q02", anybody) == "q02"
    for looser in ("q05", "q10"):
        with pytest.raises(ServiceValidationError) as refused:
            await kept(looser, anybody)
        assert refused.value.translation_key == "not_yours_to_allow"
    assert await kept("off", anybody) == "off"
    with pytest.raises(ServiceValidationError):
        await kept("q02", anybody)
    assert await kept("q10", owner) == "q10"
    path = f"/v1/vehicles/{vehicle_id}/preferences"
    await world.phone.patch(path, {"departure_guard": "q05"})
    await home.reaches("select", vehicle_id, "departure_guard", "q05")


@pytest.mark.parametrize("key", ["later_refill_price_per_kwh", "degradation_cost_per_kwh"])
async def test_promise_9_what_a_sold_kwh_costs_is_said_here_raised_by_anybody_and_lowered_by_few(
    key: str, home: Home, world: OwnerWorld, vehicle_id: str, hass_admin_user: Any
) -> None:
    """A rule that asks for a net says yes to more, the less a kWh is said to cost."""
    path = f"/v1/vehicles/{vehicle_id}/preferences"
    await world.phone.patch(path, {key: None})
    entity_id = home.entity_id("number", vehicle_id, key)
    er.async_get(home.hass).async_update_entity(entity_id, disabled_by=None)
    assert await home.hass.config_entries.async_reload(home.entry.entry_id)
    await home.hass.async_block_till_done()
    assert home.state("number", vehicle_id, key).state == "unknown"
    assert home.state("number", vehicle_id, key).attributes["unit_of_measurement"] == "CNY/kWh"
    clear = {"device_id": device_id_of(home, vehicle_id), "limits": [key]}

    async def kept(value: float | None, context: Context) -> Any:
        if value is None:
            await home.act("clear_limits", clear, context=context)
        else:
            data = {"entity_id": entity_id, "value": value}
            await home.hass.services.async_call(
                "number", "set_value", data, blocking=True, context=context
            )
        return (await world.phone.get(path))[key]

    anybody, owner = guest(home.hass), Context(user_id=hass_admin_user.id)
    with pytest.raises(ServiceValidationError):
        # More than what it counts as by itself, or less: nobody here knows.
        await kept(0.9, anybody)
    assert float(await kept(0.1, owner)) == 0.1
    assert float(await kept(0.25, anybody)) == 0.25
    for less in (0.2, None):
        with pytest.raises(ServiceValidationError) as refused:
            await kept(less, anybody)
        assert refused.value.translation_key == "not_yours_to_allow"
    assert float(await kept(0, owner)) == 0
    assert await kept(None, owner) is None
    assert home.state("number", vehicle_id, key).state == "unknown"


async def test_a_price_is_asked_for_in_the_owners_currency(home: Home, vehicle_id: str) -> None:
    """A number without its unit is a misunderstanding waiting."""
    state = home.state("number", vehicle_id, "min_price_per_kwh")
    assert state.attributes["unit_of_measurement"] == "CNY/kWh"


async def test_consent_mode_and_permissions_are_kept_by_the_api(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Select and switches reach the API."""
    path = f"/v1/vehicles/{vehicle_id}/preferences"
    await home.set("select", vehicle_id, "consent_mode", "select_option", option="never")
    assert (await world.phone.get(path))["consent_mode"] == "never"
    await home.set("switch", vehicle_id, "allow_automations", "turn_on")
    assert (await world.phone.get(path))["allow_automations"] is True
    await home.set("switch", vehicle_id, "discharge_allowed", "turn_off")
    assert (await world.phone.get(path))["discharge_allowed"] is False
    assert home.state("switch", vehicle_id, "discharge_allowed").state == "off"


async def test_what_the_phone_changes_is_shown_at_once(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """The API is master; Home Assistant is one of several ways to it."""
    path = f"/v1/vehicles/{vehicle_id}/preferences"
    await world.phone.patch(path, {"soc_floor_pct": 42})
    await home.reaches("number", vehicle_id, "soc_floor_pct", "42.0")


async def test_a_loser_sees_the_new_value_and_its_own_is_not_kept(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Two edits at once: the second one is told, not silently dropped and not silently kept."""
    coordinator = home.entry.runtime_data.coordinator
    # As if the stream had not yet told: the phone was faster than the news of it.
    coordinator.async_set_stream_connected(connected=False)
    stale = coordinator.data
    path = f"/v1/vehicles/{vehicle_id}/preferences"
    await world.phone.patch(path, {"soc_floor_pct": 42})
    await home.reaches("number", vehicle_id, "soc_floor_pct", "42.0")
    coordinator.data = stale
    with pytest.raises(ServiceValidationError) as refused:
        await home.set("number", vehicle_id, "soc_floor_pct", "set_value", value=25)
    assert refused.value.translation_key == "precondition_failed"
    assert home.state("number", vehicle_id, "soc_floor_pct").state == "42.0"
    assert (await world.phone.get(path))["soc_floor_pct"] == 42


async def test_two_edits_from_here_do_not_trip_over_each_other(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """A scene sets several limits in one go."""
    hass: HomeAssistant = home.hass
    entities = {
        home.entity_id("number", vehicle_id, "soc_floor_pct"): 31,
        home.entity_id("number", vehicle_id, "soc_ceiling_pct"): 91,
        home.entity_id("number", vehicle_id, "soc_min_departure_pct"): 61,
    }
    for entity_id, value in entities.items():
        hass.async_create_task(
            hass.services.async_call(
                "number", "set_value", {"entity_id": entity_id, "value": value}, blocking=True
            )
        )
    await hass.async_block_till_done()
    told = await world.phone.get(f"/v1/vehicles/{vehicle_id}/preferences")
    found = [told[key] for key in ("soc_floor_pct", "soc_ceiling_pct", "soc_min_departure_pct")]
    assert found == [31, 91, 61]


async def test_contradicting_limits_are_refused_with_the_reason(
    home: Home, vehicle_id: str
) -> None:
    """Promise 8: every no has a reason."""
    with pytest.raises(ServiceValidationError) as refused:
        await home.set("number", vehicle_id, "soc_floor_pct", "set_value", value=95)
    assert refused.value.translation_key == "preferences_conflict"
    placeholders = refused.value.translation_placeholders
    assert placeholders is not None
    # By the names on the page, not by those of the API.
    below, above = "Battery floor < Battery ceiling", "Guaranteed when leaving ≥ Battery floor"
    assert placeholders["detail"] == f"{below}; {above}"
    assert home.state("number", vehicle_id, "soc_floor_pct").state == "20.0"


async def test_an_edit_made_offline_fails_and_is_not_queued(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """An edit that takes effect hours later is worse than none."""
    await world.stop_server()
    with pytest.raises(HomeAssistantError) as failed:
        await home.set("number", vehicle_id, "soc_floor_pct", "set_value", value=35)
    assert failed.value.translation_key == "cannot_connect"
    await world.start_server()
    await home.entry.runtime_data.coordinator.async_refresh()
    await home.reaches("number", vehicle_id, "soc_floor_pct", "20.0")


async def test_leave_times_by_weekday_and_once(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """A week of leave times, one exception, and the way back."""
    path = f"/v1/vehicles/{vehicle_id}/departures"
    await home.set("button", vehicle_id, "forget_leave_once", "press")
    assert (await world.phone.get(path))["one_off"] is None
    assert home.state("button", vehicle_id, "forget_leave_once").state == "unavailable"

    await home.set("time", vehicle_id, "leave_mon", "set_value", time="07:45:00")
    assert (await world.phone.get(path))["weekly"]["mon"] == "07:45"
    assert home.state("time", vehicle_id, "leave_mon").state == "07:45:00"
    assert home.state("time", vehicle_id, "leave_tue").state == "unknown"
    await home.reaches("sensor", vehicle_id, "departure_source", "weekly")

    leave = world.at(7_200)[:19] + "Z"
    await home.set("datetime", vehicle_id, "leave_once", "set_value", datetime=leave)
    told = await world.phone.get(path)
    assert told["one_off"]["departure_at"] == leave
    await home.reaches("sensor", vehicle_id, "departure_source", "one_off")
    shown = home.state("sensor", vehicle_id, "next_departure")
    assert shown.attributes["source"] == "one_off"
    assert shown.state == leave.replace("Z", "+00:00")


async def test_promise_2_a_leave_time_set_here_asks_no_less_than_the_one_it_replaces(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Promise 2: the entity and the voice name a time alone; to ask for less is said."""
    path, device = (
        f"/v1/vehicles/{vehicle_id}/departures",
        {"device_id": device_id_of(home, vehicle_id)},
    )
    once = {"departure_at": world.at(7_200), "soc_min_departure_pct": 80}
    await world.phone.patch(path, {"one_off": once})
    await home.reaches("datetime", vehicle_id, "leave_once", once["departure_at"][:19] + "+00:00")
    leave = world.at(3_600)[:19] + "Z"
    await home.set("datetime", vehicle_id, "leave_once", "set_value", datetime=leave)
    told = (await world.phone.get(path))["one_off"]
    assert (told["departure_at"], told["soc_min_departure_pct"]) == (leave, 80)
    await home.act("set_leave_times", {**device, "departure_at": leave, "clear": "once"})
    assert (await world.phone.get(path))["one_off"]["soc_min_departure_pct"] is None


async def test_a_leave_time_for_once_clears_itself_when_it_has_passed(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Nothing is heard at that moment: what is shown has to end by itself."""
    path = f"/v1/vehicles/{vehicle_id}/departures"
    await world.phone.patch(path, {"one_off": {"departure_at": world.at(1)}})
    await home.reaches("datetime", vehicle_id, "leave_once", "unknown")
    assert home.state("button", vehicle_id, "forget_leave_once").state == "unavailable"
    assert (await world.phone.get(path))["one_off"] is None


async def test_leave_times_can_be_cleared_by_an_action(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """A time entity has no empty value; the action has."""
    device = {"device_id": device_id_of(home, vehicle_id)}
    answer = await home.act("set_leave_times", {**device, "mon": "07:45", "tue": "08:00"})
    assert answer["departures"]["weekly"]["tue"] == "08:00"
    await home.act("set_leave_times", {**device, "clear": ["mon", "once"]})
    told = await world.phone.get(f"/v1/vehicles/{vehicle_id}/departures")
    assert told["weekly"]["mon"] is None
    assert told["weekly"]["tue"] == "08:00"
    assert told["one_off"] is None
    leave = world.at(7_200)[:19]
    await home.act(
        "set_leave_times",
        {**device, "departure_at": leave + "+00:00", "soc_min_departure_pct": 70},
    )
    told = await world.phone.get(f"/v1/vehicles/{vehicle_id}/departures")
    assert told["one_off"]["departure_at"] == leave + "Z"
    assert told["one_off"]["soc_min_departure_pct"] == 70


@pytest.mark.parametrize(
    ("told", "key"),
    [
        ({"soc_min_departure_pct": 90}, "guarantee_without_time"),
        ({"soc_min_departure_pct": 90, "mon": "07:45"}, "guarantee_without_time"),
        ({"soc_min_departure_pct": 90, "clear": "once"}, "guarantee_without_time"),
        ({}, "nothing_to_change"),
        ({"clear": []}, "nothing_to_change"),
    ],
    ids=["alone", "with a weekday", "with what ends", "nothing", "an empty list"],
)
async def test_promise_2_leave_times_that_would_change_nothing_are_refused(
    told: dict[str, Any], key: str, home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Promise 2: nobody may believe that 90 % are guaranteed where nothing was kept."""
    path = f"/v1/vehicles/{vehicle_id}/departures"
    before = await world.phone.get(path)
    with pytest.raises(ServiceValidationError) as refused:
        await home.act("set_leave_times", {"device_id": device_id_of(home, vehicle_id), **told})
    assert refused.value.translation_key == key
    assert await world.phone.get(path) == before


async def test_what_is_cleared_goes_first_and_what_is_named_along_with_it_stands(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """One call makes a new week and a new exception; neither is dropped without a word."""
    device = {"device_id": device_id_of(home, vehicle_id)}
    await home.act("set_leave_times", {**device, "mon": "07:45", "tue": "08:00"})
    leave = world.at(7_200)[:19]
    clear = ["once", "mon", "tue", "wed"]
    told = {"clear": clear, "tue": "09:00", "departure_at": leave + "+00:00"}
    await home.act("set_leave_times", {**device, **told})
    kept = await world.phone.get(f"/v1/vehicles/{vehicle_id}/departures")
    assert (kept["weekly"]["mon"], kept["weekly"]["tue"]) == (None, "09:00")
    assert kept["one_off"]["departure_at"] == leave + "Z"


async def test_what_is_no_number_is_refused_before_it_reaches_the_api(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """A template whose sensor is unknown gives one, and no bound keeps it out."""
    path = f"/v1/vehicles/{vehicle_id}/preferences"
    before = await world.phone.get(path)
    for key in ("soc_floor_pct", "min_price_per_kwh", "max_discharge_wh_per_day"):
        with pytest.raises(ServiceValidationError) as refused:
            await home.set("number", vehicle_id, key, "set_value", value="nan")
        assert refused.value.translation_key == "not_a_number"
    assert await world.phone.get(path) == before


async def test_a_limit_can_be_removed_by_an_action(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """No limit is not the same as a high one."""
    await home.set("number", vehicle_id, "max_discharge_wh_per_day", "set_value", value=5)
    device = {"device_id": device_id_of(home, vehicle_id)}
    answer = await home.act(
        "clear_limits",
        {**device, "limits": ["max_discharge_wh_per_day"]},
        context=Context(user_id="somebody"),
    )
    assert answer["preferences"]["max_discharge_wh_per_day"] is None
    told = await world.phone.get(f"/v1/vehicles/{vehicle_id}/preferences")
    assert told["max_discharge_wh_per_day"] is None
    assert home.state("number", vehicle_id, "max_discharge_wh_per_day").state == "unknown"


async def test_a_time_without_a_zone_is_of_home_assistants_zone_not_of_the_process(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Promise 2: in a container without TZ the car would be ready eight hours too late."""
    await home.hass.config.async_set_time_zone("Asia/Shanghai")
    device = {"device_id": device_id_of(home, vehicle_id)}
    path = f"/v1/vehicles/{vehicle_id}/departures"
    leave = dt_util.now().replace(tzinfo=None, microsecond=0) + timedelta(hours=30)
    wanted = rfc(leave.replace(tzinfo=ZoneInfo("Asia/Shanghai")))

    # As text in an automation, and as Home Assistant's own form sends it.
    for told in (leave, leave.isoformat(), leave.isoformat(" ")):
        await home.act("set_leave_times", {**device, "clear": "once"})
        await home.act("set_leave_times", {**device, "departure_at": told})
        assert (await world.phone.get(path))["one_off"]["departure_at"] == wanted
    await home.set("button", vehicle_id, "forget_leave_once", "press")
    await home.set("datetime", vehicle_id, "leave_once", "set_value", datetime=leave)
    assert (await world.phone.get(path))["one_off"]["departure_at"] == wanted


async def test_no_limit_to_remove_is_refused(home: Home, vehicle_id: str) -> None:
    """An empty list is a mistake, not a success."""
    device_id = device_id_of(home, vehicle_id)
    with pytest.raises(probatio.Invalid, match="limits"):
        await home.act("clear_limits", {"device_id": device_id, "limits": []})
