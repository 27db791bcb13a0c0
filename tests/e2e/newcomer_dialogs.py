"""What a newcomer clicks and types in Home Assistant's own dialogs and pages."""

from playwright.async_api import Locator, Page, expect

FACTS = {
    "Usable battery capacity": "60",
    "Highest charging power": "60",
    "Highest discharging power": "60",
}
ENTITIES = {
    "State of charge": "Demo car battery",
    "Plugged in": "Demo car plug",
    "Power": "Demo car power",
}


def flow_dialog(page: Page) -> Locator:
    """Return the dialog that walks through a flow."""
    return page.locator("dialog-data-entry-flow")


async def submit(page: Page) -> None:
    """Send the step that is open."""
    await flow_dialog(page).get_by_role("button", name="Submit").click()


async def fill_facts(page: Page, name: str) -> None:
    """Say what the car is, as its papers do."""
    dialog = flow_dialog(page)
    await dialog.get_by_role("textbox", name="Name").fill(name)
    for label, value in FACTS.items():
        await dialog.get_by_role("spinbutton", name=label).fill(value)
    await dialog.get_by_role("button", name="Warranty").click()
    await dialog.get_by_role("menuitem", name="Discharging is allowed").click()


async def choose_entities(page: Page) -> None:
    """Choose which sensors speak for the car."""
    dialog = flow_dialog(page)
    for label, entity in ENTITIES.items():
        await dialog.get_by_role("button", name=f"{label} Select an entity").click()
        await dialog.get_by_role("textbox").last.fill(entity)
        await dialog.get_by_role("option", name=entity).click()
        await expect(dialog.get_by_role("option")).to_have_count(0)


async def set_slider(page: Page, name: str, percent: int) -> None:
    """Raise a slider of the page by keyboard, until it says so."""
    slider = page.get_by_role("slider", name=name)
    await slider.focus()
    shown = int(float(await slider.get_attribute("aria-valuenow") or 0))
    # Away and back, so that even the value it starts with was set by a person.
    keys = [
        "ArrowLeft",
        *["ArrowRight" if shown <= percent else "ArrowLeft"] * (abs(percent - shown) + 1),
    ]
    for key in keys:
        await slider.press(key)
    await expect(slider).to_have_attribute("aria-valuenow", str(percent))


async def set_full_hour(page: Page, name: str, hour: int) -> None:
    """Type an hour into one of the page's time fields; the minutes become 00 by themselves."""
    group = page.get_by_role("group", name=name)
    await group.get_by_role("spinbutton", name="hh").fill(f"{hour:02}")
    await group.get_by_role("spinbutton", name="hh").press("Tab")
    await expect(group.get_by_role("spinbutton", name="mm")).to_have_value("00")
