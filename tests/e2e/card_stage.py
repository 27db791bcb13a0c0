"""The demo's stage with the card on a dashboard, and what its tests ask of a browser."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
import json
import os
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, Locator, Page, TimeoutError as TooLateError, expect

from script.demo_lib.browser import running_browser, signed_in_page
from script.demo_lib.stage import Demo, Plot, start_demo

from .card_picture import Spot, faults

PATH: Final = "v2g-card"
PICKER_PATH: Final = "v2g-picker"
WIDE, PHONE = (720, 1000), (320, 1000)
PATIENCE_MS: Final = 60_000
# Where to keep pictures for the guide; taken and judged they are always.
PICTURES: Final = os.environ.get("V2G_OWNER_PICTURES")

# Text is read against what is painted behind it, through shadow roots and slots.
_CONTRASTS: Final = """
card => {
  const channels = color => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const part = c => { c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const above = node => node.assignedSlot ?? node.parentNode?.host ?? node.parentNode;
  const behind = node => {
    for (let at = node; at; at = above(at)) {
      if (!(at instanceof Element)) continue;
      const color = channels(getComputedStyle(at).backgroundColor);
      if (color.length < 4 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const node of card.shadowRoot.querySelectorAll(":not(style, .aside)")) {
    const own = [...node.childNodes].filter(child => child.nodeType === Node.TEXT_NODE);
    const text = own.map(child => child.data).join("").trim();
    if (!text || !node.checkVisibility()) continue;
    const pair = [light(channels(getComputedStyle(node).color)), light(behind(node))];
    const [dark, bright] = pair.sort((a, b) => a - b);
    found.push([text, (bright + 0.05) / (dark + 0.05)]);
  }
  return found;
}
"""

# Where something must be painted: every text and every icon that is shown, from the card's corner.
_SPOTS: Final = """
card => {
  const corner = card.getBoundingClientRect();
  const found = [];
  for (const node of card.shadowRoot.querySelectorAll("section :not(style), .alarm")) {
    const own = [...node.childNodes].filter(child => child.nodeType === Node.TEXT_NODE);
    const text = own.map(child => child.data).join("").trim();
    const name = text || node.getAttribute("icon") || (node.tagName === "svg" && "battery");
    if (!name || !node.checkVisibility()) continue;
    const { left, top, width, height } = node.getBoundingClientRect();
    const place = { left: left - corner.left, top: top - corner.top, width, height };
    found.push({ name, text: Boolean(text), ...place });
  }
  return found;
}
"""


@dataclass(slots=True, kw_only=True)
class CardStage:
    """A running demo whose dashboard shows the card and nothing else."""

    demo: Demo
    browser: Browser
    page: Page
    complaints: list[str] = field(default_factory=list)

    @property
    def card(self) -> Locator:
        """The card as the owner sees it."""
        return self.page.locator("v2g-owner-card")

    def part(self, name: str) -> Locator:
        """Return one part of the card: offer, deal, result or idle."""
        return self.card.locator(f'[data-part="{name}"]')

    def button(self, name: str) -> Locator:
        """Return a button by the name that a screen reader says."""
        return self.card.get_by_role("button", name=name, exact=True)

    async def open_page(self, **context: Any) -> Page:
        """Open the dashboard in a profile of its own."""
        width, height = WIDE
        page = await signed_in_page(
            self.browser, self.demo.home, width=width, height=height, **context
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        await page.goto(f"{self.demo.home.url}/{PATH}/0")
        await page.locator("v2g-owner-card").wait_for()
        return page

    async def listen(self) -> None:
        """Write down from now on all that the card says aloud: the next word replaces the last."""
        await self.card.evaluate(
            """card => {
              const spoken = card.shadowRoot.querySelector(".aside");
              window.heard = [];
              new MutationObserver(() => window.heard.push(spoken.textContent))
                .observe(spoken, { childList: true, characterData: true, subtree: true });
            }"""
        )

    async def hears(self, words: str) -> None:
        """Wait until the card has said something since ``listen``; ``words`` is a pattern."""
        said = "words => window.heard.some(text => new RegExp(words).test(text))"
        try:
            await self.page.wait_for_function(said, arg=words, timeout=PATIENCE_MS)
        except TooLateError:
            heard = await self.page.evaluate("() => window.heard")
            raise AssertionError(f"{words} is not in {heard}") from None

    async def focused(self) -> str | None:
        """Return the part of the card from which the keyboard goes on."""
        held: str | None = await self.card.evaluate(
            "card => card.shadowRoot.activeElement?.closest('[data-part]')?.dataset.part"
        )
        return held

    async def see_offer(self) -> None:
        """Wait until an offer is open."""
        await expect(self.part("offer")).to_be_visible(timeout=3 * PATIENCE_MS)

    async def see_deal(self, words: str) -> None:
        """Wait until there is a live deal that says so; accepts an offer when there is none."""
        if not await self.part("deal").is_visible():
            await self.see_offer()
            await self.button("Accept").click()
        await expect(self.part("deal")).to_contain_text(words, timeout=2 * PATIENCE_MS)

    async def picture(self, name: str | None = None) -> None:
        """Take a picture of the card and judge it; one with a name is kept when asked for."""
        spots = [Spot(**spot) for spot in await self.card.evaluate(_SPOTS)]
        png = await self.card.screenshot(animations="disabled")
        if PICTURES and name:
            (Path(PICTURES) / f"{name}.png").write_bytes(png)
        dark = await self.page.evaluate(
            "() => document.querySelector('home-assistant').hass.themes.darkMode"
        )
        size = self.page.viewport_size
        assert size
        assert faults(png, spots, width=size["width"], dark=dark) == []


@asynccontextmanager
async def card_stage(folder: Path) -> AsyncIterator[CardStage]:
    """Play the demo with the card on a dashboard of its own, open in a browser."""
    plot = Plot.drawn(21, offers=None, lead_s=40, window_s=60)
    async with AsyncExitStack() as stack:
        browser = await stack.enter_async_context(running_browser())
        demo = await start_demo(stack, plot, folder)
        await demo.home.save_dashboard(PICKER_PATH, _dashboard(cards=[]))
        card = {"type": "custom:v2g-owner-card"}
        await demo.home.save_dashboard(PATH, _dashboard(cards=[card]))
        stage = CardStage(demo=demo, browser=browser, page=None)  # type: ignore[arg-type]
        stage.page = await stage.open_page()
        yield stage


def _dashboard(*, cards: list[dict[str, Any]]) -> dict[str, Any]:
    view = {"title": "V2G", "cards": cards}
    return {"title": "Card", "icon": "mdi:car-electric", "views": [view]}


async def contrasts(card: Locator) -> dict[str, float]:
    """Return the contrast ratio of every text shown, 1 to 21."""
    found: list[tuple[str, float]] = await card.evaluate(_CONTRASTS)
    return dict(found)


async def overflows(page: Page) -> list[str]:
    """Return what is wider than its place: the page, or an element of the card."""
    found = await page.locator("v2g-owner-card").evaluate(
        """card => [
            document.scrollingElement,
            ...card.shadowRoot.querySelectorAll("section, button, p, h2"),
          ].filter(node => node.scrollWidth > node.clientWidth + 1 && node.clientWidth)
          .map(node => `${node.tagName} ${node.textContent.slice(0, 40)}`)"""
    )
    return list(json.loads(json.dumps(found)))
