"""The integration in a real Home Assistant 2026.11 against the real owner API."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from owner_api.config import Config
from owner_api.server.desk import Operate
from owner_api.server.running import Running, running_server

from .hass import RunningHomeAssistant, Setup, running_home_assistant

SOC, PLUG = "sensor.car_battery", "binary_sensor.car_plug"
FACTS = {
    "display_name": "Blue car",
    "capacity_kwh": 60,
    "max_charge_kw": 7,
    "max_discharge_kw": 7,
    "chemistry": "lfp",
    "warranty_discharge_policy": "allowed",
}
BOX = {"display_name": "Garage", "max_charge_kw": 7, "max_discharge_kw": 7}
ENTITIES = {"soc_entity": SOC, "plugged_entity": PLUG, "power_sign": "charging_positive"}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    """Serve an owner API."""
    config = Config(database=str(tmp_path / "owner.db"), listen_port=0)
    async with running_server(config) as running:
        yield running


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[RunningHomeAssistant]:
    """Run Home Assistant with a car's two sensors."""
    async with running_home_assistant(Setup(folder=tmp_path / "config")) as running:
        await show_car(running, 80)
        yield running


async def show_car(home: RunningHomeAssistant, soc: float, plug: str = "on") -> None:
    """Set what the owner's own sensors say."""
    await home.set_state(SOC, soc, device_class="battery", unit_of_measurement="%")
    await home.set_state(PLUG, plug, device_class="plug")


async def pairing_code(server: Running) -> str:
    """Add an owner and mint a code."""
    agent, now = server.agent, datetime.now(UTC)
    wanted = {"display_name": "Li Wei", "time_zone": "Asia/Shanghai"}
    row = await agent.store.write(Operate(agent.desk, "owner add", wanted, now))
    whose = {"owner_id": row["owner_id"]}
    minted = await agent.store.write(Operate(agent.desk, "pair", whose, now))
    return str(minted["code"])


async def test_a_newcomer_pairs_maps_a_car_and_finds_it_again_after_a_restart(
    server: Running, home: RunningHomeAssistant
) -> None:
    """Promise 10: a restart changes nothing, and Home Assistant has nothing to complain about."""
    entry_id, flow_id = await home.pair(server.url, await pairing_code(server))
    assert flow_id is not None
    answer = await home.add_device(flow_id, facts=FACTS, entities=ENTITIES)
    assert answer["title"] == "Blue car"
    # At once, while the account still loads with the car.
    flow_id = await home.start_subentry(entry_id, "charger")
    answer = await home.add_device(flow_id, facts=BOX, entities={"power_sign": "charging_positive"})
    assert answer["title"] == "Garage"
    await home.until_loaded(entry_id)

    vehicle_id = await server.agent.store.read(
        lambda tx: tx.all("SELECT vehicle_id FROM vehicle")[0]["vehicle_id"]
    )

    async def soc_is_80() -> bool:
        entity_id = (await home.entity_ids()).get(f"sensor.{vehicle_id}_soc")
        return entity_id is not None and (await home.state(entity_id))["state"] == "80.0"

    await home.until(soc_is_80, "the state of charge came back from the owner API")
    ids = await home.entity_ids()
    floor = ids[f"number.{vehicle_id}_soc_floor_pct"]
    await home.call("number", "set_value", {"entity_id": floor, "value": 35})

    async def floor_is_35() -> bool:
        return bool((await home.state(floor))["state"] == "35.0")

    await home.until(floor_is_35, "the new floor is shown")
    # This release, too, finds our triggers and conditions and reads their descriptions.
    for kind, ours in (("trigger", "offer_received"), ("condition", "offer_open")):
        found: dict[str, Any] = {}
        await home.subscribe(found.update, f"{kind}_platforms/subscribe")

        async def described(found: dict[str, Any] = found, key: str = ours) -> bool:
            return f"v2g_owner.{key}" in found

        await home.until(described, f"our {kind}s are described")
    await home.restart()
    await home.until(floor_is_35, "the floor is there after the restart")
    assert await home.entity_ids() == ids
    assert home.complaints() == []
