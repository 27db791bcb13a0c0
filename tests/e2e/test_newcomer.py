"""A newcomer's path from hearing of V2G to the first reward, in a browser, on one evening.

The steps a person takes in a browser are taken in one. What a person does elsewhere is done as it
is done there: the phone answers through the app's own channels, the park is a process of its own.
Discovery is fed by hand (``newcomer_stage`` says why). With ``V2G_OWNER_PICTURES=FOLDER`` the
pictures for ``docs/first-offer.md`` are saved on the way.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
import os
from pathlib import Path
import re
from typing import Any, Final
from zoneinfo import ZoneInfo

from playwright.async_api import Page, expect
import pytest

from script.demo_lib.browser import running_browser, signed_in_page
from script.demo_lib.hass import DOMAIN
from script.demo_lib.stage import Plot, join_park, start_park
from script.demo_lib.watcher import Watcher

from .newcomer_dialogs import (
    choose_entities,
    fill_facts,
    flow_dialog,
    set_full_hour,
    set_slider,
    submit,
)
from .newcomer_stage import NewHome, new_home
from .phone import Phone

pytestmark = pytest.mark.slow

CAR: Final = "Blue car"
PATIENCE_S: Final = 120.0
PATIENCE_MS: Final = PATIENCE_S * 1000
DASHBOARD: Final = "my-car"
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
# The recorder counts every five minutes: before that there is nothing to object to but its absence.
NOT_YET: Final = {"statistics_not_defined"}
# Anything but 0 Wh.
SOME_ENERGY: Final = re.compile(
    r"(?<![\d.,])(?:[1-9][\d,]*\sWh|[1-9][\d.,]*\skWh|0\.\d*[1-9]\d*\skWh)"
)
_PICTURES: Final = os.environ.get("V2G_OWNER_PICTURES")


@pytest.fixture
async def new(tmp_path: Path) -> AsyncIterator[NewHome]:
    """Start the newcomer's home."""
    async with new_home(tmp_path) as opened:
        yield opened


async def picture(page: Page, name: str) -> None:
    """Save what the page shows, when asked for."""
    if _PICTURES:
        path = Path(_PICTURES) / f"first-offer-{name}.png"
        await page.screenshot(path=path, animations="disabled")


async def add_by_discovery(new: NewHome, page: Page) -> None:
    """Find the server among the discovered, pair by code and map the car in the same dialog."""
    await new.announce()
    await page.goto(f"{new.home.url}/config/integrations/dashboard")
    found = page.locator("ha-config-flow-card", has_text="V2G Owner")
    await expect(found).to_be_visible()
    await picture(page, "1-discovered")
    await found.get_by_role("button", name="Add", exact=True).click()
    code = flow_dialog(page).get_by_role("textbox", name="Pairing code")
    await code.fill(await new.pairing_code())
    # What it says below the field comes a moment later than the field.
    await expect(flow_dialog(page).get_by_text("v2gowner:pair#")).to_be_visible()
    await picture(page, "2-pair")
    await submit(page)
    await fill_facts(page, CAR)
    await picture(page, "3-car")
    await submit(page)
    await choose_entities(page)
    await picture(page, "4-entities")
    await submit(page)
    done = flow_dialog(page).get_by_role("button", name="Finish")
    await done.click()
    await expect(flow_dialog(page).get_by_role("button")).to_have_count(0)


async def vehicle_of(new: NewHome) -> tuple[str, str]:
    """Return the car's id at the API and its device in Home Assistant."""
    for device in await new.home.command("config/device_registry/list"):
        if device["name"] == CAR:
            return next(key for domain, key in device["identifiers"] if domain == DOMAIN), device[
                "id"
            ]
    raise AssertionError("there is no device for the car")


async def set_terms(new: NewHome, page: Page, vehicle_id: str, device_id: str) -> None:
    """Ask for 50 % at 18:00 on the car's page, and allow discharging."""
    ids = await new.home.entity_ids()
    await page.goto(f"{new.home.url}/config/devices/device/{device_id}")
    await set_slider(page, "Guaranteed when leaving", 50)
    today = datetime.now(ZoneInfo(new.home.setup.time_zone)).weekday()
    # The weekend's leave times are hidden until they are enabled; Monday's come next.
    day = today if today < len(WEEKDAYS) else 0
    await set_full_hour(page, f"Leave on {WEEKDAYS[day]}", 18)
    await page.get_by_role("switch", name="Discharging allowed").press("Space")
    leave = ids[f"time.{vehicle_id}_leave_{WEEKDAYS[day][:3].lower()}"]
    wanted = {
        leave: "18:00:00",
        ids[f"number.{vehicle_id}_soc_min_departure_pct"]: "50.0",
        ids[f"switch.{vehicle_id}_discharge_allowed"]: "on",
    }

    async def all_set() -> bool:
        states = await new.home.states()
        return all(states[entity_id]["state"] == value for entity_id, value in wanted.items())

    await new.home.until(all_set, f"the API keeps {wanted}", PATIENCE_S)
    clock = page.get_by_role("group", name=f"Leave on {WEEKDAYS[day]}")
    await clock.evaluate("clock => clock.scrollIntoView({ block: 'center' })")
    await picture(page, "5-terms")


async def ask_on_phone(new: NewHome) -> Phone:
    """Register a phone and import the blueprint that asks it."""
    phone = await Phone.of(new.home, "Newcomer's phone")
    ids = await new.home.entity_ids()
    automation = {
        "alias": "Ask me on my phone",
        "use_blueprint": {
            "path": "v2g_owner/phone_notification.yaml",
            "input": {
                "offers": ids[f"event.{new.owner_id}_offers"],
                "phones": [await phone.device_id()],
            },
        },
    }
    await new.home.post("/api/config/automation/config/newcomer", automation)
    return phone


async def show_card(new: NewHome, page: Page) -> None:
    """Put the card on a dashboard, as the card picker suggests it for the car, and open it."""
    suggested: dict[str, Any] = await page.evaluate(
        """entityId => {
          const { hass } = document.querySelector("home-assistant");
          const card = window.customCards.find(({ type }) => type === "v2g-owner-card");
          return card.getEntitySuggestion(hass, entityId).config;
        }""",
        (await new.home.entity_ids())[f"sensor.{(await vehicle_of(new))[0]}_soc"],
    )
    view = {"title": "My car", "cards": [suggested]}
    config = {"title": "My car", "icon": "mdi:car-electric", "views": [view]}
    await new.home.save_dashboard(DASHBOARD, config)
    await page.goto(f"{new.home.url}/{DASHBOARD}/0")
    await expect(page.locator('[data-part="idle"]')).to_be_visible()
    await picture(page, "6-card")


async def configure_energy(new: NewHome, vehicle_id: str) -> None:
    """Choose the car as a battery of the Energy dashboard; it must find nothing to object to."""
    ids = await new.home.entity_ids()
    battery = {
        "type": "battery",
        "stat_energy_from": ids[f"sensor.{vehicle_id}_energy_discharged"],
        "stat_energy_to": ids[f"sensor.{vehicle_id}_energy_charged"],
    }
    await new.home.command("energy/save_prefs", energy_sources=[battery])

    async def issues() -> set[str]:
        (found,) = (await new.home.command("energy/validate"))["energy_sources"]
        return {each["type"] for each in found}

    assert await issues() <= NOT_YET
    if _PICTURES:

        async def counted() -> bool:
            return not await issues()

        await new.home.until(counted, "the recorder has counted the car's energy", 330, 2)


async def accept_on_phone(page: Page, phone: Phone) -> None:
    """See the offer on phone and card, and say yes with the notification's button."""
    asked = await phone.notification(PATIENCE_S)
    assert [each["title"] for each in asked["data"]["actions"]] == [
        "Accept",
        "Decline",
        "Details",
    ]
    assert "Sunrise Business Park" in asked["title"]
    await expect(page.locator('[data-part="offer"]')).to_be_visible()
    await picture(page, "7-offer")
    accept = asked["data"]["actions"][0]
    assert accept["authenticationRequired"]
    await phone.tap(accept["action"])
    await phone.cleared(asked["data"]["tag"], PATIENCE_S)


async def watch_and_stop(new: NewHome, page: Page, watcher: Watcher) -> None:
    """Watch the deal on the card, stop it early, and see what it earned."""
    deal = page.locator('[data-part="deal"]')
    await expect(deal).to_contain_text("until", timeout=PATIENCE_MS)
    delivered = f"sensor.{new.owner_id}_deal_delivered"
    assert await watcher.wait_for(delivered, _some, PATIENCE_S)
    await expect(deal.locator('[data-figure="delivered"]')).not_to_have_text("0.00 kWh")
    await picture(page, "8-live")
    await page.get_by_role("button", name="Stop discharging").click()
    result = page.locator('[data-part="result"]')
    await expect(result).to_contain_text("Stopped by you", timeout=PATIENCE_MS)

    paid = await watcher.wait_for(f"sensor.{new.owner_id}_rewards_paid", _some, PATIENCE_S)
    assert paid
    reward = f"{float(paid['state']):.2f} CNY"
    await expect(result.locator("strong")).to_have_text(reward, timeout=PATIENCE_MS)
    await expect(result).to_contain_text("You keep")
    await picture(page, "9-reward")


async def open_energy(new: NewHome, page: Page, watcher: Watcher, vehicle_id: str) -> None:
    """Configure the car's kWh for the Energy dashboard, and open it."""
    sold = await watcher.wait_for(f"sensor.{vehicle_id}_energy_discharged", _some, PATIENCE_S)
    assert sold, "the discharged energy never showed"
    await configure_energy(new, vehicle_id)
    await page.goto(f"{new.home.url}/config/energy/electricity")
    chosen = page.locator("ha-energy-battery-settings")
    for name in ("Energy discharged", "Energy charged"):
        await expect(chosen).to_contain_text(name)
    await chosen.evaluate("settings => settings.scrollIntoView({ block: 'center' })")
    await picture(page, "10-energy-settings")


async def see_settled_energy(new: NewHome, page: Page, vehicle_id: str, delivered_wh: int) -> None:
    """Choose what was settled instead: it stands in its hour at once, and the dashboard shows it.

    A sensor's own kWh would show only when the hour is over.
    """

    async def written() -> str | None:
        known = await new.home.command("recorder/list_statistic_ids", statistic_type="sum")
        ids = [each["statistic_id"] for each in known]
        return next((each for each in ids if each.startswith(f"{DOMAIN}:energy_")), None)

    settled = await new.home.until(written, "the settled energy is in the statistics", PATIENCE_S)
    ids = await new.home.entity_ids()
    charged = ids[f"sensor.{vehicle_id}_energy_charged"]
    battery = {"type": "battery", "stat_energy_from": settled, "stat_energy_to": charged}
    await new.home.command("energy/save_prefs", energy_sources=[battery])
    await page.goto(f"{new.home.url}/energy")
    flows = page.locator("hui-energy-distribution-card").first
    await expect(flows).to_contain_text("Battery")
    await expect(flows).to_contain_text(SOME_ENERGY, timeout=PATIENCE_MS)
    now = datetime.now(UTC)
    hours = await new.home.command(
        "recorder/statistics_during_period",
        start_time=(now - timedelta(hours=3)).isoformat(),
        statistic_ids=[settled],
        period="hour",
        types=["change"],
    )
    assert sum(each["change"] for each in hours[settled]) == pytest.approx(delivered_wh / 1000)
    if _PICTURES:
        # The chart's bars grow for a moment.
        await page.wait_for_timeout(1_500)
    await picture(page, "11-energy")


async def test_a_newcomer_gets_from_discovery_to_a_reward_and_the_energy_dashboard(
    new: NewHome,
) -> None:
    """Promises 1, 4 and 8 on the way: asked, answered by a person, stopped, paid."""
    async with AsyncExitStack() as stack:
        browser = await stack.enter_async_context(running_browser())
        page = await signed_in_page(browser, new.home, width=1000, height=900)
        broken: list[str] = []
        page.on("pageerror", lambda error: broken.append(str(error)))
        plot = Plot.drawn(116, offers=1, lead_s=30, window_s=75)
        await new.tell_car(plot.soc_pct)
        await add_by_discovery(new, page)
        vehicle_id, device_id = await vehicle_of(new)
        await set_terms(new, page, vehicle_id, device_id)
        await join_park(new.home, vehicle_id, new.park["park_id"])
        phone = await ask_on_phone(new)
        await show_card(new, page)
        watcher = await Watcher.of(new.home)

        park = await start_park(plot, new.folder, new.api, new.home, new.park)
        stack.push_async_callback(park.stop)

        await accept_on_phone(page, phone)
        await watch_and_stop(new, page, watcher)
        await open_energy(new, page, watcher, vehicle_id)

        offers = await new.home.states()
        told = offers[watcher.entity_id(f"event.{new.owner_id}_deals")]["attributes"]
        assert told["state"] == "revoked"
        assert 0 < told["delivered_wh"] < plot.energy_wh
        await see_settled_energy(new, page, vehicle_id, told["delivered_wh"])
        assert broken == []
        assert new.home.complaints() == []


def _some(state: dict[str, Any]) -> bool:
    """Tell whether a sensor shows more than nothing."""
    try:
        return float(state["state"]) > 0
    except ValueError:
        return False
