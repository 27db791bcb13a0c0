"""What is written to Home Assistant's states: news, to the entities it is about; nothing else."""

import asyncio
from typing import Any

from homeassistant.const import EVENT_STATE_CHANGED, EVENT_STATE_REPORTED
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest

from custom_components.v2g_owner.const import DOMAIN
from custom_components.v2g_owner.executor_sight import Eyes
from custom_components.v2g_owner.showing import Queue, Turns

from .conftest import Home, car_says, until
from .entries import paired_entry, vehicle_subentry
from .owner_world import OwnerWorld

# More than --fast has time for.
pytestmark = pytest.mark.slow


class Writes:
    """Counts writes to our entities that change something, and those that change nothing."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Begin to count."""
        self.registry = er.async_get(hass)
        self.changed: list[str] = []
        self.repeated: list[str] = []
        hass.bus.async_listen(EVENT_STATE_CHANGED, self._changed)
        hass.bus.async_listen(EVENT_STATE_REPORTED, self._repeated, event_filter=self._ours)

    @callback
    def _ours(self, data: Any) -> bool:
        entry = self.registry.async_get(data["entity_id"])
        return entry is not None and entry.platform == DOMAIN

    @callback
    def _changed(self, event: Event[Any]) -> None:
        if self._ours(event.data):
            self.changed.append(event.data["entity_id"])

    @callback
    def _repeated(self, event: Event[Any]) -> None:
        self.repeated.append(event.data["entity_id"])


async def test_what_is_told_again_is_not_written_again(
    hass: HomeAssistant, home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """A recorder full of repetitions tells nothing and fills the disk."""
    await home.reaches("sensor", vehicle_id, "soc", "80.0")
    writes = Writes(hass)
    coordinator = home.entry.runtime_data.coordinator
    before = coordinator.data.last_event_id
    reading = {"measured_at": world.at(0), "soc_pct": 80.0, "plugged_in": True}
    await world.phone.post(f"/v1/vehicles/{vehicle_id}/telemetry", {"readings": [reading]})
    await until(lambda: coordinator.data.last_event_id > before)
    coordinator.async_update_listeners()
    await coordinator.async_refresh()
    await hass.async_block_till_done()
    assert writes.repeated == []
    soc = home.entity_id("sensor", vehicle_id, "soc")
    assert set(writes.changed) == {soc}, "only the time of the measurement is new"


async def test_news_of_one_car_is_written_to_its_own_entities_only(
    hass: HomeAssistant, world: OwnerWorld
) -> None:
    """Twenty cars must not each pay for the readings of nineteen others."""
    cars = [await world.add_vehicle() for _ in range(2)]
    car_says(hass, 80)
    entry = await paired_entry(
        hass, world, [vehicle_subentry(car, soc_entity=f"sensor.{car}") for car in cars]
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    home = Home(hass, entry)
    for car in cars:
        await home.reaches("binary_sensor", car, "plugged_in", "on")
    await hass.async_block_till_done()
    looked: list[str] = []
    for car in cars:
        context = entry.runtime_data.coordinator.async_add_listener(
            lambda car=car: looked.append(car), car
        )
        entry.async_on_unload(context)
    reading = {"measured_at": world.at(0), "soc_pct": 61.0}
    await world.phone.post(f"/v1/vehicles/{cars[0]}/telemetry", {"readings": [reading]})
    await home.reaches("sensor", cars[0], "soc", "61.0")
    assert set(looked) == {cars[0]}
    entry.runtime_data.coordinator.async_update_listeners()
    assert set(looked) == set(cars), "losing the API concerns everybody"


async def test_a_car_and_its_entities_share_one_device_below_the_account(
    hass: HomeAssistant, home: Home, vehicle_id: str, world: OwnerWorld
) -> None:
    """Registered once, with the first entity; named as the owner named the car."""
    devices = dr.async_get(hass)
    entry_id = home.entry.entry_id
    car = devices.async_get_device_by_identifier((DOMAIN, vehicle_id), config_entry_id=entry_id)
    account = devices.async_get_device_by_identifier(
        (DOMAIN, world.owner_id), config_entry_id=entry_id
    )
    assert car is not None
    assert account is not None
    assert (car.name, car.model, car.via_device_id) == ("Blue car", "Vehicle", account.id)
    found = er.async_entries_for_config_entry(er.async_get(hass), entry_id)
    of_car = [each for each in found if each.unique_id.startswith(vehicle_id)]
    assert len(of_car) > 20
    assert {each.device_id for each in of_car} == {car.id}
    assert {each.config_subentry_id for each in of_car} == set(home.entry.subentries)


class Slow:
    """An entity that takes its time to be shown."""

    def __init__(self, order: list[Slow]) -> None:
        """Note in ``order`` when it is shown."""
        self.order = order

    def async_show(self) -> None:
        """Hold the loop longer than one slice may."""
        import time

        time.sleep(0.006)
        self.order.append(self)


async def test_much_to_show_leaves_room_for_others_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that goes meanwhile is not shown any more."""
    queue, order = Queue(), list[Slow]()
    entities = [Slow(order) for _ in range(4)]
    for entity in entities:
        queue.add(entity)
    rounds: list[int] = []

    async def others() -> None:
        while queue.is_due or len(order) < 3:
            rounds.append(len(order))
            if order and entities[3] not in order:
                queue.discard(entities[3])
            await asyncio.sleep(0)

    await asyncio.gather(queue.async_show(), others())
    assert order == entities[:3]
    assert len(set(rounds)) >= 2, "others ran while some still waited"


async def test_those_who_share_turns_take_them_in_different_rounds_of_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten platforms that begin together must not make one long block of ten slices."""
    monkeypatch.setattr("custom_components.v2g_owner.showing._WORK_FOR_S", 0.0)
    turns, rounds, current, done = Turns(), list[int](), 0, 0

    async def clock() -> None:
        nonlocal current
        while done < 10:
            current += 1
            await asyncio.sleep(0)

    async def platform() -> None:
        nonlocal done
        for _ in range(3):
            await turns.async_next()
            rounds.append(current)
        done += 1

    await asyncio.gather(clock(), *(platform() for _ in range(10)))
    assert len(rounds) == 30
    assert max(rounds.count(each) for each in set(rounds)) == 1


async def test_a_charger_looks_at_once_only_for_what_can_matter_there(hass: HomeAssistant) -> None:
    """Twenty chargers must not all look because one car's battery moved; plugs matter to all."""
    cars = {key: {"soc_entity": f"sensor.{key}", "plugged_entity": f"plug.{key}"} for key in "ab"}
    eyes = Eyes(hass, {"power_entity": "sensor.power"}, cars)
    assert eyes.matters("sensor.a", "a")
    assert not eyes.matters("sensor.a", "b")
    assert not eyes.matters("sensor.a", None)
    assert all(eyes.matters(each, "b") for each in ("plug.a", "sensor.power"))
