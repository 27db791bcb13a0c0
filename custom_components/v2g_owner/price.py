"""Prices as the API takes them."""

from decimal import ROUND_CEILING, Decimal


def price_text(price: float) -> str:
    """Return a price per kWh as a decimal string with four digits, without float noise."""
    return format(Decimal(str(price)).quantize(Decimal("0.0001")), "f")


def reported_price_text(price: Decimal) -> str:
    """Return a reported price per kWh with six digits, the most the API takes, rounded up."""
    return format(price.quantize(Decimal("0.000001"), rounding=ROUND_CEILING), "f")
