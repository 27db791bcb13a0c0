"""What the actions about the account tell: a month's rewards, and who acts for the owner."""

from typing import Final

from homeassistant.core import ServiceCall

from .api import Json
from .devices import async_devices
from .errors import translated_errors
from .money import in_words, major
from .reward_month import reward_month
from .service_targets import account_of
from .trust_proofs import readable

ATTR_MONTH: Final = "month"
_PRICED: Final = ("lines", "totals")


async def get_statement(call: ServiceCall) -> Json:
    """Return what was booked in a month of the owner's, this one unless another is named."""
    coordinator = account_of(call)
    month = call.data.get(ATTR_MONTH) or f"{reward_month(coordinator.data)[0]:%Y-%m}"
    path = f"/v1/statements/{month}"
    with translated_errors(coordinator):
        told = await coordinator.api.get(path)
        with readable(path):
            return {**told, **{key: [_in_money(row) for row in told[key]] for key in _PRICED}}


def _in_money(row: Json) -> Json:
    """Return a line, or a total, with its amount as people read it."""
    minor, currency = int(row["amount_minor"]), str(row["currency"])
    return {**row, "amount": major(minor, currency), "amount_in_words": in_words(minor, currency)}


async def list_devices(call: ServiceCall) -> Json:
    """Return the phones and homes that act for the owner, this one among them."""
    coordinator = account_of(call)
    with translated_errors(coordinator):
        return {"devices": await async_devices(coordinator.api)}
