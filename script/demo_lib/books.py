"""Four books of one deal, read apart from each other, and whether they say the same."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
import json
from typing import Any, Final

from .stage import Demo

# What is looked for has been seen before; nothing is waited for.
_PATIENCE_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """What one source says was delivered, at which price, and what is owed for it."""

    source: str
    delivered_wh: int
    amount_minor: int
    price_per_kwh: Decimal


async def read_books(demo: Demo, offer_id: str) -> list[Book]:
    """Read Home Assistant's states, the owner's phone, the park's record and the meter log."""
    price = Decimal(str(demo.plot.price))
    return [
        await _home_assistant(demo, offer_id),
        await _phone(demo, offer_id),
        _park(demo, offer_id),
        _meter(demo, price),
    ]


def agreed(books: list[Book]) -> str | None:
    """Return how the books differ, None when all say the same and price times energy is owed."""
    if len({(book.delivered_wh, book.amount_minor, book.price_per_kwh) for book in books}) != 1:
        return "; ".join(
            f"{book.source}: {book.delivered_wh} Wh at {book.price_per_kwh}: {book.amount_minor}"
            for book in books
        )
    book = books[0]
    if not book.delivered_wh or owed(book.price_per_kwh, book.delivered_wh) != book.amount_minor:
        return f"{book.price_per_kwh} x {book.delivered_wh} Wh is not {book.amount_minor} fen"
    return None


def owed(price_per_kwh: Decimal, delivered_wh: int) -> int:
    """Return price x energy in fen, rounded half to even."""
    return int((price_per_kwh * delivered_wh / 10).to_integral_value(rounding=ROUND_HALF_EVEN))


async def _home_assistant(demo: Demo, offer_id: str) -> Book:
    """Read the charger's and the reward sensors, which a fresh demo began at nothing."""
    value = demo.watcher.value
    exported_kwh = Decimal(await value(f"sensor.{demo.charger_id}_energy_exported"))
    paid = Decimal(await value(f"sensor.{demo.owner_id}_rewards_paid"))
    told = await demo.watcher.wait_for(
        f"event.{demo.owner_id}_offers",
        lambda state: state["attributes"].get("offer_id") == offer_id,
        _PATIENCE_S,
    )
    assert told is not None
    return Book(
        source="Home Assistant's states",
        delivered_wh=int(exported_kwh * 1000),
        amount_minor=int(paid * 100),
        price_per_kwh=Decimal(told["attributes"]["price_per_kwh"]),
    )


async def _phone(demo: Demo, offer_id: str) -> Book:
    """Read the settlement that the owner's other device sees."""
    offer: dict[str, Any] = await demo.phone.get(f"/v1/offers/{offer_id}")
    deal = await demo.phone.get(f"/v1/commitments/{offer['commitment_id']}")
    settlement = await demo.phone.get(f"/v1/settlements/{deal['settlement']['settlement_id']}")
    return Book(
        source="owner API, seen by a phone",
        delivered_wh=settlement["delivered_wh"],
        amount_minor=settlement["reward"]["amount_minor"],
        price_per_kwh=Decimal(settlement["price_per_kwh"]),
    )


def _park(demo: Demo, offer_id: str) -> Book:
    """Read what the park wrote down, by its own meter and its own arithmetic."""
    deals = json.loads(demo.book.read_bytes())["deals"]
    deal = next(each for each in deals if each["offer_id"] == offer_id)
    return Book(
        source="the park's own record",
        delivered_wh=deal["delivered_wh"],
        amount_minor=deal["owed_minor"],
        price_per_kwh=Decimal(deal["price_per_kwh"]),
    )


def _meter(demo: Demo, price: Decimal) -> Book:
    """Take the difference of the export register between the first and last line of its log."""
    lines = demo.meter_log.read_text(encoding="utf-8").splitlines()
    first, last = (json.loads(lines[at])["export_register_wh"] for at in (0, -1))
    return Book(
        source="the meter's registers",
        delivered_wh=last - first,
        amount_minor=owed(price, last - first),
        price_per_kwh=price,
    )
