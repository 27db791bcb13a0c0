"""Who may let more be sold: what loosens is half a yes, and a rule may say the rest."""

import asyncio
from datetime import timedelta
from typing import Any

from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from hypothesis import given, strategies as st
import pytest
from pytest_homeassistant_custom_component.common import MockUser

from custom_components.v2g_owner.actor import async_remember_model_turn
from custom_components.v2g_owner.const import DOMAIN
from custom_components.v2g_owner.looser import BUDGETS, COSTS, loosens
from custom_components.v2g_owner.models import Preferences

from .conftest import Home, until
from .owner_world import OwnerWorld

# More than --fast has time for.
pytestmark = pytest.mark.slow

# Platform, key, the action's data: what tightens, then what loosens.
SETTINGS: tuple[tuple[str, str, tuple[str, dict[str, Any]], tuple[str, dict[str, Any]]], ...] = (
    ("switch", "discharge_allowed", ("turn_off", {}), ("turn_on", {})),
    ("switch", "allow_automations", ("turn_off", {}), ("turn_on", {})),
    (
        "select",
        "consent_mode",
        ("select_option", {"option": "never"}),
        ("select_option", {"option": "rules"}),
    ),
    *(
        ("number", key, ("set_value", {"value": strict}), ("set_value", {"value": loose}))
        for key, strict, loose in (
            ("soc_floor_pct", 45, 25),
            ("soc_min_departure_pct", 75, 30),
            ("min_price_per_kwh", 2, 0.2),
            ("max_discharge_wh_per_day", 3, 300),
            ("max_discharge_events_per_day", 1, 50),
        )
    ),
)


def guest(hass: HomeAssistant) -> Context:
    """Return what somebody without rights of an administrator does."""
    user = MockUser(id="user_guest", name="guest").add_to_hass(hass)
    user.mock_policy({"entities": True})
    return Context(user_id=user.id)


async def use(
    home: Home, vehicle_id: str, which: tuple[str, str], act: tuple[str, Any], context: Context
) -> None:
    """Use one of the car's settings as somebody."""
    (platform, key), (service, data) = which, act
    entity_id = home.entity_id(platform, vehicle_id, key)
    await home.hass.services.async_call(
        platform, service, {"entity_id": entity_id, **data}, blocking=True, context=context
    )


def device_of(home: Home, vehicle_id: str) -> str:
    """Return the car's device."""
    device = dr.async_get(home.hass).async_get_device_by_identifier(
        (DOMAIN, vehicle_id), home.entry.entry_id
    )
    assert isinstance(device, dr.DeviceEntry)
    return device.id


@pytest.mark.parametrize("setting", SETTINGS, ids=[setting[1] for setting in SETTINGS])
async def test_promise_1_a_guest_tightens_and_does_not_loosen(
    home: Home,
    world: OwnerWorld,
    vehicle_id: str,
    setting: tuple[str, str, tuple[str, Any], tuple[str, Any]],
) -> None:
    """Promise 1: nobody sells for the owner by switching what the owner switched off."""
    platform, key, strict, loose = setting
    path, by_guest = f"/v1/vehicles/{vehicle_id}/preferences", guest(home.hass)
    await use(home, vehicle_id, (platform, key), strict, by_guest)
    kept = (await world.phone.get(path))[key]
    with pytest.raises(ServiceValidationError, match="people can let more of Blue car be sold"):
        await use(home, vehicle_id, (platform, key), loose, by_guest)
    assert (await world.phone.get(path))[key] == kept
    await use(home, vehicle_id, (platform, key), loose, Context(user_id="anna"))
    assert (await world.phone.get(path))[key] != kept


async def test_promise_1_a_guest_removes_no_budget_and_joins_no_park(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Promise 1: a limit that is gone lets more be sold, an agreement lets a park ask."""
    by_guest, device = guest(home.hass), device_of(home, vehicle_id)
    await home.set("number", vehicle_id, "max_discharge_wh_per_day", "set_value", value=5)
    for action, data in (
        ("clear_limits", {"device_id": device, "limits": ["max_discharge_wh_per_day"]}),
        (
            "join_park",
            {"device_id": [device], "park_id": world.park.party_id, "terms_version": 1},
        ),
    ):
        with pytest.raises(ServiceValidationError) as refused:
            await home.act(action, data, context=by_guest)
        assert refused.value.translation_key == "not_yours_to_allow"
    assert (await world.park.get("/v1/park/members"))["items"] == []


async def test_promise_2_a_guest_asks_for_no_less_when_leaving_than_the_owner_does(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Promise 2: when the car leaves, whoever drives may say; not that less will do."""
    path, by_guest = f"/v1/vehicles/{vehicle_id}/departures", guest(home.hass)
    await home.set("number", vehicle_id, "soc_min_departure_pct", "set_value", value=60)
    leave = {
        "device_id": device_of(home, vehicle_id),
        "departure_at": dt_util.utcnow() + timedelta(hours=3),
    }
    less = {**leave, "soc_min_departure_pct": 20}
    with pytest.raises(ServiceValidationError) as refused:
        await home.act("set_leave_times", less, context=by_guest)
    assert refused.value.translation_key == "not_yours_to_allow"
    assert (await world.phone.get(path))["next"]["soc_min_departure_pct"] == 60
    for more in (leave, {**leave, "soc_min_departure_pct": 90}):
        await home.act("set_leave_times", more, context=by_guest)
    assert (await world.phone.get(path))["one_off"]["soc_min_departure_pct"] == 90
    await home.act("set_leave_times", less, context=Context(user_id="anna"))
    assert (await world.phone.get(path))["one_off"]["soc_min_departure_pct"] == 20


async def test_promise_1_a_guest_does_not_undo_what_is_tightened_at_the_same_moment(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Promise 1: what waits for another change is held against what that has left."""
    which = ("number", "soc_floor_pct")
    await home.set("number", vehicle_id, "soc_floor_pct", "set_value", value=30)
    told = await asyncio.gather(
        use(home, vehicle_id, which, ("set_value", {"value": 50}), Context(user_id="anna")),
        use(home, vehicle_id, which, ("set_value", {"value": 35}), guest(home.hass)),
        return_exceptions=True,
    )
    assert told[0] is None
    assert isinstance(told[1], ServiceValidationError)
    kept = await world.phone.get(f"/v1/vehicles/{vehicle_id}/preferences")
    assert kept["soc_floor_pct"] == 50


async def test_a_person_of_the_car_loosens_what_an_administrator_then_may_not(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """The same people as for a yes: those that the owner chose."""
    hass = home.hass
    driver = guest(hass)
    hass.states.async_set("person.guest", "home", {"user_id": driver.user_id})
    (subentry,) = home.entry.subentries.values()
    chosen = {**subentry.data, "drivers": ["person.guest"], "admins_answer": False}
    hass.config_entries.async_update_subentry(home.entry, subentry, data=chosen)
    await hass.async_block_till_done()
    await home.reaches("switch", vehicle_id, "allow_automations", "off")
    which, act = ("switch", "allow_automations"), ("turn_on", {})
    with pytest.raises(ServiceValidationError):
        await use(home, vehicle_id, which, act, Context(user_id="anna"))
    await use(home, vehicle_id, which, act, driver)
    await home.reaches("switch", vehicle_id, "allow_automations", "on")


async def test_promise_1_an_automation_sets_what_its_owner_wrote_but_gives_itself_no_leave(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Promise 1: what *Automations may accept* keeps out cannot switch it on."""
    hass = home.hass
    await home.set("switch", vehicle_id, "discharge_allowed", "turn_off")
    switches = [
        home.entity_id("switch", vehicle_id, key)
        for key in ("discharge_allowed", "allow_automations")
    ]
    config = {
        "alias": "sell at work",
        "triggers": [{"trigger": "event", "event_type": "at.work"}],
        "actions": [
            {"action": "switch.turn_on", "target": {"entity_id": each}} for each in switches
        ],
    }
    assert await async_setup_component(hass, "automation", {"automation": [config]})
    hass.bus.async_fire("at.work")
    await home.reaches("switch", vehicle_id, "discharge_allowed", "on")
    await hass.async_block_till_done(wait_background_tasks=False)
    told = await world.phone.get(f"/v1/vehicles/{vehicle_id}/preferences")
    assert told["allow_automations"] is False


async def test_an_automation_that_waits_is_known_however_often_others_start_meanwhile(
    home: Home, vehicle_id: str
) -> None:
    """One that waits for the car to be at work acts hours later, in a home where much happens."""
    hass = home.hass
    await home.set("switch", vehicle_id, "discharge_allowed", "turn_off")
    switch = home.entity_id("switch", vehicle_id, "discharge_allowed")
    config = {
        "alias": "sell later",
        "max_exceeded": "silent",
        # Nothing that came before tells that it was an automation.
        "triggers": [{"trigger": "time_pattern", "seconds": "/1"}],
        "actions": [
            {"wait_for_trigger": [{"trigger": "event", "event_type": "at.work"}]},
            {"action": "switch.turn_on", "target": {"entity_id": switch}},
        ],
    }
    assert await async_setup_component(hass, "automation", {"automation": [config]})
    await until(lambda: hass.states.async_all("automation")[0].attributes["current"] == 1)
    for _ in range(3_000):
        hass.bus.async_fire("automation_triggered", {"entity_id": "automation.lights"})
    hass.bus.async_fire("at.work")
    await home.reaches("switch", vehicle_id, "discharge_allowed", "on")
    data = {"entity_id": "automation.sell_later"}
    await hass.services.async_call("automation", "turn_off", data, blocking=True)


@pytest.mark.parametrize("who", ["a voice nobody knows", "the cloud's voice", "a language model"])
async def test_promise_1_neither_a_strange_voice_nor_a_model_loosens(
    home: Home, world: OwnerWorld, vehicle_id: str, who: str
) -> None:
    """Promise 1: all may stop and tighten; a yes of nobody known is none."""
    context = Context() if who == "a voice nobody knows" else Context(user_id="anna")
    if who == "a language model":
        async_remember_model_turn(home.hass, context)
    if who == "the cloud's voice":
        made = await home.hass.auth.async_create_system_user(
            "Home Assistant Cloud", group_ids=["system-admin"]
        )
        context = Context(user_id=made.id)
    which = ("switch", "discharge_allowed")
    await use(home, vehicle_id, which, ("turn_off", {}), context)
    await home.reaches("switch", vehicle_id, "discharge_allowed", "off")
    with pytest.raises(ServiceValidationError) as refused:
        await use(home, vehicle_id, which, ("turn_on", {}), context)
    assert refused.value.translation_key in {"not_yours_to_allow", "model_allows_nothing"}
    told = await world.phone.get(f"/v1/vehicles/{vehicle_id}/preferences")
    assert told["discharge_allowed"] is False
    await until(lambda: home.state("switch", vehicle_id, "discharge_allowed").state == "off")


WISHES = st.builds(
    Preferences,
    vehicle_id=st.just("veh_1"),
    revision=st.just(1),
    soc_floor_pct=st.integers(0, 100),
    soc_ceiling_pct=st.just(90),
    soc_min_departure_pct=st.integers(0, 100),
    min_price_per_kwh=st.none() | st.sampled_from(["0", "0.5", "1.2000"]),
    consent_mode=st.sampled_from(["never", "ask", "rules"]),
    departure_guard=st.sampled_from(["off", "q02", "q05", "q10"]),
    discharge_allowed=st.booleans(),
    allow_automations=st.booleans(),
    **{key: st.none() | st.integers(0, 9) for key in BUDGETS},
    **{key: st.sampled_from(["-0.1", "0.0000", "0.32"]) for key in COSTS},
)
KEYS = (
    "soc_floor_pct",
    "soc_min_departure_pct",
    "min_price_per_kwh",
    "consent_mode",
    "departure_guard",
    "discharge_allowed",
    "allow_automations",
    *BUDGETS,
    *COSTS,
)


@given(WISHES, WISHES, st.sampled_from(KEYS))
def test_of_two_values_one_way_loosens_and_the_other_does_not(
    one: Preferences, other: Preferences, key: str
) -> None:
    """A change that loosens cannot be had as one that tightens, nor the same value as either."""
    there, back = ({key: getattr(each, key)} for each in (other, one))
    same = getattr(one, key) == getattr(other, key)
    assert loosens(one, there) + loosens(other, back) == (0 if same else 1)


# Numbers that few ever set, hidden until they are asked for: what is stricter, then what is looser.
SELDOM_SET: dict[str, tuple[float, float]] = {
    "soc_margin_pct": (5, 1),
    "departure_buffer_s": (1_800, 0),
    "cooldown_s": (3_600, 0),
    "soc_max_age_consent_s": (600, 3_600),
    "soc_max_age_discharge_s": (300, 3_600),
}


@pytest.mark.parametrize(("key", "values"), SELDOM_SET.items(), ids=SELDOM_SET)
def test_promises_2_and_3_a_number_that_few_ever_set_is_guarded_as_the_others_are(
    key: str, values: tuple[float, float]
) -> None:
    strict, loose = values
    known = {"vehicle_id": "veh_1", "revision": 1, "soc_floor_pct": 20, "soc_ceiling_pct": 90}
    known |= {"soc_min_departure_pct": 50}
    assert loosens(Preferences(**known, **{key: strict}), {key: loose})
    assert not loosens(Preferences(**known, **{key: loose}), {key: strict})


A_RULE: dict[str, Any] = {
    "rule_id": "rul_1",
    "name": "Late mornings",
    "enabled": True,
    "min_price_per_kwh": "1.2",
    "min_net_minor": 300,
    "min_net_per_kwh": "0.5",
    "max_energy_wh": 5_000,
    "park_ids": ["prk_1"],
    "weekdays": ["mon", "tue"],
    "purposes": ["peak_price"],
    "between": {"start": "10:00", "end": "12:00"},
    "counter": False,
}
NO_LIMIT: dict[str, Any] = {
    "min_price_per_kwh": None,
    "min_net_minor": None,
    "min_net_per_kwh": None,
    "max_energy_wh": None,
    "park_ids": [],
    "weekdays": [],
    "purposes": [],
    "between": None,
}
A_LOOSER_RULE: dict[str, dict[str, Any]] = {
    **{f"no {key}": {key: none} for key, none in NO_LIMIT.items()},
    "a lower price": {"min_price_per_kwh": "1.19"},
    "less of a net": {"min_net_minor": 299},
    "less of a net for each kWh": {"min_net_per_kwh": "0.49"},
    "more energy": {"max_energy_wh": 5_001},
    "another park": {"park_ids": ["prk_1", "prk_2"]},
    "another day": {"weekdays": ["mon", "tue", "sun"]},
    "another purpose": {"purposes": ["peak_price", "frequency"]},
    "backup, with its longer stop": {"purposes": ["backup"]},
    "an earlier begin": {"between": {"start": "09:59", "end": "12:00"}},
    "a later end": {"between": {"start": "10:00", "end": "12:01"}},
    "all but those hours": {"between": {"start": "12:00", "end": "10:00"}},
    "the whole day": {"between": {"start": "10:00", "end": "10:00"}},
    "asking for more by itself": {"counter": True},
    "what this home knows nothing of": {"unless_it_rains": False},
    "another name in the list": {"rule_id": "rul_2"},
}


def says_more(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Tell whether a rule in another's place lets more be sold."""
    known = Preferences(
        vehicle_id="veh_1",
        revision=1,
        soc_floor_pct=20,
        soc_ceiling_pct=90,
        soc_min_departure_pct=50,
        rules=(before,),
    )
    return loosens(known, {"rules": [after]})


@pytest.mark.parametrize("change", A_LOOSER_RULE.values(), ids=A_LOOSER_RULE)
def test_promise_1_a_rule_that_takes_what_it_did_not_take_loosens(change: dict[str, Any]) -> None:
    looser = A_RULE | change
    assert says_more(A_RULE, looser)
    assert says_more(A_RULE | {"enabled": False}, looser)
    assert not says_more(A_RULE, looser | {"enabled": False}), "what is switched off takes nothing"


@pytest.mark.parametrize("key", NO_LIMIT)
def test_promise_1_a_rule_that_takes_less_than_it_took_does_not_loosen(key: str) -> None:
    assert not says_more(A_RULE | {key: NO_LIMIT[key]}, A_RULE)
    assert not says_more(A_RULE | {"counter": True}, A_RULE | {"name": "Mornings"})


def test_promise_1_a_rule_that_does_not_say_so_is_switched_on_and_asks_for_no_more() -> None:
    """As its agent takes it: what is left out of a rule is what the agent fills in."""
    short = {"rule_id": "rul_1", "name": "any"}
    assert says_more(A_RULE, short)
    assert says_more(short | {"enabled": False}, short)
    assert says_more(short, short | {"counter": True})
    assert not says_more(short, A_RULE)
    assert not says_more(short | {"counter": True}, short)


def test_promise_4_a_rule_without_purposes_takes_no_backup_and_so_does_not_get_to_it() -> None:
    """Promise 4: only a rule that names backup takes the longer leases."""
    every = A_RULE | {"purposes": []}
    assert says_more(every, A_RULE | {"purposes": ["backup"]})
    assert not says_more(every, A_RULE | {"purposes": ["frequency"]})
    assert not says_more(A_RULE | {"purposes": ["backup"]}, A_RULE | {"purposes": ["backup"]})


@pytest.mark.parametrize(
    ("before", "after", "more"),
    [
        ("22:00-06:00", "23:00-05:00", False),
        ("22:00-06:00", "23:00-23:30", False),
        ("22:00-06:00", "21:59-06:00", True),
        ("22:00-06:00", "22:00-06:01", True),
    ],
)
def test_promise_1_a_rule_for_the_night_is_compared_by_the_hours_it_covers(
    before: str, after: str, *, more: bool
) -> None:
    spans = [dict(zip(("start", "end"), each.split("-"), strict=True)) for each in (before, after)]
    one, other = (A_RULE | {"between": each} for each in spans)
    assert says_more(one, other) is more
