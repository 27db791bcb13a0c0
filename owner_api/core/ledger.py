"""Double entry: every transaction moves money between accounts and sums to zero per currency.

A claim is what a park comes to owe for one version of a settlement. What was paid is no claim: a
correction takes back the claim and leaves the payment, and the next version counts it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from .money import money


@dataclass(frozen=True, kw_only=True, slots=True)
class Posting:
    """One signed amount on one account; positive is in the account holder's favour."""

    account: str
    amount_minor: int
    currency: str


class UnbalancedError(ValueError):
    """A transaction whose amounts do not sum to zero in some currency."""


# Charging credit that is counted in money is no cash: its accounts are apart.
CREDIT_BOOK: Final = ":charging_credit"


def book_of(kind: str, currency: str) -> str:
    """Return what the names of a reward's accounts end in; cash and own units have no ending."""
    return CREDIT_BOOK if kind == "charging_credit" and money(currency) else ""


def park_payable(park_id: str) -> str:
    """Return the account of what a park owes: negative while it owes, positive if it overpaid."""
    return f"{park_id}:payable"


def park_money(park_id: str) -> str:
    """Return the account of what a park has paid (negative: the money is gone)."""
    return f"{park_id}:money"


def owner_account(owner_id: str, status: str) -> str:
    """Return the owner's account for rewards that are pending, confirmed or paid."""
    return f"{owner_id}:{status}"


def owner_credit(owner_id: str) -> str:
    """Return the account of what an owner was paid beyond every claim (negative: not earned)."""
    return f"{owner_id}:credit"


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """What one version of a settlement is worth, and how much of it was paid before it was made.

    ``book`` ends the names of its accounts. ``amount_minor`` is the whole worth,
    ``already_paid_minor`` (0 to that) came with payments of earlier versions; the rest is what
    its own payment moves.
    """

    owner_id: str
    park_id: str
    currency: str
    amount_minor: int
    already_paid_minor: int
    book: str = ""

    @property
    def payment_minor(self) -> int:
        """Return what is to be paid for this version, or was."""
        return self.amount_minor - self.already_paid_minor

    def earned(self) -> tuple[Posting, ...]:
        """Book the claim: the park owes it; what was paid before is earned now."""
        return self._balanced(
            (park_payable(self.park_id), -self.amount_minor),
            (owner_account(self.owner_id, "pending"), self.payment_minor),
            *self._credit(self.already_paid_minor),
        )

    def confirmed(self) -> tuple[Posting, ...]:
        """Book that the claim is final."""
        return self._balanced(
            (owner_account(self.owner_id, "pending"), -self.payment_minor),
            (owner_account(self.owner_id, "confirmed"), self.payment_minor),
        )

    def paid(self) -> tuple[Posting, ...]:
        """Book the payment: the owner has it, and the park's money settles its debt."""
        return self._balanced(
            (owner_account(self.owner_id, "confirmed"), -self.payment_minor),
            (owner_account(self.owner_id, "paid"), self.payment_minor),
            (park_money(self.park_id), -self.payment_minor),
            (park_payable(self.park_id), self.payment_minor),
        )

    def reversed(self, status: str) -> tuple[Posting, ...]:
        """Take the claim back from ``status``; what was paid stays paid, as a credit."""
        if status == "paid":
            owned = self._credit(-self.amount_minor)
        else:
            open_minor = (owner_account(self.owner_id, status), -self.payment_minor)
            owned = (open_minor, *self._credit(-self.already_paid_minor))
        return self._balanced((park_payable(self.park_id), self.amount_minor), *owned)

    def paid_late(self) -> tuple[Posting, ...]:
        """Book a payment that was found out after the claim had been taken back: it is a credit."""
        return self._balanced(
            *self._credit(-self.payment_minor),
            (owner_account(self.owner_id, "paid"), self.payment_minor),
            (park_money(self.park_id), -self.payment_minor),
            (park_payable(self.park_id), self.payment_minor),
        )

    def covered(self, status: str, credit_minor: int) -> tuple[Posting, ...]:
        """Book that so much of what is still to be paid, in ``status``, has been paid before."""
        open_minor = (owner_account(self.owner_id, status), -credit_minor)
        return self._balanced(open_minor, *self._credit(credit_minor))

    def _credit(self, amount_minor: int) -> tuple[tuple[str, int], ...]:
        return ((owner_credit(self.owner_id), amount_minor),) if amount_minor else ()

    def _balanced(self, *lines: tuple[str, int]) -> tuple[Posting, ...]:
        return balanced(
            Posting(
                account=f"{account}{self.book}", amount_minor=amount_minor, currency=self.currency
            )
            for account, amount_minor in lines
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
