"""A deal at the owner's own charger, with the real API and a real clock.

The charger lives twenty of its seconds in one of ours; what the executor may do second by second
with time standing still is in ``test_executor``.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.v2g_owner.executor import ChargerExecutor
from custom_components.v2g_owner.executors import executors_of

from .charger_world import Wallbox, subentry
from .conftest import Home, until
from .entries import paired_entry, vehicle_subentry
from .owner_world import OwnerWorld

EVSE = "HOME1"


class HomeDeal:
    """A home with its own charger, a car at it, and a park that buys."""

    def __init__(self, home: Home, world: OwnerWorld, box: Wallbox, charger_id: str) -> None:
        self.home, self.world, self.box, self.charger_id = home, world, box, charger_id
        self.commitment_id = ""

    @property
    def executor(self) -> ChargerExecutor:
        """The executor that runs now."""
        return executors_of(self.home.hass, self.home.entry)[self.charger_id]

    async def live(self) -> None:
        """Let the charger live."""
        while True:
            self.box.step()
            await asyncio.sleep(0.05)

    async def deal(self, vehicle_id: str) -> None:
        """Bring a deal to its first second."""
        member = await self.world.join(vehicle_id)
        opened = {
            "evse_id": EVSE,
            "plugged_in_at": self.world.at(0),
            "member_ref": member,
            "meter": "owner",
        }
        session = await self.world.park.post("/v1/park/sessions", opened)
        assert session["state"] == "bound", session
        times = {"start_at": self.world.at(1), "end_at": self.world.at(3_600)}
        offer = await self.world.offer(session["session_id"], **times)
        body = {
            "offer_id": offer["offer_id"],
            "revision": offer["revision"],
            "terms_sha256": offer["terms_sha256"],
            "decision": "accept",
            "method": "tap",
        }
        answer = await self.world.phone.post("/v1/decisions", body)
        self.commitment_id = answer["commitment_id"]
        await self.world.award(self.commitment_id)
        await until(lambda: self.executor.deals)
        assert self.box.real_w >= 0, "nothing flows before the park's word"
        async with asyncio.timeout(20):
            # The API wants the start to have come and the meter to have spoken.
            while await self.world.instruct(self.commitment_id, -6_900) != 201:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        await until(lambda: self.box.real_w < -6_000)

    async def shown(self) -> Any:
        """Return the deal as the owner's phone sees it."""
        return await self.world.phone.get(f"/v1/commitments/{self.commitment_id}")


@pytest.fixture
async def at_home(
    hass: HomeAssistant,
    world: OwnerWorld,
    vehicle_id: str,
    hass_storage: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[HomeDeal]:
    """Set up the home, with a deal that delivers."""
    package = "custom_components.v2g_owner"
    monkeypatch.setattr(f"{package}.executor.TICK", timedelta(seconds=0.1))
    monkeypatch.setattr(f"{package}.executor_meter._EVERY", timedelta(seconds=0.5))
    garage = {
        "display_name": "Garage",
        "evse_id": EVSE,
        "max_charge_w": 7_360,
        "max_discharge_w": 7_360,
    }
    charger_id = str((await world.phone.post("/v1/chargers", garage))["charger_id"])
    box = Wallbox(hass=hass, connected=False)
    await box.build()
    charger = {
        "data": dict(subentry(charger_id=charger_id).data),
        "subentry_type": "charger",
        "title": "Garage",
        "unique_id": charger_id,
    }
    entry = await paired_entry(hass, world, [vehicle_subentry(vehicle_id), charger])
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    made = HomeDeal(Home(hass, entry), world, box, charger_id)
    life = asyncio.create_task(made.live())
    await until(lambda: made.executor.memory.parking.charger.plugged is False)
    box.plug(connected=True)
    await until(lambda: made.executor.memory.parking.bound == vehicle_id)
    data = entry.runtime_data.coordinator
    await until(lambda: data.data.vehicles[vehicle_id].soc is not None)
    await until(lambda: data.data.vehicles[vehicle_id].plugged_in)
    await made.deal(vehicle_id)
    yield made
    life.cancel()


@pytest.mark.slow
async def test_promise_4_stop_works_with_the_api_down_and_the_api_is_told_when_it_is_back(
    at_home: HomeDeal,
) -> None:
    """Promise 4: zero in five seconds by this home alone; the deal is revoked, and settled."""
    executor = at_home.executor
    assert executor.verdict.holder == "park"
    await at_home.world.stop_server()
    async with asyncio.timeout(5):
        await executor.async_stop_now()
        while at_home.box.real_w < 0:  # noqa: ASYNC110 - the charger is not ours to wait on
            await asyncio.sleep(0.01)
    await at_home.world.start_server()
    coordinator = at_home.home.entry.runtime_data.coordinator

    async def revoked() -> bool:
        await coordinator.async_refresh()
        return bool((await at_home.shown())["state"] == "revoked")

    async with asyncio.timeout(20):
        while not await revoked():  # noqa: ASYNC110 - the API is asked, it does not tell
            await asyncio.sleep(0.3)
    assert await at_home.world.instruct(at_home.commitment_id, -6_900) == 409
    assert at_home.box.real_w >= 0
    async with asyncio.timeout(20):
        while (settlement := (await at_home.shown())["settlement"]) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.3)
    assert settlement["delivered_wh"] == pytest.approx(at_home.box.exported_wh - 5_000, abs=3)


@pytest.mark.slow
async def test_promise_9_a_stopped_deal_is_settled_by_registers_from_after_its_end(
    at_home: HomeDeal,
) -> None:
    """The power tells of the stop at once; what had left until then comes with the registers."""
    at_home.box.registers_silent = True
    await asyncio.sleep(2)
    await at_home.executor.async_stop_now()
    await until(lambda: at_home.box.real_w >= 0)
    await asyncio.sleep(2)
    stopped = await at_home.shown()
    assert stopped["state"] == "revoked"
    assert stopped["settlement"] is None, "settled by registers from before the stop"
    at_home.box.registers_silent = False
    async with asyncio.timeout(20):
        while (settlement := (await at_home.shown())["settlement"]) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.3)
    assert settlement["delivered_wh"] == pytest.approx(at_home.box.exported_wh - 5_000, abs=3)


@pytest.mark.slow
async def test_an_api_restart_and_a_home_restart_in_the_middle_keep_every_promise(
    at_home: HomeDeal,
) -> None:
    """The lease bridges the API's restart; this home's own is zero until the API speaks."""
    hass, entry = at_home.home.hass, at_home.home.entry
    await at_home.world.stop_server()
    await asyncio.sleep(1)
    assert at_home.box.real_w < -6_000
    await at_home.world.start_server()
    assert await at_home.world.instruct(at_home.commitment_id, -6_900) == 201
    assert await hass.config_entries.async_unload(entry.entry_id)
    await until(lambda: at_home.box.real_w >= 0)
    await at_home.world.stop_server()
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert entry.runtime_data.coordinator.alone
    await until(lambda: at_home.executor.verdict.reason == "restarted")
    assert at_home.box.real_w >= 0
    await at_home.world.start_server()
    await until(lambda: at_home.box.real_w < -6_000)
    assert at_home.executor.verdict.holder == "park"


@pytest.mark.slow
async def test_promise_4_a_stop_that_a_restored_agent_has_lost_is_told_again(
    at_home: HomeDeal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 4: the home still refuses, and the park would wait for energy that never comes."""
    feed = "custom_components.v2g_owner.executor_feed"
    monkeypatch.setattr(f"{feed}._SHOWN_WITHIN", timedelta(seconds=1))
    world, coordinator = at_home.world, at_home.home.entry.runtime_data.coordinator
    await world.stop_server()
    backup = world.database.read_bytes()
    await world.start_server()
    await at_home.executor.async_stop_now()

    async def revoked() -> bool:
        await coordinator.async_refresh()
        return bool((await at_home.shown())["state"] == "revoked")

    async with asyncio.timeout(20):
        while not await revoked():  # noqa: ASYNC110 - the API is asked, it does not tell
            await asyncio.sleep(0.3)
    await world.stop_server()
    for leftover in world.database.parent.glob(f"{world.database.name}-*"):
        leftover.unlink()
    world.database.write_bytes(backup)
    await world.start_server()
    assert (await at_home.shown())["state"] == "active"
    async with asyncio.timeout(30):
        while not await revoked():  # noqa: ASYNC110 - the API is asked, it does not tell
            await asyncio.sleep(0.3)
