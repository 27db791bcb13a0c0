"""What listens to the store cannot change what a caller is told about a commit."""

from pathlib import Path

import pytest

from owner_api.store import Store, StoreUnavailableError, Tx
from tests.fresh_database import lay


def note(tx: Tx) -> None:
    tx.insert("meta", key="kept", value="x")


def kept(tx: Tx) -> bool:
    return tx.one("SELECT 1 AS found FROM meta WHERE key = 'kept'") is not None


async def test_a_listener_that_fails_after_the_commit_does_not_call_the_batch_lost(
    tmp_path: Path,
) -> None:
    """Promise 5 the other way round: nobody is told that a kept write was lost."""
    store = await Store.open(lay(tmp_path / "owner.db"))
    heard: list[float] = []

    def listener(took_s: float) -> None:
        heard.append(took_s)
        raise RuntimeError("the metrics are broken")

    store.time_commits(listener)
    await store.write(note)
    assert len(heard) == 1
    assert await store.read(kept)
    await store.close()


async def test_a_seal_that_fails_before_the_commit_undoes_the_batch_and_says_so(
    tmp_path: Path,
) -> None:
    store = await Store.open(lay(tmp_path / "owner.db"))

    def seal(_tx: Tx) -> None:
        raise RuntimeError("no signature")

    store.before_commit(seal)
    with pytest.raises(StoreUnavailableError):
        await store.write(note)
    assert not await store.read(kept)
    await store.close()
