"""Mapping a charger's control, and the guided test that stands before its first use."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from homeassistant.config_entries import SOURCE_RECONFIGURE
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.v2g_owner.const import DOMAIN
from custom_components.v2g_owner.control_model import Reason
from custom_components.v2g_owner.executors import executors_of
from custom_components.v2g_owner.loading import async_loaded
from custom_components.v2g_owner.repairs import async_create_fix_flow

from .charger_world import OWN_ACTIONS, Wallbox, subentry
from .conftest import Home, until
from .entries import paired_entry, vehicle_subentry
from .owner_world import OwnerWorld

# More than --fast has time for.
pytestmark = pytest.mark.slow

NUMBER = {"setpoint_entity": "number.wallbox_setting", "unit": "a", "volts": 230, "phases": 1}
AMOUNT = {**NUMBER, "min_power_w": 1_380}
MAPPED = {"power_entity", "power_sign", "import_entity", "export_entity", "connected_entity"}
READY = {"car_is_mine": True, "test_discharge": False}


@pytest.fixture(autouse=True)
def short_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test take moments, not seconds."""
    monkeypatch.setattr("custom_components.v2g_owner.control_probe._SAMPLE_S", 0.005)


class Garage:
    """A home with a charger that is linked and not controlled yet."""

    def __init__(self, home: Home, box: Wallbox, charger_id: str) -> None:
        self.home, self.box, self.charger_id = home, box, charger_id
        self._running = True

    async def physics(self) -> None:
        """Let the charger live: two hundred of its seconds in one of ours."""
        while self._running:
            self.box.step()
            self.box.report()
            await asyncio.sleep(0.005)

    @property
    def entry(self) -> MockConfigEntry:
        return self.home.entry

    @property
    def data(self) -> Any:
        """What the charger's subentry keeps."""
        return self.entry.get_subentries_of_type("charger")[0].data

    async def control(self, shape: str) -> Any:
        """Begin to map the control of one shape."""
        return await self.send(await self.change("control"), next_step_id=shape)

    async def change(self, step: str) -> Any:
        """Begin to change something of the charger."""
        found = self.entry.get_subentries_of_type("charger")[0]
        flows = self.home.hass.config_entries.subentries
        context = {"source": SOURCE_RECONFIGURE, "subentry_id": found.subentry_id}
        flow = await flows.async_init((self.entry.entry_id, "charger"), context=context)
        return await self.send(flow, next_step_id=step)

    async def remap(self, **entities: str | None) -> Any:
        """Choose other entities for the charger, or with None none; returns how it ended."""
        kept = {key: value for key, value in self.data.items() if key in MAPPED} | entities
        flow = await self.change("remap")
        assert flow["step_id"] == "remap"
        done = await self.send(flow, **{key: value for key, value in kept.items() if value})
        await self.home.hass.async_block_till_done()
        return done

    async def pass_the_test(self) -> None:
        """Map a number and let the guided test pass."""
        flow = await self.send(await self.control("signed_number"), **AMOUNT)
        await self.finish(await self.send(flow, **READY))
        await self.home.hass.async_block_till_done()
        assert self.data["control"]["charge_tested_at"]

    @property
    def controlled_by(self) -> str:
        """Who the owner is told drives the charger."""
        return self.home.state("sensor", self.charger_id, "controlled_by").state

    async def send(self, flow: Any, **answers: Any) -> Any:
        """Send one form."""
        flows = self.home.hass.config_entries.subentries
        return await flows.async_configure(flow["flow_id"], answers)

    async def finish(self, flow: Any) -> Any:
        """Wait for the test to end; returns what the flow shows then."""
        assert flow["type"] is FlowResultType.SHOW_PROGRESS, flow
        flows = self.home.hass.config_entries.subentries
        async with asyncio.timeout(20):
            while flow["type"] is FlowResultType.SHOW_PROGRESS:
                await asyncio.sleep(0.05)
                shown = [
                    each for each in flows.async_progress() if each["flow_id"] == flow["flow_id"]
                ]
                if not shown:
                    return {"type": FlowResultType.ABORT}
                if shown[0]["step_id"] != "testing":
                    return await flows.async_configure(flow["flow_id"])
                flow = await flows.async_configure(flow["flow_id"])
        return flow


@pytest.fixture
async def garage(
    request: pytest.FixtureRequest, hass: HomeAssistant, world: OwnerWorld, vehicle_id: str
) -> AsyncIterator[Garage]:
    """Set up a home whose car stands at its own charger, of the shape that is asked for."""
    settings = getattr(request, "param", {})
    body = {"display_name": "Garage", "max_charge_w": 7_360, "max_discharge_w": 7_360}
    charger_id = (await world.phone.post("/v1/chargers", body))["charger_id"]
    box = Wallbox(hass=hass, **settings)
    await box.build()
    linked = subentry(charger_id=charger_id)
    data = {key: value for key, value in linked.data.items() if key != "control"}
    entry = await paired_entry(
        hass,
        world,
        [
            vehicle_subentry(vehicle_id),
            {
                "data": data,
                "subentry_type": "charger",
                "title": "Garage",
                "unique_id": charger_id,
            },
        ],
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    made = Garage(Home(hass, entry), box, charger_id)
    life = asyncio.create_task(made.physics())
    yield made
    # A flow that ended has the account loaded anew.
    await hass.async_block_till_done()
    await async_loaded(entry)
    life.cancel()


async def test_a_signed_number_passes_and_only_then_is_the_charger_controlled(
    garage: Garage,
) -> None:
    """Charging alone was tested: the home never discharges with it."""
    flow = await garage.control("signed_number")
    flow = await garage.send(flow, **AMOUNT)
    assert flow["step_id"] == "test"
    assert flow["description_placeholders"] == {"power": "1.4"}
    assert "control" not in garage.data
    done = await garage.finish(await garage.send(flow, **READY))
    assert done["type"] is FlowResultType.ABORT
    await garage.home.hass.async_block_till_done()
    assert garage.data["control"]["charge_tested_at"]
    assert "discharge_tested_at" not in garage.data["control"]
    assert not any(value < 0 for _, _, value in garage.box.commands)
    holder = garage.home.state("sensor", garage.charger_id, "controlled_by")
    assert holder.state == "plan"


@pytest.mark.parametrize("garage", [{"shape": "sigenergy"}], indirect=True)
async def test_a_number_with_a_mode_is_tested_both_ways_when_the_owner_says_so(
    garage: Garage,
) -> None:
    flow = await garage.control("number_and_mode")
    amount = {**AMOUNT, "unit": "kw", "min_power_w": 1_400}
    flow = await garage.send(flow, **amount, mode_entity="select.wallbox_mode")
    assert flow["step_id"] == "options"
    options = {"charge_option": "Charge", "stop_option": "Stop", "discharge_option": "Discharge"}
    flow = await garage.send(flow, **options)
    done = await garage.finish(await garage.send(flow, car_is_mine=True, test_discharge=True))
    assert done["type"] is FlowResultType.ABORT
    assert garage.data["control"]["discharge_tested_at"]
    assert ("mode", "Discharge") in {(what, value) for _, what, value in garage.box.commands}
    assert garage.box.told["mode"] in {"Stop", "Charge"}


@pytest.mark.parametrize("garage", [{"shape": "actions"}], indirect=True)
async def test_actions_of_the_owners_are_tested_both_ways_and_then_driven(garage: Garage) -> None:
    """A script entity of the owner's sets a power, an action of the maker's stops."""
    flow = await garage.control("actions")
    rest = {"volts": 230, "phases": 1, "min_power_w": 1_400}
    flow = await garage.send(flow, **OWN_ACTIONS, **rest)
    assert flow["step_id"] == "test"
    done = await garage.finish(await garage.send(flow, car_is_mine=True, test_discharge=True))
    assert done["type"] is FlowResultType.ABORT
    assert garage.data["control"]["discharge_tested_at"]
    asked = [value for _, _, value in garage.box.commands]
    assert {1_400, -1_400, 0} <= set(asked)
    await garage.home.hass.async_block_till_done()
    holder = garage.home.state("sensor", garage.charger_id, "controlled_by")
    assert holder.state == "plan"


@pytest.mark.parametrize("garage", [{"shape": "actions"}], indirect=True)
async def test_actions_that_can_never_run_are_refused_at_once_with_what_is_wrong(
    garage: Garage,
) -> None:
    """Not after a test that could only say that nothing moved."""
    rest = {"volts": 230, "phases": 1, "min_power_w": 1_400}
    flow = await garage.control("actions")
    flow = await garage.send(flow, set_actions=[{"act": "script.charger_power"}], **rest)
    assert (flow["step_id"], flow["errors"]) == ("actions", {"base": "invalid_actions"})
    assert flow["description_placeholders"]["detail"]
    flow = await garage.send(flow, set_actions=[], **rest)
    assert flow["errors"] == {"base": "invalid_actions"}
    assert (await garage.send(flow, **OWN_ACTIONS, **rest))["step_id"] == "test"


@pytest.mark.parametrize("garage", [{"inverted": True}], indirect=True)
async def test_an_inverted_command_is_noticed_and_turned_around(garage: Garage) -> None:
    """Which of the two is the wrong way round only the owner's eyes can tell."""
    flow = await garage.send(await garage.control("signed_number"), **AMOUNT)
    shown = await garage.finish(await garage.send(flow, **READY))
    assert shown["step_id"] == "inverted"
    assert float(shown["description_placeholders"]["measured"]) == pytest.approx(-1.4, abs=0.1)
    assert garage.box.told["number"] == 0
    flow = await garage.send(shown, next_step_id="flip_command")
    done = await garage.finish(await garage.send(flow, **READY))
    assert done["type"] is FlowResultType.ABORT
    assert garage.data["control"]["inverted"] is True
    assert garage.data["power_sign"] == "charging_positive"


@pytest.mark.parametrize("garage", [{"inverted": True}], indirect=True)
async def test_an_inverted_meter_is_turned_around_instead(garage: Garage) -> None:
    flow = await garage.send(await garage.control("signed_number"), **AMOUNT)
    shown = await garage.finish(await garage.send(flow, **READY))
    flow = await garage.send(shown, next_step_id="flip_meter")
    done = await garage.finish(await garage.send(flow, **READY))
    assert done["type"] is FlowResultType.ABORT
    assert garage.data["power_sign"] == "discharging_positive"


@pytest.mark.parametrize(
    ("garage", "finding"),
    [({"obeys": False}, "no_reaction"), ({"watts_per_unit": 690.0}, "wrong_unit")],
    ids=["a charger that ignores commands", "three phases where one was said"],
    indirect=["garage"],
)
async def test_no_reaction_and_a_wrong_unit_are_told_with_their_figures(
    garage: Garage, finding: str
) -> None:
    flow = await garage.send(await garage.control("signed_number"), **AMOUNT)
    shown = await garage.finish(await garage.send(flow, **READY))
    assert shown["step_id"] == finding
    assert shown["menu_options"] == ["test", "control"]
    assert shown["description_placeholders"]["asked"] == "1.4"
    assert "control" not in garage.data
    assert garage.box.told["number"] == 0


@pytest.mark.parametrize(
    "garage",
    [{"meter_tells_changes": True}, {"meter_tells_changes": True, "instant": True}],
    ids=["a moment later", "before the command is acknowledged"],
    indirect=True,
)
async def test_a_meter_that_tells_only_what_changes_passes_both_halves(garage: Garage) -> None:
    """At rest it has nothing to tell: the test took it for silent before anything was asked for."""
    flow = await garage.send(await garage.control("signed_number"), **AMOUNT)
    both = {"car_is_mine": True, "test_discharge": True}
    done = await garage.finish(await garage.send(flow, **both))
    assert done["type"] is FlowResultType.ABORT
    assert garage.data["control"]["charge_tested_at"]
    assert garage.data["control"]["discharge_tested_at"]


@pytest.mark.parametrize(
    "garage", [{"shape": "watts", "setting": ("W", -3_700, 3_700, 1)}], indirect=True
)
async def test_promise_2_a_number_that_takes_less_than_was_said_of_the_charger_is_refused(
    garage: Garage, world: OwnerWorld
) -> None:
    """Promise 2: the agent counted on it, and the car was not ready."""
    amount = AMOUNT | {"unit": "w"}
    flow = await garage.send(await garage.control("signed_number"), **amount)
    assert flow["errors"] == {"setpoint_entity": "gives_less"}
    told = flow["description_placeholders"]
    assert (told["most"], told["said"]) == ("3.7", "7.4")
    await world.phone.patch(f"/v1/chargers/{garage.charger_id}", {"max_charge_w": 3_700})
    await garage.entry.runtime_data.coordinator.async_refresh()
    assert (await garage.send(flow, **amount))["step_id"] == "test"


async def test_a_meter_that_tells_nothing_is_no_proof(garage: Garage) -> None:
    garage.box.meter_silent = True
    flow = await garage.send(await garage.control("signed_number"), **AMOUNT)
    shown = await garage.finish(await garage.send(flow, **READY))
    assert shown["step_id"] == "no_meter"


async def test_the_test_does_not_begin_where_it_would_be_unsafe(
    garage: Garage, world: OwnerWorld, vehicle_id: str
) -> None:
    """A guest's car, an empty battery, a discharge that is not allowed: each is said."""
    flow = await garage.send(await garage.control("signed_number"), **AMOUNT)
    refused = await garage.send(flow, car_is_mine=False, test_discharge=False)
    assert refused["errors"] == {"base": "test_needs_your_car"}
    garage.box.soc_pct = 22
    garage.box.report()
    refused = await garage.send(refused, **READY)
    assert refused["errors"] == {"base": "test_needs_charge"}
    garage.box.soc_pct = 60
    garage.box.report()
    path = f"/v1/vehicles/{vehicle_id}/preferences"
    await world.phone.patch(path, {"discharge_allowed": False})
    await garage.entry.runtime_data.coordinator.async_refresh()
    refused = await garage.send(refused, car_is_mine=True, test_discharge=True)
    assert refused["errors"] == {"base": "test_discharge_not_allowed"}
    garage.home.hass.states.async_set("number.wallbox_setting", "unavailable")
    refused = await garage.send(refused, **READY)
    assert refused["errors"] == {"base": "test_unreachable"}
    assert garage.box.commands == []


@pytest.mark.parametrize("garage", [{"shape": "ocpp"}], indirect=True)
async def test_a_number_that_cannot_be_zero_is_refused_where_it_alone_would_have_to_stop(
    garage: Garage,
) -> None:
    """Beside a switch it is fine: there the switch stops."""
    assert garage.box.number is not None
    garage.box.number._attr_native_min_value = 6
    garage.box.number.show(6)
    flow = await garage.send(await garage.control("signed_number"), **AMOUNT)
    assert flow["step_id"] == "signed_number"
    assert flow["errors"] == {"setpoint_entity": "never_zero"}
    switched = {**AMOUNT, "mode_entity": "switch.wallbox_charge_control"}
    flow = await garage.send(await garage.control("number_and_mode"), **switched)
    assert flow["step_id"] == "test"


async def test_a_number_that_drives_another_charger_is_refused_also_in_another_account(
    hass: HomeAssistant, garage: Garage
) -> None:
    """Two hands undid each other's commands: the car was hardly charged, and the relay clicked."""
    await garage.pass_the_test()
    other = MockConfigEntry(
        domain=DOMAIN,
        subentries_data=[
            {
                "data": dict(garage.data),
                "subentry_type": "charger",
                "title": "Garage of old",
                "unique_id": "chg_old",
            }
        ],
    )
    other.add_to_hass(hass)
    flow = await garage.send(await garage.control("signed_number"), **AMOUNT)
    assert flow["errors"] == {"setpoint_entity": "driven_elsewhere"}
    actions = [{"action": "number.set_value", "target": {"entity_id": AMOUNT["setpoint_entity"]}}]
    acting = await garage.send(await garage.control("actions"), set_actions=actions)
    assert acting["errors"] == {"base": "driven_elsewhere"}
    await hass.config_entries.async_remove(other.entry_id)
    flow = await garage.send(flow, **AMOUNT)
    assert flow["step_id"] == "test"


@pytest.mark.parametrize(
    "garage",
    [
        {"shape": "watts", "setting": ("W", 500, 7_400, 10)},
        {"shape": "watts", "setting": ("W", -7_400, -500, 10)},
    ],
    ids=["charges", "discharges"],
    indirect=True,
)
async def test_a_number_that_is_only_rounded_to_zero_is_refused_too(
    hass: HomeAssistant, garage: Garage
) -> None:
    """Home Assistant shows the 500 W it begins or ends with as 0 kW."""
    er.async_get(hass).async_update_entity_options(
        NUMBER["setpoint_entity"], "number", {"unit_of_measurement": "kW"}
    )
    flow = await garage.send(await garage.control("signed_number"), **{**AMOUNT, "unit": "kw"})
    assert flow["errors"] == {"setpoint_entity": "never_zero"}


@pytest.mark.parametrize("garage", [{"shape": "watts"}], indirect=True)
async def test_a_number_counts_what_it_is_shown_in_unless_that_is_none_of_ours(
    hass: HomeAssistant, garage: Garage
) -> None:
    """Said otherwise, it would take a thousand times as much, or as little."""
    rest = {key: value for key, value in AMOUNT.items() if key != "unit"}
    form = await garage.control("signed_number")
    refused = await garage.send(form, **rest, unit="kw")
    assert (refused["step_id"], refused["errors"]) == ("signed_number", {"unit": "unit_differs"})
    assert refused["description_placeholders"] == {"unit": "W"}
    assert garage.box.number is not None
    for unit, entity_id, errors in (
        ("%", NUMBER["setpoint_entity"], {"setpoint_entity": "unit_unknown"}),
        (None, NUMBER["setpoint_entity"], {"unit": "unit_missing"}),
        ("W", "input_number.power", {"unit": "unit_missing"}),
    ):
        garage.box.number._attr_device_class = None
        garage.box.number._attr_native_unit_of_measurement = unit
        garage.box.number.async_write_ha_state()
        hass.states.async_set("input_number.power", "0", {"unit_of_measurement": unit})
        refused = await garage.send(refused, **{**rest, "setpoint_entity": entity_id})
        assert (refused["step_id"], refused["errors"]) == ("signed_number", errors)
    flow = await garage.send(refused, **rest)
    assert flow["step_id"] == "test"
    await garage.finish(await garage.send(flow, **READY))
    await hass.async_block_till_done()
    assert garage.data["control"]["unit"] == "w"
    garage.box.number._attr_native_unit_of_measurement = "kW"
    garage.box.number.async_write_ha_state()
    form = await garage.control("signed_number")
    (unit_field,) = [key for key in form["data_schema"].schema if key.schema == "unit"]
    assert unit_field.description == {"suggested_value": "kw"}


async def stop_discharging(garage: Garage) -> None:
    """Press the account's button."""
    owner_id = garage.entry.unique_id or ""
    await garage.home.set("button", owner_id, "stop", "press")


async def stop_now(garage: Garage) -> None:
    """Press the charger's own button."""
    await garage.home.set("button", garage.charger_id, "stop_now", "press")


async def close(garage: Garage) -> None:
    """Close the dialog."""
    flows = garage.home.hass.config_entries.subentries
    (flow,) = flows.async_progress()
    flows.async_abort(flow["flow_id"])


async def shut_down(garage: Garage) -> None:
    """Stop Home Assistant."""
    await garage.home.hass.async_stop(force=True)


@pytest.mark.parametrize("garage", [{"obeys": False}], indirect=True)
@pytest.mark.parametrize("half", ["before", "charging", "discharging"])
@pytest.mark.parametrize("stop", [stop_discharging, stop_now, close, shut_down])
async def test_promise_4_a_stop_ends_the_guided_test_and_nothing_is_set_after_it(
    garage: Garage,
    stop: Callable[[Garage], Awaitable[None]],
    half: str,
) -> None:
    """Promise 4: also where the charger was never controlled before; zero is the last word."""
    if stop is stop_now:
        garage.box.obeys = True
        await garage.pass_the_test()
        await until(lambda: garage.controlled_by != "unavailable")
    garage.box.obeys = half == "discharging"
    flow = await garage.send(await garage.control("signed_number"), **AMOUNT)
    asked = len(garage.box.commands)
    flow = await garage.send(flow, **{**READY, "test_discharge": True})
    assert flow["type"] is FlowResultType.SHOW_PROGRESS
    wanted: dict[str, Callable[[float], bool]] = {
        "before": lambda told: told == 0,
        "charging": lambda told: told > 0,
        "discharging": lambda told: told < 0,
    }
    await until(lambda: [v for _, _, v in garage.box.commands[asked:] if wanted[half](v)])
    asked = len(garage.box.commands)
    await stop(garage)
    await garage.home.hass.async_block_till_done()
    await asyncio.sleep(0.3)
    assert {value for _, _, value in garage.box.commands[asked:]} == {0}
    if stop in {stop_discharging, stop_now}:
        (shown,) = garage.home.hass.config_entries.subentries.async_progress()
        menu = await garage.home.hass.config_entries.subentries.async_configure(shown["flow_id"])
        assert menu["step_id"] == "stopped"
        assert menu["menu_options"] == ["test", "control"]
    if stop is stop_discharging:
        assert "control" not in garage.data


async def test_a_reload_during_a_test_that_is_repeated_sets_nothing_against_it(
    garage: Garage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The executor that comes with the reload knows of the test, and so did the one before."""
    await garage.pass_the_test()
    await until(lambda: garage.controlled_by == "plan")
    # Long enough for a reload in between.
    monkeypatch.setattr("custom_components.v2g_owner.control_probe._SAMPLE_S", 0.5)
    flow = await garage.send(await garage.control("signed_number"), **AMOUNT)
    asked = len(garage.box.commands)
    flow = await garage.send(flow, **READY)
    await until(lambda: [v for _, _, v in garage.box.commands[asked:] if v > 0])
    asked = len(garage.box.commands)
    hass = garage.home.hass
    assert await hass.config_entries.async_reload(garage.entry.entry_id)
    executor = executors_of(hass, garage.entry)[garage.charger_id]
    assert executor.verdict.reason is Reason.TESTING
    assert garage.box.commands[asked:] == []
    done = await garage.finish(flow)
    assert done["type"] is FlowResultType.ABORT, done
    await hass.async_block_till_done()
    await until(lambda: garage.controlled_by == "plan")


@pytest.mark.parametrize("garage", [{"shape": "actions"}], indirect=True)
async def test_charging_goes_on_after_a_repeated_test_that_failed(
    garage: Garage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test left zero, and actions show nothing that would contradict our last command."""
    rest = {"volts": 230, "phases": 1, "min_power_w": 1_400}
    flow = await garage.send(await garage.control("actions"), **OWN_ACTIONS, **rest)
    await garage.finish(await garage.send(flow, **READY))
    await garage.home.hass.async_block_till_done()
    executor = executors_of(garage.home.hass, garage.entry)[garage.charger_id]
    executor.async_charge_now()
    await until(lambda: garage.box.told["number"] > 6_000)
    garage.box.obeys = False
    # Long enough for a look in between.
    monkeypatch.setattr("custom_components.v2g_owner.control_probe._SAMPLE_S", 0.1)
    flow = await garage.send(await garage.control("actions"), **OWN_ACTIONS, **rest)
    menu = await garage.finish(await garage.send(flow, **READY))
    assert menu["step_id"] == "no_reaction"
    garage.box.obeys = True
    await until(lambda: garage.box.told["number"] > 6_000)


@pytest.mark.parametrize(
    "other",
    [{"power_entity": "sensor.other_meter"}, {"power_sign": "discharging_positive"}],
    ids=["another meter", "the meter the other way round"],
)
async def test_after_another_meter_was_chosen_the_charger_is_not_driven_before_a_new_test(
    garage: Garage, other: dict[str, str]
) -> None:
    """What the old meter saw proves nothing of the new; how it is controlled stays known."""
    await garage.pass_the_test()
    assert garage.controlled_by == "plan"
    done = await garage.remap(**other)
    assert done["reason"] == "reconfigure_successful"
    assert other.items() <= garage.data.items()
    assert "charge_tested_at" not in garage.data["control"]
    assert garage.controlled_by != "plan"
    await garage.remap(power_entity="sensor.wallbox_power", power_sign="charging_positive")
    assert garage.controlled_by != "plan"
    form = await garage.control("signed_number")
    shown = {
        key.schema: (key.description or {}).get("suggested_value")
        for key in form["data_schema"].schema
    }
    assert AMOUNT.items() <= shown.items()
    flow = await garage.send(form, **AMOUNT)
    await garage.finish(await garage.send(flow, **READY))
    await garage.home.hass.async_block_till_done()
    assert garage.controlled_by == "plan"


async def test_a_repair_that_turns_the_sign_makes_the_test_void_as_the_form_does(
    hass: HomeAssistant, garage: Garage
) -> None:
    """Where the meters were swapped, the sign was right: only a test can tell."""
    await garage.pass_the_test()
    (linked,) = garage.entry.get_subentries_of_type("charger")
    about = {
        "entry_id": garage.entry.entry_id,
        "subentry_id": linked.subentry_id,
        "fix": "turn_sign",
    }
    repair: Any = await async_create_fix_flow(hass, "power_sign_wrong", about)
    repair.hass = hass
    await repair.async_step_confirm({})
    await hass.async_block_till_done()
    assert garage.data["power_sign"] == "discharging_positive"
    assert garage.data["control"]["setpoint_entity"] == "number.wallbox_setting"
    assert not [key for key in garage.data["control"] if key.endswith("_tested_at")]
    await until(lambda: garage.controlled_by == "nobody")


async def test_choosing_other_counters_leaves_the_test_as_passed(garage: Garage) -> None:
    """Only what the test looked through makes it void."""
    await garage.pass_the_test()
    tested = garage.data["control"]
    await garage.remap(import_entity="sensor.other_import", export_entity=None)
    assert garage.data["import_entity"] == "sensor.other_import"
    assert "export_entity" not in garage.data
    assert garage.data["control"] == tested
    assert garage.controlled_by == "plan"


async def test_without_a_power_sensor_control_is_refused_until_one_is_chosen(
    garage: Garage,
) -> None:
    """The test would have nothing to look at; the owner is told so before filling in forms."""
    await garage.remap(power_entity=None)
    assert "control" not in garage.data
    refused = await garage.change("control")
    assert (refused["type"], refused["reason"]) == (FlowResultType.ABORT, "no_power_entity")
    await garage.remap(power_entity="sensor.wallbox_power")
    await garage.pass_the_test()


async def test_the_test_does_not_begin_while_the_account_is_not_loaded(
    garage: Garage, world: OwnerWorld
) -> None:
    """The floor of the car's battery could not be asked; the form stays open until it can."""
    form = await garage.send(await garage.control("signed_number"), **AMOUNT)
    await world.stop_server()
    await garage.home.hass.config_entries.async_reload(garage.entry.entry_id)
    away = await garage.send(form, **READY)
    assert (away["step_id"], away["errors"]) == ("test", {"base": "cannot_connect"})
    assert away["description_placeholders"] == form["description_placeholders"]
    await world.start_server()
    await garage.home.hass.config_entries.async_reload(garage.entry.entry_id)
    await garage.finish(await garage.send(away, **READY))
    await garage.home.hass.async_block_till_done()
    assert garage.data["control"]["charge_tested_at"]


async def test_a_charger_that_is_unlinked_leaves_no_memory_behind(
    garage: Garage, hass_storage: dict[str, Any]
) -> None:
    """Its leave times and limits stayed on disk, also when the account was deleted later."""
    await garage.pass_the_test()
    kept = f"{DOMAIN}.{garage.charger_id}"
    hass, entry = garage.home.hass, garage.entry
    await until(lambda: kept in hass_storage)
    (charger,) = entry.get_subentries_of_type("charger")
    assert hass.config_entries.async_remove_subentry(entry, charger.subentry_id)
    await hass.async_block_till_done()
    await async_loaded(entry)
    assert kept not in hass_storage
