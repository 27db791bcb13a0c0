"""Prices as the API takes them."""

from decimal import ROUND_CEILING, Decimal


def price_text(price: float) -> str:
    """Return a price per kWh as a decimal string with four to six digits, without float noise."""
    whole, _, digits = format(Decimal(str(price)).quantize(Decimal("0.000001")), "f").partition(".")
    return f"{whole}.{digits.rstrip('0'):0<4}"


def reported_price_text(price: Decimal) -> str:
    """Return a reported price per kWh with six digits, the most the API takes, rounded up."""
    return format(price.quantize(Decimal("0.000001"), rounding=ROUND_CEILING), "f")


def shown_price(price: str) -> str:
    """Return a price as people read it: at least two decimals, and no more than it has."""
    whole, _, digits = price.partition(".")
    return f"{whole}.{digits.rstrip('0'):0<2}"
