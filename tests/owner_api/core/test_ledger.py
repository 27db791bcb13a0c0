"""Double entry: whatever happens to a reward, every currency sums to zero."""

from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
import pytest

from owner_api.core.ledger import (
    CREDIT_BOOK,
    Claim,
    Posting,
    UnbalancedError,
    balanced,
    book_of,
    owner_account,
    owner_credit,
    park_money,
    park_payable,
)

from .patience import patient

CURRENCIES = ("CNY", "EUR", "XPOINT")
accounts = st.sampled_from([park_payable("prk_a"), owner_account("own_a", "pending")])
postings = st.builds(
    Posting,
    account=accounts,
    amount_minor=st.integers(-(10**15), 10**15),
    currency=st.sampled_from(CURRENCIES),
)


def sums(entries: list[Posting]) -> dict[str, int]:
    found: dict[str, int] = {}
    for entry in entries:
        found[entry.currency] = found.get(entry.currency, 0) + entry.amount_minor
    return found


@patient
@given(entries=st.lists(postings, max_size=8))
def test_only_what_sums_to_zero_in_each_currency_is_a_transaction(entries: list[Posting]) -> None:
    if any(sums(entries).values()):
        with pytest.raises(UnbalancedError):
            balanced(entries)
    else:
        assert balanced(entries) == tuple(entries)


@pytest.mark.parametrize(
    ("kind", "currency", "book"),
    [
        ("cash", "CNY", ""),
        ("charging_credit", "CNY", CREDIT_BOOK),
        ("charging_credit", "XKWH", ""),
        ("points", "XPTS", ""),
    ],
)
def test_only_charging_credit_that_is_counted_in_money_needs_accounts_apart_from_cash(
    kind: str, currency: str, book: str
) -> None:
    assert book_of(kind, currency) == book


class OneDeal(RuleBasedStateMachine):
    """A deal's rewards: earned, confirmed, paid, and corrected from wherever they stand."""

    @initialize(amount=st.integers(0, 10**9))
    def begin(self, amount: int) -> None:
        self.entries: list[Posting] = []
        self.given = 0
        self.earn(amount)

    def earn(self, amount: int) -> None:
        credit = -self.held(owner_credit("own_a"))
        self.claim = Claim(
            owner_id="own_a",
            park_id="prk_a",
            currency="CNY",
            amount_minor=amount,
            already_paid_minor=min(amount, credit),
        )
        self.status = "pending"
        self.book(self.claim.earned())

    def book(self, entries: tuple[Posting, ...]) -> None:
        assert not any(sums(list(entries)).values())
        self.entries += entries

    def held(self, account: str) -> int:
        return sum(entry.amount_minor for entry in self.entries if entry.account == account)

    @precondition(lambda self: self.status == "pending")
    @rule()
    def confirm(self) -> None:
        self.book(self.claim.confirmed())
        self.status = "confirmed"

    @precondition(lambda self: self.status == "confirmed")
    @rule()
    def pay(self) -> None:
        self.book(self.claim.paid())
        self.given += self.claim.payment_minor
        self.status = "paid"

    @rule(amount=st.integers(0, 10**9))
    def correct(self, amount: int) -> None:
        self.book(self.claim.reversed(self.status))
        self.earn(amount)

    @invariant()
    def the_books_say_what_was_paid_what_is_owed_and_what_was_paid_too_much(self) -> None:
        if not hasattr(self, "claim"):
            return
        worth, given = self.claim.amount_minor, self.given
        assert self.held(owner_account("own_a", "paid")) == given == -self.held(park_money("prk_a"))
        assert self.held(park_payable("prk_a")) == given - worth
        still = sum(self.held(owner_account("own_a", name)) for name in ("pending", "confirmed"))
        assert still == (0 if self.status == "paid" else max(0, worth - given))
        assert -self.held(owner_credit("own_a")) == max(0, given - worth)


TestOneDeal = OneDeal.TestCase
TestOneDeal.settings = settings(max_examples=50, stateful_step_count=12, deadline=None)
