"""`script/demo` itself: the whole path from an offer to a reward, and what happens off the path."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
import json
from pathlib import Path
import re
from typing import Any

import pytest

from script.demo_lib.books import agreed, owed, read_books
from script.demo_lib.owner_api import start_owner_api
from script.demo_lib.stage import Demo, Plot, start_demo
from script.demo_lib.watcher import Watcher

ROOT = Path(__file__).parents[2]
STATIONS = (
    "offer at the park",
    "offer in Home Assistant",
    "accepted",
    "awarded",
    "discharging",
    "settled",
    "reward in Home Assistant",
    "four books agree",
    "Home Assistant's log is clean",
)
_SUM = re.compile(r"four books agree\s+([\d.]+) x (\d+) Wh = ([\d.]+) CNY")


async def run_demo(*arguments: str) -> tuple[int, str]:
    """Run the script as a person does; returns its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        str(ROOT / "script/demo"),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, printed.decode()


async def checked_amount(seed: int) -> str:
    """Check one seed's deal; returns what was paid, in CNY."""
    code, printed = await run_demo("--check", "--seed", str(seed))
    assert code == 0, printed
    for station in STATIONS:
        assert f"✓ {station}" in printed, printed
    found = _SUM.search(printed)
    assert found, printed
    price, delivered_wh, amount = found.groups()
    drawn = Plot.drawn(seed, offers=1, lead_s=10, window_s=60)
    assert float(price) == float(drawn.price)
    assert owed(drawn.price, int(delivered_wh)) == round(float(amount) * 100)
    return amount


@pytest.mark.slow
async def test_a_deal_reaches_the_reward_sensor_and_four_books_agree_for_each_seed_anew() -> None:
    amounts = await asyncio.gather(*(checked_amount(seed) for seed in (1, 2, 3)))
    assert all(float(amount) > 0 for amount in amounts), amounts
    assert len(set(amounts)) == 3, amounts


async def test_a_park_that_dies_while_it_discharges_is_named_as_the_broken_station(
    tmp_path: Path,
) -> None:
    code, printed = await run_demo(
        "--check", "--seed", "7", "--break", "park", "--keep", str(tmp_path)
    )
    assert code == 1, printed
    assert "broken at station 'discharging'" in printed
    assert "✓ settled" not in printed


@asynccontextmanager
async def playing(folder: Path, seed: int) -> AsyncIterator[Demo]:
    """Play one deal's parts: everything is up, the park is about to make its offer."""
    plot = Plot.drawn(seed, offers=1, lead_s=12, window_s=60)
    async with AsyncExitStack() as stack:
        yield await start_demo(stack, plot, folder)


async def event(demo: Demo, key: str, **facts: Any) -> dict[str, Any]:
    """Return the first event of one of our event entities that has these facts."""
    found = await demo.watcher.wait_for(
        f"event.{demo.owner_id}_{key}",
        lambda state: all(state["attributes"].get(name) == facts[name] for name in facts),
        90,
    )
    assert found, f"no {facts} in {key}; the park said:\n{demo.park.tail()}"
    attributes: dict[str, Any] = found["attributes"]
    return attributes


def metered(demo: Demo) -> list[dict[str, Any]]:
    """Return what the charger's meter logged."""
    return [json.loads(line) for line in demo.meter_log.read_text(encoding="utf-8").splitlines()]


@pytest.mark.slow
async def test_promise_4_stop_in_home_assistant_ends_the_power_in_5_s_and_what_flowed_is_paid(
    tmp_path: Path,
) -> None:
    async with playing(tmp_path, 11) as demo:
        offered = await event(demo, "offers", event_type="offer_presented")
        accept = demo.watcher.entity_id(f"button.{demo.owner_id}_accept_offer")
        await demo.home.call("button", "press", {"entity_id": accept})
        await event(demo, "deals", event_type="commitment_active")
        delivered = f"sensor.{demo.owner_id}_deal_delivered"
        assert await demo.watcher.wait_for(delivered, moving, 30)

        stop = demo.watcher.entity_id(f"button.{demo.owner_id}_stop")
        await demo.home.call("button", "press", {"entity_id": stop})
        told = await event(demo, "deals", event_type="stop_requested")
        stopped = await event(demo, "deals", event_type="stop_stopped")
        assert stopped["state"] == "revoked"

        at = datetime.fromisoformat(stopped["stopped_at"])
        commitment = await demo.phone.get(f"/v1/commitments/{told['commitment_id']}")
        asked = datetime.fromisoformat(commitment["stop"]["requested_at"])
        assert (at - asked).total_seconds() <= 5
        late = [
            line
            for line in metered(demo)
            if datetime.fromisoformat(line["measured_at"]) > at and line["power_w"] < 0
        ]
        assert late == []

        paid = f"sensor.{demo.owner_id}_rewards_paid"
        assert await demo.watcher.wait_for(paid, moving, 60)
        books = await read_books(demo, offered["offer_id"])
        assert agreed(books) is None
        assert 0 < books[0].delivered_wh < demo.plot.energy_wh
        assert demo.complaints() == []


@pytest.mark.slow
async def test_promise_10_home_assistant_restarted_during_a_deal_still_shows_its_reward(
    tmp_path: Path,
) -> None:
    async with playing(tmp_path, 12) as demo:
        offered = await event(demo, "offers", event_type="offer_presented")
        answer = await demo.home.ask("v2g_owner", "accept_offer", {"offer_id": offered["offer_id"]})
        assert answer["answer"]["state"] == "accepted"
        await event(demo, "deals", event_type="commitment_scheduled")
        await demo.home.restart()
        demo.watcher = await Watcher.of(demo.home)

        paid = f"sensor.{demo.owner_id}_rewards_paid"

        async def is_paid() -> bool:
            shown = await demo.watcher.value(paid)
            return shown not in {"unknown", "unavailable"} and float(shown) > 0

        await demo.home.until(is_paid, "the reward is shown as paid", 120)
        settled = await demo.phone.get(f"/v1/offers/{offered['offer_id']}")
        deal = await demo.phone.get(f"/v1/commitments/{settled['commitment_id']}")
        amount = deal["settlement"]["reward"]["amount_minor"]
        assert round(float(await demo.watcher.value(paid)) * 100) == amount
        assert amount == owed(demo.plot.price, deal["settlement"]["delivered_wh"])
        assert demo.complaints() == []


@pytest.mark.slow
async def test_promise_5_the_api_killed_in_the_middle_of_a_delivery_still_pays_what_flowed(
    tmp_path: Path,
) -> None:
    async with playing(tmp_path, 13) as demo:
        offered = await event(demo, "offers", event_type="offer_presented")
        await demo.home.ask("v2g_owner", "accept_offer", {"offer_id": offered["offer_id"]})
        delivered = f"sensor.{demo.owner_id}_deal_delivered"
        assert await demo.watcher.wait_for(delivered, moving, 60)

        demo.api.process.kill()
        await demo.api.process.process.wait()
        port = int(demo.api.url.rpartition(":")[2])
        again = await start_owner_api(demo.home.http, demo.folder, port)
        try:
            paid = f"sensor.{demo.owner_id}_rewards_paid"
            assert await demo.watcher.wait_for(paid, moving, 120), demo.park.tail()
            books = await read_books(demo, offered["offer_id"])
            assert agreed(books) is None
            assert books[0].delivered_wh > 0
        finally:
            await again.process.stop()


def moving(state: dict[str, Any]) -> bool:
    """Tell whether a sensor shows more than nothing."""
    try:
        return float(state["state"]) > 0
    except ValueError:
        return False
