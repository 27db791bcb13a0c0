"""A receipt's page in a real Chromium: on a narrow phone, by day and by night, by keyboard."""

from pathlib import Path
from typing import Final, Literal

from playwright.async_api import expect
import pytest

from script.demo_lib.browser import running_browser
from tests.owner_api.deal_world import open_world, presented

pytestmark = pytest.mark.slow

NARROW: Final = 320
TITLES: Final = {"en": "Your decision", "zh-Hans": "您的答复", "zh-Hant": "您的答覆"}
# The canvas has no element: a page without a background of its own shows the scheme's.
_LOOK: Final = """
() => {
  const box = document.createElement("canvas").getContext("2d");
  const grey = color => {
    box.fillStyle = color;
    return parseInt(box.fillStyle.slice(1, 3), 16);
  };
  document.body.style.backgroundColor = "Canvas";
  const { color, backgroundColor } = getComputedStyle(document.body);
  return {
    wide: document.documentElement.scrollWidth,
    ink: grey(color),
    paper: grey(backgroundColor),
    headings: document.querySelectorAll("h1, h2, h3, h4").length,
    language: document.documentElement.lang,
  };
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh-Hans", "zh-Hant"])
async def test_a_receipt_fits_a_phone_and_can_be_read_by_day_and_by_night(
    tmp_path: Path, scheme: Literal["light", "dark"], language: str
) -> None:
    async with open_world(tmp_path) as world, running_browser() as browser:
        deal = await presented(world)
        await world.decide(deal.owner, deal.offer)
        items = (await deal.owner.get("/v1/receipts"))["items"]
        item = next(each for each in items if each["kind"] == "decision")
        page = await browser.new_page(
            viewport={"width": NARROW, "height": 640},
            color_scheme=scheme,
            extra_http_headers={
                "Authorization": f"Bearer {deal.owner.token}",
                "Accept": "text/html",
                "Accept-Language": language,
            },
        )
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text))
        await page.goto(f"{world.url}/v1/receipts/{item['receipt_id']}")
        # Without a script of its own, ours looks from outside.
        told = await page.content()
        shown = await browser.new_page(
            viewport={"width": NARROW, "height": 640}, color_scheme=scheme
        )
        await shown.set_content(told)
        look = await shown.evaluate(_LOOK)
        for number, other in enumerate(each for each in TITLES if each != language):
            folded = shown.get_by_role("heading", name=TITLES[other], exact=True)
            await expect(folded).to_be_hidden()
            await shown.keyboard.press("Tab")
            await shown.keyboard.press("Enter")
            await expect(folded).to_be_visible()
            assert await shown.locator("details[open]").count() == number + 1
        opened = await shown.evaluate(_LOOK)
    assert errors == []
    assert look["language"] == language
    assert max(look["wide"], opened["wide"]) <= NARROW
    assert abs(look["ink"] - look["paper"]) > 200
    assert look["headings"] > 5
