"""Rows that are made together at the end of a batch are there for whoever asks before."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
import json
from pathlib import Path
import tempfile

from hypothesis import given, settings, strategies as st
import pytest

from owner_api.commands import leaves
from owner_api.core import merkle, receipt
from owner_api.store import Store, StoreError, Tx
from owner_api.store.pending import Maker, Rows, Statement
from tests.fresh_database import lay

from .deal_world import NOON

LEAVES: Statement = ("ledger_leaf", ("position", "kind", "at", "digest", "hash"))
ENTRIES: Statement = ("ledger_entry", ("position", "content"))


def rows_of(things: list[tuple[int, str]]) -> Iterable[tuple[Statement, Rows]]:
    """Return a leaf and an entry, which refers to it, for each."""
    yield LEAVES, [(position, kind, "now", b"", b"") for position, kind in things]
    yield ENTRIES, [(position, kind) for position, kind in things]


MAKER = Maker(("ledger_leaf", "ledger_entry"), rows_of)


class RefusedError(Exception):
    """What a failing command raises."""


@dataclass(frozen=True)
class Step:
    """What a command does next: have rows made of a word, ask for all, or fail in a nested part."""

    how: str
    word: str


COMMANDS = st.lists(
    st.tuples(
        st.lists(
            st.builds(
                Step, how=st.sampled_from(["make", "ask", "nest"]), word=st.sampled_from("abc")
            ),
            max_size=4,
        ),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=40, deadline=None)
@given(COMMANDS)
def test_whoever_asks_finds_what_was_kept_and_nothing_that_was_undone(
    commands: list[tuple[list[Step], bool]],
) -> None:
    kept: list[str] = []

    def run(tx: Tx, steps: list[Step], *, fails: bool) -> None:
        mine = list(kept)
        for step in steps:
            if step.how == "make":
                tx.later_made(MAKER, (len(mine), step.word))
                mine.append(step.word)
            elif step.how == "ask":
                rows = tx.all("SELECT content FROM ledger_entry ORDER BY position")
                assert [row["content"] for row in rows] == mine
            else:
                with suppress(RefusedError), tx.nested():
                    tx.later_made(MAKER, (len(mine), step.word))
                    raise RefusedError
        if fails:
            raise RefusedError
        kept[:] = mine

    async def play(path: Path) -> list[str]:
        store = await Store.open(path, synchronous="OFF")
        answers = await asyncio.gather(
            *(
                store.write(lambda tx, s=steps, f=fails: run(tx, s, fails=f))
                for steps, fails in commands
            ),
            return_exceptions=True,
        )
        for (_, fails), answer in zip(commands, answers, strict=True):
            assert isinstance(answer, RefusedError) if fails else answer is None, answer
        rows = await store.read(
            lambda tx: tx.all(
                "SELECT kind, content FROM ledger_leaf JOIN ledger_entry USING (position)"
                " ORDER BY position"
            )
        )
        await store.close()
        assert all(row["kind"] == row["content"] for row in rows)
        return [row["content"] for row in rows]

    with tempfile.TemporaryDirectory() as folder:
        assert asyncio.run(play(lay(Path(folder) / "owner.db"))) == kept


def log(tx: Tx, word: str) -> int:
    """Log something that has no party."""
    return leaves.append(tx, "noted", NOON, {"word": word})


@pytest.mark.parametrize("how", ["asks", "nests"])
async def test_a_command_that_had_entries_of_others_written_and_fails_leaves_them(
    store: Store, how: str
) -> None:
    def fail(tx: Tx) -> None:
        log(tx, "lost")
        if how == "asks":
            assert len(tx.all("SELECT position FROM ledger_leaf")) == 2
        else:
            with tx.nested():
                log(tx, "lost too")
        raise RefusedError

    first, failed, last = await asyncio.gather(
        store.write(lambda tx: log(tx, "first")),
        store.write(fail),
        store.write(lambda tx: log(tx, "last")),
        return_exceptions=True,
    )
    assert (first, type(failed), last) == (0, RefusedError, 1)
    rows = await store.read(
        lambda tx: tx.all(
            "SELECT position, salt, content, digest, hash, kind, at"
            " FROM ledger_leaf JOIN ledger_entry USING (position) ORDER BY position"
        )
    )
    assert [row["position"] for row in rows] == [0, 1]
    assert [json.loads(row["content"])["body"]["word"] for row in rows] == ["first", "last"]
    for row in rows:
        content = row["content"].encode()
        digest = receipt.content_digest(bytes.fromhex(row["salt"]), content)
        leaf = merkle.leaf_hash(receipt.leaf_bytes(row["kind"], row["at"], digest))
        assert (row["digest"], row["hash"]) == (digest, leaf)


async def test_a_table_whose_rows_cannot_wait_is_refused(store: Store) -> None:
    wrong = Maker(("vehicle",), rows_of)
    with pytest.raises(StoreError, match="vehicle: rows of this table cannot wait"):
        await store.write(lambda tx: tx.later_made(wrong, (0, "a")))
