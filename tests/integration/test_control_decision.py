"""The pure core of a home charger: what no orders, sight or time may ever make it do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.v2g_owner.charger_car import Parking
from custom_components.v2g_owner.charger_control import ChargerControl, Shape
from custom_components.v2g_owner.charger_range import Range, Unit
from custom_components.v2g_owner.control_carry import Carry
from custom_components.v2g_owner.control_decision import CARRY_MAX_PCT, decide
from custom_components.v2g_owner.control_model import (
    CarLimits,
    ChargerLimits,
    Lease,
    Orders,
    Override,
    Plan,
    PlanStep,
    Sight,
)
from custom_components.v2g_owner.control_probe import Finding, classify
from custom_components.v2g_owner.executor_plan import shown_plan

NOW = datetime(2026, 12, 1, 18, tzinfo=UTC)
SECOND = timedelta(seconds=1)
CAR = "veh_blue"
OLDER = st.integers(0, 4_000).map(lambda seconds: NOW - seconds * SECOND)
AROUND = st.integers(-4_000, 4_000).map(lambda seconds: NOW + seconds * SECOND)
PERCENT = st.floats(0, 100)


def limits(floor: float, *, allowed: bool) -> CarLimits:
    """Return a 60 kWh car."""
    return CarLimits(
        vehicle_id=CAR,
        usable_capacity_wh=60_000,
        max_charge_w=7_000,
        max_discharge_w=7_000,
        charge_efficiency=0.933,
        discharge_efficiency=0.933,
        soc_floor_pct=floor,
        soc_ceiling_pct=90.0,
        soc_target_pct=80.0,
        soc_margin_pct=2.5,
        soc_max_age_s=900,
        departure_buffer_s=900,
        discharge_allowed=allowed,
    )


LEASES = st.builds(
    Lease,
    commitment_id=st.sampled_from(["com_1", "com_2"]),
    vehicle_id=st.sampled_from([CAR, "veh_red"]),
    power_w=st.integers(-20_000, 0),
    until=AROUND,
    told_at=OLDER,
)
STEPS = st.builds(
    PlanStep,
    start_at=AROUND,
    power_w=st.integers(0, 22_000),
    start_below_pct=PERCENT,
    stop_at_pct=PERCENT,
    planned=st.booleans(),
)
PLANS = st.builds(
    Plan,
    vehicle_id=st.sampled_from([CAR, "veh_red"]),
    made_at=OLDER,
    end_at=AROUND,
    soc_min_departure_pct=PERCENT,
    steps=st.lists(STEPS, max_size=4).map(
        lambda steps: tuple(sorted(steps, key=lambda step: step.start_at))
    ),
)
WORDS = st.builds(
    Override,
    kind=st.sampled_from(["stop", "charge", "by_hand"]),
    since=OLDER,
    until=AROUND,
    power_w=st.none() | st.integers(-9_000, 9_000),
)
ORDERS = st.builds(
    Orders,
    cars=st.tuples(st.builds(limits, PERCENT, allowed=st.booleans())),
    max_charge_w=st.integers(0, 22_000),
    max_discharge_w=st.integers(0, 22_000),
    plan=st.none() | PLANS,
    lease=st.none() | LEASES,
    override=st.none() | WORDS,
    stopped=st.sampled_from([(), ("com_1",)]),
)
SIGHTS = st.builds(
    Sight,
    reachable=st.booleans(),
    unit_fits=st.sampled_from([True, True, False]),
    plugged=st.sampled_from([True, True, False, None]),
    vehicle_id=st.sampled_from([CAR, CAR, "veh_guest", None]),
    certain=st.booleans(),
    soc_pct=st.none() | PERCENT,
    soc_at=st.none() | OLDER,
    carried_pct=st.floats(0, 15),
    power_w=st.none() | st.integers(-9_000, 9_000),
    power_at=st.none() | OLDER,
    pack_temperature_c=st.none() | st.floats(-30, 60),
)


def charger(orders: Orders, *, charge: bool = True, discharge: bool = True) -> ChargerLimits:
    """Return the limits of a tested charger."""
    return ChargerLimits(
        max_charge_w=orders.max_charge_w,
        max_discharge_w=orders.max_discharge_w,
        min_power_w=1_400,
        charge_tested=charge,
        discharge_tested=discharge,
    )


@settings(max_examples=600, deadline=None, derandomize=True)
@given(
    orders=ORDERS,
    sight=SIGHTS,
    started=OLDER,
    charge=st.booleans(),
    discharge=st.booleans(),
    charging=st.booleans(),
)
def test_promises_2_and_3_no_discharge_unless_every_single_condition_holds(
    orders: Orders,
    sight: Sight,
    started: datetime,
    *,
    charge: bool,
    discharge: bool,
    charging: bool,
) -> None:
    """Promises 2 and 3, from any orders and any sight."""
    verdict = decide(
        orders,
        sight,
        charger(orders, charge=charge, discharge=discharge),
        NOW,
        started_at=started,
        charging=charging,
    )
    if verdict.setpoint_w is None or verdict.setpoint_w >= 0:
        assert verdict.setpoint_w is None or verdict.setpoint_w <= max(orders.max_charge_w, 0)
        return
    lease, car = orders.lease, orders.cars[0]
    assert charge
    assert discharge
    assert lease is not None
    assert lease.told_at >= started
    assert lease.until > NOW
    assert lease.power_w <= verdict.setpoint_w <= -1_400
    assert verdict.setpoint_w >= -min(orders.max_discharge_w, car.max_discharge_w)
    assert lease.commitment_id not in orders.stopped
    assert (lease.vehicle_id, sight.vehicle_id) == (CAR, CAR)
    assert sight.certain
    assert sight.unit_fits
    assert sight.plugged is True
    assert car.discharge_allowed
    assert sight.soc_pct is not None
    assert sight.soc_at is not None
    assert NOW - sight.soc_at < timedelta(seconds=car.soc_max_age_s)
    assert sight.carried_pct <= CARRY_MAX_PCT
    assert NOW - max(sight.soc_at, sight.power_at or sight.soc_at) <= timedelta(seconds=60)
    assert sight.soc_pct - sight.carried_pct - car.soc_margin_pct > car.soc_floor_pct
    assert orders.override is None or orders.override.until <= NOW


GOOD_LEASE = Lease(
    commitment_id="com_1",
    vehicle_id=CAR,
    power_w=-6_000,
    until=NOW + 30 * SECOND,
    told_at=NOW - 5 * SECOND,
)
GOOD = Orders(
    cars=(limits(20, allowed=True),), max_charge_w=7_000, max_discharge_w=7_000, lease=GOOD_LEASE
)
SEEN = Sight(
    reachable=True,
    plugged=True,
    vehicle_id=CAR,
    certain=True,
    soc_pct=60.0,
    soc_at=NOW - 30 * SECOND,
    power_w=-6_000,
    power_at=NOW - SECOND,
    pack_temperature_c=20.0,
)
SOON = Plan(
    vehicle_id=CAR,
    made_at=NOW,
    end_at=NOW + timedelta(hours=1),
    soc_min_departure_pct=70.0,
    steps=(),
)


@pytest.mark.parametrize(
    ("orders", "sight", "reason"),
    [
        ({}, {}, "delivering"),
        ({"lease": replace(GOOD_LEASE, power_w=-1_400)}, {}, "delivering"),
        ({"lease": replace(GOOD_LEASE, power_w=-1_399)}, {}, "below_minimum"),
        ({"max_discharge_w": 1_000}, {}, "below_minimum"),
        ({"lease": replace(GOOD_LEASE, until=NOW)}, {}, "no_plan"),
        ({"lease": replace(GOOD_LEASE, told_at=NOW - 99 * SECOND)}, {}, "restarted"),
        ({"lease": replace(GOOD_LEASE, vehicle_id="veh_red")}, {}, "unknown_car"),
        ({"stopped": ("com_1",)}, {}, "stopped"),
        ({"cars": (limits(20, allowed=False),)}, {}, "discharge_not_allowed"),
        ({"cars": (limits(58, allowed=True),)}, {}, "floor"),
        ({"plan": SOON}, {}, "departure_minimum"),
        ({}, {"reachable": False}, "unreachable"),
        ({}, {"unit_fits": False}, "wrong_unit"),
        ({}, {"plugged": False}, "unplugged"),
        ({}, {"plugged": None}, "unknown_car"),
        ({}, {"certain": False}, "unknown_car"),
        ({}, {"vehicle_id": "veh_guest"}, "unknown_car"),
        ({}, {"soc_pct": None}, "soc_unknown"),
        ({}, {"soc_at": NOW - 900 * SECOND}, "soc_stale"),
        ({}, {"carried_pct": 10.1}, "soc_stale"),
        ({}, {"soc_at": NOW - 61 * SECOND, "power_at": NOW - 61 * SECOND}, "blind"),
        ({}, {"pack_temperature_c": -1.0}, "temperature"),
        ({"left": ("com_1",)}, {}, "unplugged"),
        ({"lease": replace(GOOD_LEASE, told_at=NOW - 60 * SECOND)}, {}, "delivering"),
        ({}, {"soc_at": NOW - 898 * SECOND}, "delivering"),
        ({}, {"soc_at": NOW - 899 * SECOND}, "soc_stale"),
        ({}, {"carried_pct": 10.0}, "delivering"),
        ({}, {"soc_at": NOW - 58 * SECOND, "power_at": NOW - 58 * SECOND}, "delivering"),
        ({}, {"soc_at": NOW - 59 * SECOND, "power_at": NOW - 59 * SECOND}, "blind"),
        ({}, {"soc_at": NOW - 59 * SECOND, "power_at": None}, "blind"),
        ({}, {"soc_at": None}, "soc_unknown"),
        ({}, {"pack_temperature_c": None}, "delivering"),
        ({}, {"pack_temperature_c": 0.0}, "delivering"),
        ({}, {"pack_temperature_c": 45.0}, "delivering"),
        ({}, {"pack_temperature_c": 45.1}, "temperature"),
        # 60 % less a margin of 2.5 points, and 0.03 for ten seconds of 6 kW on their way out.
        ({"cars": (limits(57.470, allowed=True),)}, {}, "delivering"),
        ({"cars": (limits(57.472, allowed=True),)}, {}, "floor"),
        ({"cars": (limits(47.48, allowed=True),)}, {"carried_pct": 10.0}, "floor"),
        # In the hour that is left three quarters count: 7 kW put back 8.16 points.
        ({"plan": replace(SOON, soc_min_departure_pct=65.6)}, {}, "delivering"),
        ({"plan": replace(SOON, soc_min_departure_pct=65.7)}, {}, "departure_minimum"),
        ({"plan": replace(SOON, soc_min_departure_pct=57.4, end_at=NOW)}, {}, "delivering"),
        ({"plan": replace(SOON, soc_min_departure_pct=57.5, end_at=NOW)}, {}, "departure_minimum"),
        (
            {"plan": replace(SOON, soc_min_departure_pct=65.6), "max_charge_w": 6_900},
            {},
            "departure_minimum",
        ),
        ({"plan": replace(SOON, vehicle_id="veh_red")}, {}, "delivering"),
    ],
    ids=lambda value: value if isinstance(value, str) else ",".join(value),
)
def test_from_a_discharge_that_may_be_each_broken_condition_alone_makes_none(
    orders: dict[str, Any], sight: dict[str, Any], reason: str
) -> None:
    """Promises 2 and 3, one by one; with nothing broken it discharges."""
    known = replace(GOOD, **orders)
    verdict = decide(
        known,
        replace(SEEN, **sight),
        charger(known),
        NOW,
        started_at=NOW - 60 * SECOND,
        charging=False,
    )
    assert verdict.reason == reason
    assert verdict.setpoint_w is not None
    assert (verdict.setpoint_w < 0) is (reason == "delivering")
    assert (verdict.setpoint_w > 0) is (reason == "no_plan")


FIRST = PlanStep(
    start_at=NOW - timedelta(hours=1),
    power_w=9_000,
    start_below_pct=50.0,
    stop_at_pct=60.0,
    planned=True,
)
SECOND_STEP = replace(FIRST, start_at=NOW + SECOND, power_w=3_000, planned=False)
BLOCKS = replace(SOON, steps=(FIRST, SECOND_STEP))
UNSEEN = {"soc_at": NOW - timedelta(minutes=30)}
SMALL = replace(limits(20, allowed=True), soc_ceiling_pct=70.0, max_charge_w=5_000)


@pytest.mark.parametrize("charging", [False, True])
@pytest.mark.parametrize(
    ("orders", "sight", "before", "after"),
    [
        # Without a plan up to the target; begun again only a point below it.
        ({}, {"soc_pct": 78.9}, (7_000, "no_plan"), (7_000, "no_plan")),
        ({}, {"soc_pct": 79.0}, (0, "charged"), (7_000, "no_plan")),
        ({}, {"soc_pct": 79.9}, (0, "charged"), (7_000, "no_plan")),
        ({}, {"soc_pct": 80.0}, (0, "charged"), (0, "charged")),
        ({"cars": (SMALL,)}, {"soc_pct": 68.9}, (5_000, "no_plan"), (5_000, "no_plan")),
        ({"cars": (SMALL,)}, {"soc_pct": 70.0}, (0, "charged"), (0, "charged")),
        ({}, UNSEEN, (0, "soc_unknown"), (0, "soc_unknown")),
        ({}, {"soc_at": UNSEEN["soc_at"] + SECOND}, (7_000, "no_plan"), (7_000, "no_plan")),
        ({"max_charge_w": 1_400}, {}, (1_400, "no_plan"), (1_400, "no_plan")),
        ({"max_charge_w": 1_399}, {}, (0, "below_minimum"), (0, "below_minimum")),
        ({}, {"vehicle_id": "veh_guest"}, (0, "unknown_car"), (0, "unknown_car")),
        # A block begins below one state of charge and ends at the other.
        ({"plan": BLOCKS}, {"soc_pct": 49.9}, (7_000, "plan"), (7_000, "plan")),
        ({"plan": BLOCKS}, {"soc_pct": 50.0}, (0, "waiting"), (7_000, "plan")),
        ({"plan": BLOCKS}, {"soc_pct": 60.0}, (0, "waiting"), (0, "waiting")),
        ({"plan": BLOCKS}, UNSEEN, (7_000, "plan"), (7_000, "plan")),
        (
            {"plan": replace(BLOCKS, steps=(FIRST, replace(SECOND_STEP, start_at=NOW)))},
            {"soc_pct": 49.9},
            (3_000, "plan"),
            (3_000, "plan"),
        ),
        ({"plan": replace(BLOCKS, steps=(SECOND_STEP,))}, UNSEEN, (0, "waiting"), (0, "waiting")),
        (
            {"plan": replace(BLOCKS, steps=(replace(FIRST, power_w=1_399),))},
            {"soc_pct": 49.9},
            (0, "below_minimum"),
            (0, "below_minimum"),
        ),
        # A plan that is over, empty or another car's is none.
        ({"plan": replace(BLOCKS, end_at=NOW)}, {}, (7_000, "no_plan"), (7_000, "no_plan")),
        ({"plan": SOON}, {}, (7_000, "no_plan"), (7_000, "no_plan")),
        (
            {"plan": replace(BLOCKS, vehicle_id="veh_red")},
            {},
            (7_000, "no_plan"),
            (7_000, "no_plan"),
        ),
    ],
)
def test_a_car_is_charged_by_its_plan_or_to_its_target_and_no_further(
    *,
    orders: dict[str, Any],
    sight: dict[str, Any],
    before: tuple[int, str],
    after: tuple[int, str],
    charging: bool,
) -> None:
    """``before`` is what is done where nothing was charged until now, ``after`` where it was."""
    known = replace(GOOD, lease=None, **orders)
    verdict = decide(
        known, replace(SEEN, **sight), charger(known), NOW, started_at=NOW, charging=charging
    )
    assert (verdict.setpoint_w, verdict.reason) == (after if charging else before)


@pytest.mark.parametrize(
    ("power_w", "sight", "orders", "let"),
    [
        (-6_000, {}, {}, True),
        (-6_000, {"certain": False}, {}, False),
        (-6_000, {"unit_fits": False}, {}, False),
        (-6_000, {"vehicle_id": "veh_guest"}, {}, False),
        (-6_000, {}, {"cars": (limits(58, allowed=True),)}, False),
        # Charging by hand asks nothing of the battery.
        (6_000, {"certain": False}, {}, True),
        (0, {"certain": False}, {}, True),
        # Of a mode that nobody explained the meter tells the direction, once it has spoken since.
        (None, {"certain": False}, {}, False),
        (None, {}, {}, True),
        (None, {"certain": False, "power_w": -50}, {}, True),
        (None, {"certain": False, "power_w": -51}, {}, False),
        (None, {"certain": False, "power_at": NOW - 5 * SECOND}, {}, True),
        (None, {"certain": False, "power_at": None}, {}, True),
        (None, {"certain": False, "power_w": None}, {}, True),
    ],
)
def test_promises_2_and_3_what_the_owner_discharges_by_hand_needs_no_lease_but_all_else(
    *, power_w: int | None, sight: dict[str, Any], orders: dict[str, Any], let: bool
) -> None:
    hand = Override(kind="by_hand", since=NOW - 5 * SECOND, until=NOW + 5 * SECOND, power_w=power_w)
    known = replace(GOOD, lease=None, override=hand, **orders)
    seen = replace(SEEN, **sight)
    verdict = decide(known, seen, charger(known), NOW, started_at=NOW, charging=False)
    assert (verdict.setpoint_w, verdict.holder) == (None if let else 0, "owner")
    over = decide(known, seen, charger(known), NOW + 5 * SECOND, started_at=NOW, charging=False)
    assert over.holder != "owner"


@pytest.mark.parametrize(
    ("limited", "setpoint_w", "reason"),
    [
        ({"testing": True}, None, "testing"),
        ({"charge_tested": False}, None, "not_tested"),
        ({"discharge_tested": False}, 0, "not_tested"),
        ({}, -6_000, "delivering"),
    ],
)
def test_promise_3_a_charger_is_driven_no_further_than_it_was_tested(
    limited: dict[str, bool], setpoint_w: int | None, reason: str
) -> None:
    """While it is tested, or never was, it is left alone; untested at it, it does not discharge."""
    known = replace(charger(GOOD), **limited)
    verdict = decide(GOOD, SEEN, known, NOW, started_at=NOW - 60 * SECOND, charging=False)
    assert (verdict.setpoint_w, verdict.reason) == (setpoint_w, reason)


@pytest.mark.parametrize(
    ("most_w", "sight", "setpoint_w", "reason"),
    [
        (9_000, {}, 7_000, "charge_now"),
        (3_000, {}, 3_000, "charge_now"),
        # A guest's own limit is not known: it takes what it can.
        (9_000, {"vehicle_id": "veh_guest"}, 9_000, "charge_now"),
        (1_399, {}, 0, "below_minimum"),
        (9_000, {"unit_fits": False}, 0, "wrong_unit"),
        (9_000, {"plugged": False}, 0, "unplugged"),
    ],
)
def test_charge_now_is_as_much_as_car_and_charger_take_and_above_a_parks_lease(
    most_w: int, sight: dict[str, Any], setpoint_w: int, reason: str
) -> None:
    word = Override(kind="charge", since=NOW, until=NOW + SECOND)
    known = replace(GOOD, max_charge_w=most_w, override=word)
    seen = replace(SEEN, **sight)
    verdict = decide(known, seen, charger(known), NOW, started_at=NOW, charging=False)
    assert (verdict.setpoint_w, verdict.reason) == (setpoint_w, reason)
    over = decide(known, seen, charger(known), NOW + SECOND, started_at=NOW, charging=False)
    assert over.holder != "charge_now"


@settings(max_examples=200, deadline=None, derandomize=True)
@given(orders=ORDERS, sight=SIGHTS, charging=st.booleans())
def test_promise_4_a_stop_in_force_is_always_zero(
    orders: Orders, sight: Sight, *, charging: bool
) -> None:
    """Promise 4: above plan, park, charge now and the owner's own hand."""
    # Where nothing can be reached or is plugged in, the wish is zero as well.
    stop = Override(kind="stop", since=NOW, until=NOW + SECOND)
    stopped = replace(orders, override=stop)
    verdict = decide(stopped, sight, charger(stopped), NOW, started_at=NOW, charging=charging)
    assert verdict.setpoint_w == 0


def test_a_repeated_value_is_carried_and_a_new_one_is_believed() -> None:
    """One hour of 6 kW out of 60 kWh at 0.933 is 10.7 points, whatever the sensor repeats."""
    carry = Carry().told(60.0, NOW).counted(NOW, measured_w=0, commanded_w=0)
    for minute in range(1, 61):
        at = NOW + timedelta(minutes=minute)
        carry = carry.counted(at, measured_w=-6_000, commanded_w=None).told(60.0, at)
    assert carry.carried_pct(60_000, 0.933) == pytest.approx(10.718, abs=0.001)
    assert carry.soc_at == NOW + timedelta(hours=1)
    assert carry.told(50.0, NOW + timedelta(hours=2)).carried_pct(60_000, 0.933) == 0


def test_a_restored_value_is_no_newer_than_what_was_on_disk() -> None:
    on_disk = replace(Carry().told(60.0, NOW), restored=True)
    later = NOW + timedelta(hours=1)
    assert on_disk.told(60.0, later).soc_at == NOW
    assert on_disk.told(60.0, later).told(60.0, later + SECOND).soc_at == later + SECOND
    assert on_disk.told(59.0, later).soc_at == later


def test_a_car_is_bound_only_when_both_plugs_went_in_together() -> None:
    parking = Parking().charger_says(plugged=False, now=NOW).car_says(CAR, plugged=False, now=NOW)
    early = parking.car_says(CAR, plugged=True, now=NOW + SECOND)
    together = early.charger_says(plugged=True, now=NOW + 100 * SECOND)
    apart = early.charger_says(plugged=True, now=NOW + 200 * SECOND)
    assert (together.bound, apart.bound) == (CAR, None)
    assert apart.presumed() == CAR
    assert together.charger_says(plugged=False, now=NOW + 300 * SECOND).bound is None


@pytest.mark.parametrize(
    ("before", "after", "finding"),
    [
        (0, 1_400, Finding.WORKS),
        (300, 1_650, Finding.WORKS),
        (0, 40, Finding.NO_REACTION),
        (0, -1_380, Finding.INVERTED),
        (0, 4_200, Finding.WRONG_UNIT),
        (0, 600, Finding.WRONG_UNIT),
    ],
)
def test_the_meter_tells_what_a_command_of_1_4_kw_did(
    before: int, after: int, finding: Finding
) -> None:
    assert classify(1_400, before, after) is finding
    assert classify(-1_400, -before, -after) is finding


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    power=st.integers(-22_000, 22_000),
    unit=st.sampled_from(list(Unit)),
    phases=st.sampled_from([1, 3]),
    inverted=st.booleans(),
    step=st.sampled_from([0.1, 0.5, 1.0]),
    ends=st.sampled_from([(-1e6, 1e6), (0.0, 1e6), (1.4, 1e6), (6.0, 1e6), (-1e6, -1.4)]),
)
def test_what_is_set_is_never_more_than_what_was_asked(
    *, power: int, unit: Unit, phases: int, inverted: bool, step: float, ends: tuple[float, float]
) -> None:
    """Rounding to a charger's steps goes toward zero, and the sign is the charger's own.

    Below what the number begins with nothing is set: it would be rounded up.
    """
    control = ChargerControl(
        shape=Shape.SIGNED_NUMBER,
        setpoint_entity="number.x",
        unit=unit,
        phases=phases,
        inverted=inverted,
    )
    low, high = ends
    limits = Range(low=low, high=high, step=step)
    native = control.native(power, limits)
    factor = control.watts_per()
    assert factor is not None
    watts = native * factor * (-1 if inverted else 1)
    assert abs(watts) <= abs(power) + 0.01
    upward = (power < 0) is inverted
    reachable = high > 0 if upward else low < 0
    if power and reachable and abs(power) >= control.least_in(limits):
        assert native
        assert abs(watts) > abs(power) - step * factor - 0.01
    assert watts * power >= 0


@pytest.mark.parametrize(
    ("power", "number"), [(-3_000, 0), (0, 0), (1_000, 0), (1_379, 0), (1_380, 6), (3_000, 13)]
)
def test_promise_4_a_range_without_zero_turns_no_stop_and_no_discharge_into_charging(
    power: int, number: float
) -> None:
    """Promise 4: zero is written as zero; that it is refused there is seen and told."""
    control = ChargerControl(
        shape=Shape.SIGNED_NUMBER, setpoint_entity="number.x", unit=Unit.AMPERE
    )
    (call,) = control.calls(power, Range(low=6, high=32))
    assert call.value == number


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize(
    ("power", "number", "option"),
    [(-3_000, 3.0, "out"), (-1_399, None, "stop"), (0, None, "stop"), (1_500, 1.5, "in")],
)
def test_beside_a_mode_the_number_is_the_amount_and_too_small_a_one_is_the_mode_that_stops(
    *, power: int, number: float | None, option: str, inverted: bool
) -> None:
    """Also where the directions are swapped: an amount has none."""
    control = ChargerControl(
        shape=Shape.NUMBER_AND_MODE,
        setpoint_entity="number.x",
        unit=Unit.KILOWATT,
        inverted=inverted,
        mode_entity="select.x",
        charge_option="out" if inverted else "in",
        stop_option="stop",
        discharge_option="in" if inverted else "out",
    )
    calls = control.calls(power, Range(low=1.4, high=11, step=0.1))
    expected = [option] if number is None else [number, option]
    assert [call.value for call in calls] == expected


@pytest.mark.parametrize("power", [-3_000, 0, 3_000])
def test_actions_of_the_owners_choice_are_given_the_power(power: int) -> None:
    control = ChargerControl(shape=Shape.ACTIONS)
    (call,) = control.calls(power, Range())
    data: Any = call.data
    assert data == {"power_w": power}


def test_the_plan_is_shown_as_the_charging_to_come() -> None:
    """Blocks that touch are one; what is over, and what is only for need, is not shown."""
    hour = timedelta(hours=1)

    def step(hours: int, power_w: int, stop_pct: float, *, planned: bool = True) -> PlanStep:
        return PlanStep(
            start_at=NOW + hours * hour,
            power_w=power_w,
            start_below_pct=stop_pct - 1,
            stop_at_pct=stop_pct,
            planned=planned,
        )

    steps = (
        step(0, 7_000, 55.04),
        step(2, 7_000, 62.0),
        step(4, 0, 0.0),
        step(5, 7_000, 40.0, planned=False),
        step(6, 3_500, 80.0),
    )
    plan = replace(SOON, end_at=NOW + 8 * hour, steps=steps)
    whole = {
        "start": NOW.isoformat(),
        "end": (NOW + 4 * hour).isoformat(),
        "power_w": 7_000,
        "up_to_pct": 62.0,
    }
    last = {
        "start": (NOW + 6 * hour).isoformat(),
        "end": (NOW + 8 * hour).isoformat(),
        "power_w": 3_500,
        "up_to_pct": 80.0,
    }
    assert shown_plan(plan, NOW + hour) == [whole, last]
    assert shown_plan(plan, NOW + 4 * hour) == [last]
    assert shown_plan(plan, NOW + 8 * hour) is None
    assert shown_plan(None, NOW) is None
