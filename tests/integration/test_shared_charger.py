"""Two chargers set through one thing, from before that was refused: a repair names both."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.v2g_owner.charger_control import CONF_CONTROL
from custom_components.v2g_owner.const import DOMAIN
from custom_components.v2g_owner.control_model import Reason
from custom_components.v2g_owner.control_unrest import Spell, Unrest
from custom_components.v2g_owner.executor import ChargerExecutor
from custom_components.v2g_owner.executors import executors_of

from .charger_world import POWER, Wallbox, lease, subentry
from .conftest import Home, until
from .entries import paired_entry, vehicle_subentry
from .owner_world import OwnerWorld

# More than --fast has time for.
pytestmark = pytest.mark.slow


def linked(charger_id: str, title: str, shape: str = "wallbox", **changes: Any) -> dict[str, Any]:
    """Return a charger's subentry as it is stored."""
    return {
        "data": dict(subentry(shape, charger_id, **changes).data),
        "subentry_type": "charger",
        "title": title,
        "unique_id": charger_id,
    }


@dataclass(kw_only=True)
class TwoHands:
    """A home whose one charger is linked twice, and the car at it."""

    home: Home
    box: Wallbox
    vehicle_id: str
    garage_id: str
    again_id: str

    def executor(self, charger_id: str) -> ChargerExecutor:
        """Return the hand on one of them."""
        return executors_of(self.home.hass, self.home.entry)[charger_id]

    async def car_stands_at(self, charger_id: str) -> None:
        """Say which car stands there, and wait until its limits are known."""
        await self.home.hass.async_block_till_done()
        await self.home.set("select", charger_id, "car_here", "select_option", option="Blue car")
        await until(lambda: self.executor(charger_id).memory.orders.cars)

    async def lease(self, charger_id: str) -> None:
        """Have a park draw from the car, once the account is loaded and fed."""
        await self.home.hass.async_block_till_done()
        executor = self.executor(charger_id)
        given = replace(lease(600), vehicle_id=self.vehicle_id)
        executor.async_take(replace(executor.memory.orders, lease=given))


def shown(hass: HomeAssistant) -> ir.IssueEntry | None:
    """Return the repair, if it is shown."""
    found = [
        each
        for each in ir.async_get(hass).issues.values()
        if each.translation_key == "charger_shared" and each.active
    ]
    assert len(found) < 2
    return found[0] if found else None


@pytest.fixture
async def both(
    hass: HomeAssistant, world: OwnerWorld, vehicle_id: str, hass_storage: dict[str, Any]
) -> AsyncIterator[TwoHands]:
    """Link one charger twice, as was possible once, and let it live."""
    limits = {"max_charge_w": 7_360, "max_discharge_w": 7_360}
    names = ("Garage", "Garage again")
    ids = [
        str(
            (await world.phone.post("/v1/chargers", {"display_name": name, **limits}))["charger_id"]
        )
        for name in names
    ]
    box = Wallbox(hass=hass)
    await box.build()
    chargers = [linked(key, name) for key, name in zip(ids, names, strict=True)]
    entry = await paired_entry(hass, world, [vehicle_subentry(vehicle_id), *chargers])
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()

    async def live() -> None:
        while True:
            box.step()
            await asyncio.sleep(0.05)

    life = asyncio.create_task(live())
    yield TwoHands(
        home=Home(hass, entry), box=box, vehicle_id=vehicle_id, garage_id=ids[0], again_id=ids[1]
    )
    if entry.state is ConfigEntryState.LOADED:
        await hass.config_entries.async_unload(entry.entry_id)
    life.cancel()


async def test_neither_of_two_hands_on_a_charger_discharges_until_the_owner_keeps_one(
    both: TwoHands, hass_client: Any
) -> None:
    """Each took the other's commands for somebody's, and undid them: zeros among them."""
    hass, title = both.home.hass, both.home.entry.title
    issue = await until(lambda: shown(hass))
    assert issue.translation_placeholders == {
        "first": f"Garage ({title})",
        "second": f"Garage again ({title})",
        "what": "number.wallbox_setting",
    }
    await both.car_stands_at(both.garage_id)
    await both.lease(both.garage_id)
    await both.home.reaches("sensor", both.garage_id, "control_reason", "shared")
    assert both.box.real_w >= 0

    assert await async_setup_component(hass, "repairs", {})
    http = await hass_client()
    about = {"handler": DOMAIN, "issue_id": issue.issue_id}
    form = await (await http.post("/api/repairs/issues/fix", json=about)).json()
    options = form["data_schema"][0]["selector"]["select"]["options"]
    assert [each["label"] for each in options] == [f"Garage ({title})", f"Garage again ({title})"]
    keep = {"keep": options[0]["value"]}
    done = await http.post(f"/api/repairs/issues/fix/{form['flow_id']}", json=keep)
    assert (await done.json())["type"] == "create_entry"
    await until(lambda: list(executors_of(hass, both.home.entry)) == [both.garage_id])
    assert shown(hass) is None
    await both.car_stands_at(both.garage_id)
    await both.lease(both.garage_id)
    await until(lambda: both.box.real_w < -6_000)


async def test_a_discharge_ends_when_a_second_hand_comes(both: TwoHands) -> None:
    """Promise 4: an account that is switched on again may bring one, in the middle of a deal."""
    hass = both.home.hass
    again = next(
        each for each in both.home.entry.subentries.values() if each.title == "Garage again"
    )
    hass.config_entries.async_remove_subentry(both.home.entry, again.subentry_id)
    await until(lambda: list(executors_of(hass, both.home.entry)) == [both.garage_id])
    await both.car_stands_at(both.garage_id)
    await both.lease(both.garage_id)
    await until(lambda: both.box.real_w < -6_000)
    other = MockConfigEntry(
        domain=DOMAIN,
        title="Ana",
        subentries_data=[linked("chg_old", "Carport")],
        disabled_by=ConfigEntryDisabler.USER,
    )
    other.add_to_hass(hass)
    await hass.async_block_till_done()
    assert shown(hass) is None
    await hass.config_entries.async_set_disabled_by(other.entry_id, None)
    issue = await until(lambda: shown(hass))
    assert (issue.translation_placeholders or {})["second"] == "Carport (Ana)"
    await until(lambda: both.box.real_w > -50)
    await hass.config_entries.async_remove(other.entry_id)
    assert shown(hass) is None
    await until(lambda: both.box.real_w < -6_000)


async def test_charging_goes_on_with_two_hands_and_stop_works_with_either(both: TwoHands) -> None:
    """The one with nothing to do keeps off: its zeros ended the other's charging, and no more."""
    await both.car_stands_at(both.garage_id)
    await until(lambda: both.executor(both.again_id).driver.watch.setpoint_w == 0)
    await both.home.set("switch", both.garage_id, "charge_now", "turn_on")
    await until(lambda: both.box.real_w > 6_000)
    before = len(both.box.commands)
    await asyncio.sleep(6)
    assert both.box.commands[before:] == []
    await both.home.set("button", both.again_id, "stop_now", "press")
    await until(lambda: both.box.real_w < 50)


async def test_what_one_hand_of_ours_sets_is_no_hand_of_the_owners_to_the_other(
    both: TwoHands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stepped back for twelve hours from a charger that nobody had touched."""
    # No command of its own can still be echoing, and the car has long been plugged in.
    monkeypatch.setattr("custom_components.v2g_owner.control_watch.ECHO", timedelta())
    monkeypatch.setattr("custom_components.v2g_owner.executor_hand.TOGETHER", timedelta())
    both.box.soc_pct = 95
    await both.car_stands_at(both.garage_id)
    again = both.executor(both.again_id)
    await until(lambda: again.driver.watch.setpoint_w == 0)
    await until(lambda: both.executor(both.garage_id).verdict.reason is Reason.CHARGED)
    await until(lambda: both.box.real_w == 0)
    await both.home.set("switch", both.garage_id, "charge_now", "turn_on")
    await until(lambda: both.box.real_w > 3_000)
    assert again.memory.orders.override is None
    await both.home.set("switch", both.garage_id, "charge_now", "turn_off")
    await until(lambda: both.box.real_w < 50)
    assert again.memory.orders.override is None


async def test_a_discharge_by_hand_is_undone_with_two_hands_also_where_no_meter_shows_it(
    both: TwoHands,
) -> None:
    """Promise 3: doubt means stop; that the meter says nothing is no rest."""
    hass = both.home.hass
    both.box.soc_pct = 95
    await both.car_stands_at(both.garage_id)
    await until(lambda: both.executor(both.garage_id).verdict.reason is Reason.CHARGED)
    ours = [both.executor(each).driver for each in (both.garage_id, both.again_id)]
    await until(lambda: both.box.real_w == 0 and all(each.is_at_rest(0) for each in ours))
    both.box.meter_silent = True
    hass.states.async_set(POWER, "unavailable")
    by_hand = {"entity_id": "number.wallbox_setting", "value": -16.0}
    person = Context(user_id="li")
    await hass.services.async_call("number", "set_value", by_hand, blocking=True, context=person)
    await until(lambda: both.executor(both.garage_id).verdict.reason is Reason.SHARED)
    await until(lambda: both.box.real_w > -50)


async def test_the_repair_of_a_charger_without_rest_ends_with_its_control(both: TwoHands) -> None:
    """Nobody sets it any more, so nobody would ever see it at rest."""
    hass = both.home.hass
    again = both.executor(both.again_id)
    await until(lambda: again.driver.watch.taken)
    await both.home.hass.async_block_till_done()
    now = dt_util.utcnow()
    spell = Spell(since=now - timedelta(minutes=5), seen_at=now)
    again.driver.watch = replace(again.driver.watch, unrest=Unrest(much=spell))
    again.async_tick()

    def restless() -> bool:
        issues = ir.async_get(hass).issues.values()
        return any(each.translation_key == "charger_restless" for each in issues if each.active)

    await until(restless)
    entry = both.home.entry
    known = next(each for each in entry.subentries.values() if each.title == "Garage again")
    data = {key: value for key, value in known.data.items() if key != CONF_CONTROL}
    hass.config_entries.async_update_subentry(entry, known, data=data)
    await until(lambda: list(executors_of(hass, entry)) == [both.garage_id])
    await until(lambda: not restless())


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"shape": "wallbox"}, "number.wallbox_setting"),
        (
            {"shape": "ocpp", "setpoint_entity": "number.of_its_own"},
            None,
        ),
        (
            {
                "shape": "actions",
                "set_actions": [
                    {
                        "if": "{{ power_w > 0 }}",
                        "then": [
                            {
                                "action": "number.set_value",
                                "target": {"entity_id": ["number.wallbox_setting"]},
                            }
                        ],
                    }
                ],
            },
            "number.wallbox_setting",
        ),
        (
            {
                "shape": "actions",
                "set_actions": [
                    {
                        "action": "mqtt.publish",
                        "data": {"payload": "{{ states('number.wallbox_setting') }}"},
                    }
                ],
            },
            None,
        ),
        ({"shape": "wallbox", "charge_tested_at": None}, None),
    ],
    ids=["the number", "another one", "actions that set it", "actions that read it", "not tested"],
)
async def test_what_is_set_through_the_same_thing_is_told(
    hass: HomeAssistant, other: dict[str, Any], what: str | None
) -> None:
    """Whatever the shapes; an untested charger is never set."""
    for title, charger in (
        ("Li", linked("chg_1", "Garage")),
        ("Ana", linked("chg_2", "Carport", **other)),
    ):
        MockConfigEntry(domain=DOMAIN, title=title, subentries_data=[charger]).add_to_hass(hass)
    assert await async_setup_component(hass, DOMAIN, {})
    issue = shown(hass)
    told = None if issue is None else issue.translation_placeholders
    names = {"first": "Garage (Li)", "second": "Carport (Ana)"}
    assert told == (None if what is None else {**names, "what": what})


async def test_the_same_mode_and_the_same_actions_are_two_hands_as_well(
    hass: HomeAssistant,
) -> None:
    """Two numbers beside one switch, and one maker's action without an entity."""
    for index, shape in enumerate(("ocpp", "ocpp", "actions", "actions")):
        own = {} if shape == "actions" else {"setpoint_entity": f"number.box_{index}"}
        charger = linked(f"chg_{index}", f"Box {index}", shape, **own)
        MockConfigEntry(domain=DOMAIN, title="Li", subentries_data=[charger]).add_to_hass(hass)
    assert await async_setup_component(hass, DOMAIN, {})
    told = [
        tuple((each.translation_placeholders or {}).values())
        for each in ir.async_get(hass).issues.values()
        if each.translation_key == "charger_shared"
    ]
    assert sorted(told) == [
        ("Box 0 (Li)", "Box 1 (Li)", "switch.wallbox_charge_control"),
        ("Box 2 (Li)", "Box 3 (Li)", "script.charger_power"),
    ]
