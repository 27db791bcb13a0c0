"""Double entry: every transaction moves money between accounts and sums to zero per currency."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Posting:
    """One signed amount on one account; positive is in the account holder's favour."""

    account: str
    amount_minor: int
    currency: str


class UnbalancedError(ValueError):
    """A transaction whose amounts do not sum to zero in some currency."""


def park_payable(park_id: str) -> str:
    """Return the account that holds what a park owes (negative while it owes)."""
    return f"{park_id}:payable"


def owner_account(owner_id: str, status: str) -> str:
    """Return the owner's account for rewards that are pending, confirmed or paid."""
    return f"{owner_id}:{status}"


def transfer(source: str, target: str, amount_minor: int, currency: str) -> tuple[Posting, Posting]:
    """Return a balanced transaction that moves ``amount_minor`` from source to target."""
    return (
        Posting(account=source, amount_minor=-amount_minor, currency=currency),
        Posting(account=target, amount_minor=amount_minor, currency=currency),
    )


def balanced(postings: Iterable[Posting]) -> tuple[Posting, ...]:
    """Return the postings; raise UnbalancedError when a currency does not sum to zero."""
    entries = tuple(postings)
    sums: dict[str, int] = {}
    for entry in entries:
        sums[entry.currency] = sums.get(entry.currency, 0) + entry.amount_minor
    wrong = {currency: total for currency, total in sums.items() if total}
    if wrong:
        msg = f"postings do not sum to zero: {wrong}"
        raise UnbalancedError(msg)
    return entries
