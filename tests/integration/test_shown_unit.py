"""A charger's number whose unit is not the one that was mapped: chosen anew, or another kind."""

from datetime import timedelta
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest

from custom_components.v2g_owner.charger_control import ChargerControl, Shape
from custom_components.v2g_owner.charger_range import Range, Unit

from .charger_world import EVENING, Night, Wallbox, discharging, lease, orders, plan

# More than --fast has time for.
pytestmark = pytest.mark.slow

NUMBER = "number.wallbox_setting"
OTHER = {"watts": "kW", "kilowatts": "W", "sigenergy": "W"}


def show_in(hass: HomeAssistant, unit: str) -> None:
    """Choose the unit in which Home Assistant shows the number, as its owner does."""
    er.async_get(hass).async_update_entity_options(NUMBER, "number", {"unit_of_measurement": unit})


def numbers(box: Wallbox) -> list[float]:
    """Return what the charger itself was told since it is looked at, in its own unit."""
    return [value for _, what, value in box.commands if what == "number"]


@pytest.mark.parametrize(
    "night", [{"shape": shape} for shape in OTHER], ids=list(OTHER), indirect=True
)
async def test_a_number_shown_in_another_unit_sets_what_was_leased(night: Night) -> None:
    """Not a thousand times as much, nor as little."""
    box = night.box
    show_in(night.hass, OTHER[box.shape])
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(60, power_w=-2_000)))
    seconds = await night.seconds(20)
    assert seconds[-1].reason == "delivering"
    assert min(second.power_w for second in seconds) == -2_000
    assert seconds[-1].power_w == -2_000
    state = night.hass.states.get(NUMBER)
    assert state is not None
    assert state.attributes["unit_of_measurement"] == OTHER[box.shape]


@pytest.mark.parametrize(
    "night", [{"shape": shape} for shape in OTHER], ids=list(OTHER), indirect=True
)
async def test_a_unit_chosen_while_power_flows_changes_no_power_and_is_no_hand(
    night: Night,
) -> None:
    """The number in Home Assistant changes at once, and nobody has set it."""
    executor = await night.start()
    await night.plug_in()
    hours = timedelta(hours=12)
    executor.async_take(orders(plan=plan(EVENING + hours, (EVENING, 3_000, 90))))
    before = await night.seconds(200)
    assert before[-1].power_w == 3_000
    show_in(night.hass, OTHER[night.box.shape])
    charging = await night.seconds(200)
    assert {(second.holder, second.power_w) for second in charging} == {("plan", 3_000)}
    executor.async_take(orders(lease=lease(300, power_w=-2_700)))
    await night.seconds(200)
    unit = {"W": "kW", "kW": "W"}[OTHER[night.box.shape]]
    show_in(night.hass, unit)
    out = await night.seconds(60)
    assert {(second.reason, second.power_w) for second in out} == {("delivering", -2_700)}


@pytest.mark.parametrize("night", [{"shape": "watts"}], indirect=True)
async def test_what_home_assistant_rounds_in_the_chosen_unit_is_still_ours(night: Night) -> None:
    """It shows 2.7 kW of 2,735 W: our own command, however late the charger tells it."""
    night.box.late_s = 150
    show_in(night.hass, "kW")
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(600, power_w=-2_735)))
    seconds = await night.seconds(300)
    assert {second.reason for second in seconds[2:]} == {"delivering"}
    assert {value for value in numbers(night.box) if value} == {-2_735}
    # Once it is shown, nothing is asked again.
    asked = len(numbers(night.box))
    await night.seconds(200)
    assert len(numbers(night.box)) == asked


@pytest.mark.parametrize("night", [{"shape": "watts"}], indirect=True)
async def test_the_owners_hand_is_understood_in_the_unit_it_is_shown_in(night: Night) -> None:
    """A charge of 2 kW by hand is no discharge, and is left alone."""
    show_in(night.hass, "kW")
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders())
    await night.seconds(200)
    night.box.by_hand("number", 2_000.0)
    seconds = await night.seconds(20)
    assert seconds[-1].holder == "owner"
    assert executor.memory.orders.override is not None
    assert executor.memory.orders.override.power_w == 2_000


@pytest.mark.parametrize("step", [1, 10])
@pytest.mark.parametrize("night", [{"shape": "watts"}], indirect=True)
async def test_a_renamed_number_is_set_as_finely_as_before(night: Night, step: int) -> None:
    """A renaming makes the registry call the chosen unit the number's own; its step is not."""
    registry = er.async_get(night.hass)
    assert night.box.number is not None
    night.box.number._attr_native_step = step
    show_in(night.hass, "kW")
    for old, new in ((NUMBER, "number.renamed"), ("number.renamed", NUMBER)):
        await night.hass.async_block_till_done()
        registry.async_update_entity(old, new_entity_id=new)
    await night.hass.async_block_till_done()
    entry = registry.async_get(NUMBER)
    assert entry is not None
    assert entry.unit_of_measurement == "kW"
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(plan=plan(EVENING + timedelta(hours=12), (EVENING, 3_700, 90))))
    assert {second.power_w for second in (await night.seconds(60))[5:]} == {3_700}
    executor.async_take(orders(lease=lease(60, power_w=-2_730)))
    assert (await night.seconds(20))[-1].power_w == -2_730


@pytest.mark.parametrize("unit", ["A", "V", "%"])
@pytest.mark.parametrize("night", [{"shape": "watts"}], indirect=True)
async def test_a_number_that_counts_something_else_by_now_is_set_to_zero_and_said(
    night: Night, unit: str
) -> None:
    """Doubt means stop: what was tested in watts says nothing about amperes or percent."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(600, power_w=-2_000)))
    assert discharging(await night.seconds(20))
    assert night.box.number is not None
    night.box.number._attr_device_class = None
    night.box.number._attr_native_unit_of_measurement = unit
    night.box.number.async_write_ha_state()
    seconds = await night.seconds(60)
    assert discharging(seconds[5:]) == []
    assert (seconds[-1].reason, seconds[-1].setpoint_w) == ("wrong_unit", 0)
    executor.async_charge_now()
    seconds = await night.seconds(20)
    assert {second.power_w for second in seconds} == {0}
    assert (seconds[-1].reason, seconds[-1].setpoint_w) == ("wrong_unit", 0)
    assert executor.verdict.holder == "charge_now"


async def test_amperes_are_never_taken_for_watts(night: Night) -> None:
    """Mapped in amperes and shown in watts: 2,000 W must not become 8 of anything."""
    assert night.box.number is not None
    night.box.number._attr_native_unit_of_measurement = "W"
    night.box.number.async_write_ha_state()
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(60, power_w=-2_000)))
    seconds = await night.seconds(20)
    assert {second.reason for second in seconds[2:]} == {"wrong_unit"}
    assert set(numbers(night.box)) == {0}


@pytest.mark.parametrize("unit", ["Watt", "千瓦", None])
async def test_a_unit_in_somebodys_own_words_leaves_the_mapping_as_it_was_tested(
    hass: HomeAssistant, unit: str | None
) -> None:
    """Home Assistant converts none that it does not know."""
    hass.states.async_set("number.x", "0", {"unit_of_measurement": unit})
    hass.states.async_set("input_number.x", "0", {"unit_of_measurement": "kW"})
    control = ChargerControl(shape=Shape.SIGNED_NUMBER, setpoint_entity="number.x", unit=Unit.WATT)
    for entity_id in ("number.x", "input_number.x"):
        state = hass.states.get(entity_id)
        assert state is not None
        assert control.native(-2_000, Range.of(state)) == -2_000


def from_8_a(kind: type[int | float]) -> dict[str, Any]:
    """Return a number of watts beside a mode that begins at 8 A, as ints or floats."""
    least, most, step = (kind(each) for each in (1_840, 7_400, 10))
    setting = ("W", least, most, step)
    return {"shape": "sigenergy", "setting": setting, "watts_per_unit": 1.0, "whole": kind is int}


@pytest.mark.parametrize("unit", ["W", "kW"])
@pytest.mark.parametrize(
    "night", [from_8_a(int), from_8_a(float)], ids=["int", "float"], indirect=True
)
async def test_promise_1_less_than_the_number_begins_with_is_nothing_however_it_is_rounded(
    night: Night, unit: str
) -> None:
    """Home Assistant shows 1,840 W as 1 kW, takes 1.5 kW, and makes 1,840 W of it."""
    show_in(night.hass, unit)
    executor = await night.start(unit="w")
    await night.plug_in()
    for asked in (1_500, 1_830):
        executor.async_take(orders(lease=lease(60, power_w=-asked)))
        seconds = await night.seconds(20)
        assert {second.power_w for second in seconds} == {0}
        assert seconds[-1].reason == "below_minimum"
    executor.async_take(orders(plan=plan(EVENING + timedelta(hours=12), (EVENING, 1_500, 90))))
    assert {second.power_w for second in await night.seconds(20)} == {0}
    executor.async_take(orders(lease=lease(60, power_w=-1_840)))
    assert (await night.seconds(20))[-1].power_w == -1_840
    executor.async_take(orders(lease=lease(60, power_w=-1_855)))
    assert (await night.seconds(20))[-1].power_w == -1_850


@pytest.mark.parametrize("unit", ["W", "kW"])
@pytest.mark.parametrize(
    "night", [{"shape": "watts", "setting": ("W", -7_400, -1_840, 10)}], indirect=True
)
async def test_promise_1_a_number_that_only_discharges_makes_nothing_larger(
    night: Night, unit: str
) -> None:
    """It ends below zero: what lies above its end is not asked for, nor zero turned into it."""
    show_in(night.hass, unit)
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(60, power_w=-1_500)))
    assert {second.power_w for second in await night.seconds(20)} == {0}
    executor.async_take(orders(lease=lease(60, power_w=-2_000)))
    assert (await night.seconds(20))[-1].power_w == -2_000


@pytest.mark.parametrize("late_s", [0, 150])
@pytest.mark.parametrize("night", [{"shape": "watts", "whole": True}], indirect=True)
async def test_whole_watts_shown_in_kilowatts_are_seen_as_obeyed(night: Night, late_s: int) -> None:
    """Home Assistant shows 3.0 kW of 2,735 W: written again every minute, flash would wear out."""
    night.box.late_s = late_s
    assert night.box.number is not None
    night.box.number.show(0)
    show_in(night.hass, "kW")
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(900, power_w=-2_735)))
    seconds = await night.seconds(200)
    assert {second.power_w for second in seconds[5:]} == {-2_735}
    asked = len(numbers(night.box))
    seconds = await night.seconds(300)
    assert {second.reason for second in seconds} == {"delivering"}
    assert len(numbers(night.box)) == asked


@pytest.mark.parametrize("night", [{"shape": "watts"}], indirect=True)
async def test_a_whole_kilowatt_by_hand_is_no_rounding_where_tenths_are_shown(night: Night) -> None:
    """3.0 kW after our 3.3 kW is the owner's, unless the charger tells whole watts."""
    show_in(night.hass, "kW")
    executor = await night.start()
    await night.plug_in()
    hours = timedelta(hours=12)
    executor.async_take(orders(plan=plan(EVENING + hours, (EVENING, 3_300, 90))))
    await night.seconds(200)
    night.box.by_hand("number", 3_000.0)
    assert (await night.seconds(20))[-1].holder == "owner"
