"""Promise 9: what the writer goes on from is at every moment the sum of the postings."""

import asyncio
from dataclasses import dataclass
from functools import partial
from pathlib import Path
import tempfile

from hypothesis import given, settings, strategies as st
import pytest

from owner_api.commands.balances import Balances, balances, book
from owner_api.core.ledger import Posting
from owner_api.store import Store, Tx
from owner_api.store.errors import StoreUnavailableError

OWNERS = ("own_1", "own_2")
POSTINGS = st.builds(
    Posting,
    account=st.builds(
        "{}:{}{}".format,
        st.sampled_from(OWNERS),
        st.sampled_from(["pending", "confirmed", "paid", "credit"]),
        st.sampled_from(["", ":charging_credit"]),
    ),
    amount_minor=st.integers(-1_000, 1_000),
    currency=st.sampled_from(["CNY", "XPT"]),
)


class RefusedError(Exception):
    """What a command raises that is to be undone."""


@dataclass(frozen=True)
class Command:
    """What a command books, in a block that fails or not, and whether it is undone itself."""

    booked: list[Posting]
    in_block: list[Posting]
    undone: bool
    asks: bool


COMMANDS = st.builds(
    Command,
    booked=st.lists(POSTINGS, max_size=4),
    in_block=st.lists(POSTINGS, max_size=2),
    undone=st.booleans(),
    asks=st.booleans(),
)


def write(tx: Tx, posting: Posting) -> None:
    """Book a posting under the next name."""
    row = tx.one("SELECT count(*) AS so_far FROM posting")
    assert row is not None
    name = f"pst_{row['so_far']}"
    told = {"txn_id": "txn_1", "kind": "earned", "settlement_id": "stl_1", "at": "x"}
    book(tx, posting, posting_id=name, **told)


def summed(tx: Tx) -> Balances:
    """Return every balance, summed from all postings by no query of the server's."""
    found: Balances = {}
    for row in tx.all("SELECT account, currency, amount_minor FROM posting"):
        owner_id, name, *rest = row["account"].split(":")
        key = (f"{owner_id} {row['currency']}", "".join(f":{each}" for each in rest))
        sums = found.setdefault(key, {})
        sums[name] = sums.get(name, 0) + row["amount_minor"]
    return found


def remembered(tx: Tx) -> Balances:
    """Return every balance as an owner is told it."""
    return {
        (f"{owner_id} {currency}", kept_in): sums
        for owner_id in OWNERS
        for (currency, kept_in), sums in balances(tx, owner_id).items()
    }


def write_and_undo(tx: Tx, postings: list[Posting]) -> None:
    """Book postings in a block that fails."""
    with tx.nested():
        for posting in postings:
            write(tx, posting)
        assert remembered(tx) == summed(tx)
        raise RefusedError


def refuse(tx: Tx) -> None:
    """Write what no database takes."""
    tx.run("INSERT INTO meta (key) VALUES (NULL)")


def play(command: Command, tx: Tx) -> None:
    """Run a command of the writer's."""
    for posting in command.booked:
        write(tx, posting)
    if command.asks:
        assert remembered(tx) == summed(tx)
    if command.in_block:
        with pytest.raises(RefusedError):
            write_and_undo(tx, command.in_block)
    if command.undone:
        raise RefusedError


async def hold(played: list[Command]) -> None:
    """Run the commands, holding what is remembered against the postings after each."""
    with tempfile.TemporaryDirectory() as folder:
        store = await Store.open(Path(folder) / "owner.db", synchronous="OFF")
        for command in played:
            if command.undone:
                with pytest.raises(RefusedError):
                    await store.write(partial(play, command))
            else:
                await store.write(partial(play, command))
            assert await store.write(remembered) == await store.read(summed)
        await store.close()


@settings(max_examples=40, deadline=None)
@given(st.lists(COMMANDS, min_size=1, max_size=6))
def test_promise_9_what_is_remembered_is_the_sum_of_the_postings_whatever_was_undone(
    played: list[Command],
) -> None:
    asyncio.run(hold(played))


async def test_a_sum_of_a_batch_that_the_disk_refuses_is_not_gone_on_from(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "owner.db")
    posting = Posting(account="own_1:paid", amount_minor=100, currency="CNY")
    await store.write(lambda tx: write(tx, posting))
    assert await store.write(remembered) == {("own_1 CNY", ""): {"paid": 100}}
    store.before_commit(refuse)
    with pytest.raises(StoreUnavailableError):
        await store.write(lambda tx: write(tx, posting))
    store.before_commit(lambda _tx: None)
    await store.write(lambda tx: write(tx, posting))
    assert await store.write(remembered) == {("own_1 CNY", ""): {"paid": 200}}
    await store.close()
