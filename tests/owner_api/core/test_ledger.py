"""Double entry: whatever happens to a reward, every currency sums to zero."""

from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
import pytest

from owner_api.core.ledger import (
    Posting,
    UnbalancedError,
    balanced,
    owner_account,
    park_payable,
    transfer,
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


@patient
@given(amount=st.integers(-(10**15), 10**15), currency=st.sampled_from(CURRENCIES))
def test_a_transfer_always_balances(amount: int, currency: str) -> None:
    source, target = balanced(transfer("a", "b", amount, currency))
    assert (source.account, target.account) == ("a", "b")
    assert target.amount_minor == amount == -source.amount_minor


class OneReward(RuleBasedStateMachine):
    """A reward on its way: earned, confirmed, paid, reversed from wherever it stands."""

    @initialize(amount=st.integers(0, 10**9))
    def earn(self, amount: int) -> None:
        self.amount = amount
        self.status = "pending"
        self.entries: list[Posting] = []
        self.move("owed", "pending")

    def account(self, status: str) -> str:
        return park_payable("prk_a") if status == "owed" else owner_account("own_a", status)

    def move(self, source: str, target: str) -> None:
        moved = transfer(self.account(source), self.account(target), self.amount, "CNY")
        self.entries += balanced(moved)
        self.status = target

    @precondition(lambda self: self.status == "pending")
    @rule()
    def confirm(self) -> None:
        self.move("pending", "confirmed")

    @precondition(lambda self: self.status == "confirmed")
    @rule()
    def pay(self) -> None:
        self.move("confirmed", "paid")

    @precondition(lambda self: self.status != "owed")
    @rule()
    def reverse(self) -> None:
        self.move(self.status, "owed")

    @precondition(lambda self: self.status == "owed")
    @rule(amount=st.integers(0, 10**9))
    def settle_the_next_version(self, amount: int) -> None:
        self.amount = amount
        self.move("owed", "pending")

    @invariant()
    def the_books_balance_and_the_money_is_in_one_place(self) -> None:
        if not hasattr(self, "entries"):
            return
        assert sums(self.entries) == {"CNY": 0}
        held = {
            status: sum(e.amount_minor for e in self.entries if e.account == self.account(status))
            for status in ("pending", "confirmed", "paid")
        }
        wanted = dict.fromkeys(held, 0)
        if self.status != "owed":
            wanted[self.status] = self.amount
        assert held == wanted


TestOneReward = OneReward.TestCase
TestOneReward.settings = settings(max_examples=50, stateful_step_count=12, deadline=None)
