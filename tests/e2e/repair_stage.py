"""A home with a car and a charger whose repairs are raised by hand, and walked by keyboard."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
import json
from pathlib import Path
import re
from typing import Any, Final

from playwright.async_api import Browser, Locator, Page, expect

from script.demo_lib.browser import running_browser, signed_in_page
from script.demo_lib.hass import DOMAIN, REPOSITORY

from .newcomer_stage import ANNOUNCER, NewHome, new_home

PHONE: Final = (360, 740)
LANGUAGES: Final = ("en", "zh-Hans")
_CAR: Final = {
    "display_name": "Blue car",
    "capacity_kwh": 60,
    "max_charge_kw": 11,
    "max_discharge_kw": 11,
    "chemistry": "lfp",
    "warranty_discharge_policy": "allowed",
}
_CAR_ENTITIES: Final = {
    "soc_entity": "sensor.demo_car_battery",
    "plugged_entity": "binary_sensor.demo_car_plug",
}
_CHARGER: Final = {"max_charge_kw": 11, "max_discharge_kw": 11}
# What can be seen of a focus, through every shadow root: its own text, or its label.
_FOCUSED: Final = """
() => {
  const path = [];
  for (let at = document.activeElement; at; at = at.shadowRoot?.activeElement) path.push(at);
  return path.slice(-2).filter(each => each !== document.body)
    .map(each => [each.localName, each.getAttribute("aria-label"), each.textContent].join(" "))
    .join(" | ").replace(/\\s+/g, " ").slice(0, 300);
}
"""
_FILLED: Final = {
    "first": "Garage (Li Wei)",
    "second": "Garage again (a long name that somebody gave)",
    "what": "number.wallbox_of_a_very_long_name_maximum_charging_current",
    "name": "Blue car",
    "park": "Sunrise Business Park",
    "entity_id": "sensor.wallbox_of_a_very_long_name_active_power_total_of_all_phases",
}


def texts(language: str) -> dict[str, Any]:
    """Return what our repairs say in a language."""
    path = REPOSITORY / f"custom_components/{DOMAIN}/translations/{language}.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["issues"]
    return found


@dataclass(slots=True, kw_only=True)
class RepairStage:
    """A running home, and one page for each language."""

    new: NewHome
    browser: Browser
    pages: dict[str, Page]
    entry_id: str
    subentries: list[str]
    complaints: list[str]

    async def raise_repair(self, key: str, about: dict[str, Any]) -> dict[str, str]:
        """Raise one as its cause would; returns what it names."""
        words = json.dumps(texts("en")[key])
        told = {name: _FILLED.get(name, "42") for name in re.findall(r"\{(\w+)\}", words)}
        car, charger, *_ = self.subentries
        ids = {"entry_id": self.entry_id, "subentry_id": charger, "other_entry_id": self.entry_id}
        await self.new.home.call(
            ANNOUNCER,
            "raise_repair",
            {
                "issue_id": f"{key}_of_a_test",
                "data": {**ids, "other_subentry_id": car, **about},
                "translation_key": key,
                "translation_placeholders": told,
            },
        )
        return told

    async def shown(self) -> list[str]:
        """Return the repairs that are shown."""
        issues = (await self.new.home.command("repairs/list_issues"))["issues"]
        return [each["issue_id"] for each in issues if each["domain"] == DOMAIN]


async def reach(page: Page, words: str) -> None:
    """Go by keyboard alone to what says so: Tab from place to place, arrows within a list."""
    seen: list[str] = []
    for _ in range(60):
        focused: str = await page.evaluate(_FOCUSED)
        if words in focused:
            return
        arrows = "ha-list-item-button" in focused and focused not in seen
        seen.append(focused)
        await page.keyboard.press("ArrowDown" if arrows else "Tab")
    raise AssertionError(f"{words} cannot be reached by keyboard: {seen}")


async def clipped(dialog: Locator) -> list[str]:
    """Return what does not fit the dialog: too wide a text, or a title of more than one line.

    Home Assistant's own line below a title, of who reports it, is painted over a second line.
    """
    title = dialog.locator("[slot=headerTitle], [slot=heading], .title").first
    lines = await title.evaluate(
        "node => { const range = document.createRange(); range.selectNodeContents(node);"
        " return new Set([...range.getClientRects()].map(box => Math.round(box.top))).size; }"
    )
    return [*await too_wide(dialog), *(["the title"] if lines > 1 else [])]


async def too_wide(dialog: Locator) -> list[str]:
    """Return what of a dialog is wider than its place, through shadow roots."""
    found: list[str] = await dialog.evaluate(
        """dialog => {
          const found = [];
          const look = node => {
            if (node instanceof Element) {
              const style = getComputedStyle(node);
              const own = [...node.childNodes].filter(each => each.nodeType === Node.TEXT_NODE);
              const text = own.some(each => each.data.trim());
              const box = node.getBoundingClientRect();
              if (text && box.width && (box.right > innerWidth + 1 || box.left < -1)
                  && style.visibility !== "hidden") {
                found.push(`${node.tagName} ${node.textContent.trim().slice(0, 50)}`);
              }
            }
            for (const each of node.shadowRoot?.childNodes ?? []) look(each);
            for (const each of node.childNodes) look(each);
          };
          look(dialog);
          return found;
        }"""
    )
    return found


@asynccontextmanager
async def repair_stage(folder: Path) -> AsyncIterator[RepairStage]:
    """Pair a home, give it a car and two chargers, and open its repairs in both languages."""
    async with new_home(folder) as new, running_browser() as browser:
        home = new.home
        entry_id, chained = await home.pair(new.api.url, await new.pairing_code())
        flow_id = chained or await home.start_subentry(entry_id, "vehicle")
        await home.add_device(flow_id, facts=_CAR, entities=_CAR_ENTITIES)
        for name in ("Garage", "Garage again"):
            flow_id = await home.start_subentry(entry_id, "charger")
            facts = {"display_name": name, **_CHARGER}
            signed = {"power_sign": "charging_positive"}
            await home.add_device(flow_id, facts=facts, entities=signed)
        await home.until_loaded(entry_id)
        listed = await home.command("config_entries/subentries/list", entry_id=entry_id)
        complaints: list[str] = []
        pages = {}
        for language in LANGUAGES:
            page = await signed_in_page(browser, home, width=PHONE[0], height=PHONE[1])
            await page.add_init_script(
                f"localStorage.setItem('selectedLanguage', JSON.stringify('{language}'));"
            )
            page.on("pageerror", lambda error: complaints.append(str(error)))
            await page.goto(f"{home.url}/config/repairs")
            await expect(page.locator("ha-config-repairs").first).to_be_visible()
            pages[language] = page
        yield RepairStage(
            new=new,
            browser=browser,
            pages=pages,
            entry_id=entry_id,
            subentries=[each["subentry_id"] for each in listed],
            complaints=complaints,
        )
