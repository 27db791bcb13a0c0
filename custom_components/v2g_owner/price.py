"""Prices as the API takes them."""

from decimal import Decimal


def price_text(price: float) -> str:
    """Return a price per kWh as a decimal string with four digits, without float noise."""
    return format(Decimal(str(price)).quantize(Decimal("0.0001")), "f")
