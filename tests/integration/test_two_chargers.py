"""Two chargers at home, and sensors that do not speak in the order in which cars are plugged in."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import Context, HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.v2g_owner.executor import ChargerExecutor
from custom_components.v2g_owner.executors import (
    async_stop_executors,
    executors_of,
)

from .charger_world import EVENING, lease
from .household import Box, Car, async_link, limits, plug

# More than --fast has time for.
pytestmark = pytest.mark.slow
BY_AN_AUTOMATION = Context(parent_id="01J0000000000000000000TEST")


class Drive:
    """Two chargers side by side, with an executor each."""

    def __init__(self, hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
        """Begin with nobody at home."""
        self.hass, self.freezer = hass, freezer
        self.blue = Car(hass=hass, name="blue", soc_pct=60.4)
        self.red = Car(hass=hass, name="red", soc_pct=30.2)
        self.guest = Car(hass=hass, name="guest", soc_pct=40, mapped=False)
        self.left, self.right = Box(hass=hass, name="left"), Box(hass=hass, name="right")
        self.executors: dict[str, ChargerExecutor] = {}
        self.entries: list[MockConfigEntry] = []

    async def start(self, *accounts: tuple[list[Box], list[Car]]) -> None:
        """Start the executors of each account, which has chargers and cars."""
        for car in (self.blue, self.red):
            car.report()
        for boxes, cars in accounts:
            entry = await async_link(self.hass, boxes, cars)
            self.entries.append(entry)
            for box in boxes:
                self.executors[box.name] = executors_of(self.hass, entry)[box.charger_id]
                self.executors[box.name].async_take(limits(cars))
        await self.seconds(6)

    async def end(self) -> None:
        """End them."""
        for entry in self.entries:
            await async_stop_executors(self.hass, entry)

    async def seconds(self, count: int) -> None:
        """Let seconds pass."""
        for _ in range(count):
            self.freezer.tick(1)
            for each in (self.blue, self.red, self.left, self.right):
                each.step()
            async_fire_time_changed(self.hass)
            await self.hass.async_block_till_done()

    def bound(self) -> list[str | None]:
        """Return the cars that are known for certain, left and right."""
        return [executor.memory.parking.bound for executor in self.executors.values()]


@pytest.fixture
async def drive(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, hass_storage: dict[str, Any]
) -> AsyncIterator[Drive]:
    """Have two chargers, with no car there."""
    freezer.move_to(EVENING)
    made = Drive(hass, freezer)
    yield made
    await made.end()


@pytest.fixture
async def family(drive: Drive) -> Drive:
    """Give one account both chargers and two cars."""
    await drive.start(([drive.left, drive.right], [drive.blue, drive.red]))
    return drive


def sell(executor: ChargerExecutor, car: Car) -> None:
    """Let a deal of a car run at a charger."""
    sold = replace(lease(300), vehicle_id=car.vehicle_id)
    executor.async_take(replace(executor.memory.orders, lease=sold))


async def test_promise_1_a_guest_who_comes_in_the_same_minute_is_not_taken_for_the_owners_car(
    family: Drive,
) -> None:
    """Promise 1: the guest at the left, the owner's car at the right, whose charger tells later."""
    family.right.conn_lag_s = 30
    plug(family.guest, family.left)
    await family.seconds(10)
    plug(family.blue, family.right)
    await family.seconds(60)
    sell(family.executors["left"], family.blue)
    await family.seconds(20)
    assert family.bound() == [None, None]
    assert family.guest.soc_pct >= 40
    family.executors["right"].async_name_car(family.blue.vehicle_id)
    sell(family.executors["right"], family.blue)
    await family.seconds(20)
    assert family.right.real_w == pytest.approx(-6_900, abs=50), "the owner said which it is"


async def test_promise_2_two_cars_that_come_together_are_not_taken_for_each_other(
    family: Drive,
) -> None:
    """Promise 2: the car whose cloud speaks first would guard the other's floor with its own."""
    family.blue.plug_lag_s, family.red.plug_lag_s = 60, 10
    plug(family.blue, family.left)
    await family.seconds(20)
    plug(family.red, family.right)
    await family.seconds(90)
    assert family.bound() == [None, None]


async def test_a_car_is_known_beside_one_that_the_owner_called_a_guests(family: Drive) -> None:
    plug(family.guest, family.left)
    await family.seconds(10)
    family.executors["left"].async_name_car(None)
    plug(family.blue, family.right)
    await family.seconds(10)
    assert family.bound() == [None, "veh_blue"]


async def test_cars_that_come_one_after_the_other_are_known_at_once(family: Drive) -> None:
    plug(family.red, family.right)
    await family.seconds(150)
    plug(family.blue, family.left)
    await family.seconds(10)
    assert family.bound() == ["veh_blue", "veh_red"]


async def test_promise_1_a_charger_of_another_account_counts_as_well(drive: Drive) -> None:
    """Promise 1: each of a couple has an account; his car stands at her charger."""
    await drive.start(([drive.left], [drive.blue]), ([drive.right], [drive.red]))
    plug(drive.guest, drive.left)
    await drive.seconds(10)
    plug(drive.blue, drive.right)
    await drive.seconds(20)
    assert drive.bound() == [None, None]
    plug(drive.blue, None)
    plug(drive.guest, None)
    await drive.seconds(150)
    await async_stop_executors(drive.hass, drive.entries.pop())
    plug(drive.blue, drive.left)
    await drive.seconds(10)
    assert drive.bound() == ["veh_blue", None]


async def test_promise_1_what_was_set_by_hand_takes_nothing_out_of_the_car_that_comes_next(
    family: Drive,
) -> None:
    """Promise 1: the charger is asked every five seconds, and shows no gap between the two."""
    plug(family.red, family.right)
    await family.seconds(20)
    data = {"entity_id": family.right.number.entity_id, "value": -30}
    await family.hass.services.async_call(
        "number", "set_value", data, blocking=True, context=BY_AN_AUTOMATION
    )
    await family.seconds(10)
    assert family.right.real_w == pytest.approx(-6_900, abs=50), "it was the owner's hand"
    before = family.blue.soc_pct
    plug(family.blue, family.right)
    await family.seconds(60)
    assert family.bound() == [None, "veh_blue"]
    assert family.right.real_w >= 0
    assert family.blue.soc_pct > before - 0.05
