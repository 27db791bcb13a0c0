"""A short run of kill -9 under sixteen clients, and proof that what it looks for is noticed."""

import asyncio
from contextlib import closing
from pathlib import Path
import sqlite3

import pytest

from script.reliability_lib.kill.command import kill
from script.reliability_lib.kill.log_watch import LogWatch
from script.reliability_lib.stage import DATABASE, prepare


@pytest.mark.slow
def test_promises_5_and_10_kill_9_loses_no_answer_and_a_repeat_acts_once() -> None:
    found = kill(5, seed=7, offers=40)
    assert found.decisions >= 20 * (found.cycles - found.while_starting - 1)
    assert found.retries > 0
    assert [found.lost, found.doubled, found.changed, found.invalid] == [0] * 4, found.first


@pytest.mark.slow
def test_a_server_that_forgets_its_keys_doubles_effects_under_kill_9() -> None:
    assert kill(60, seed=8, offers=40, forget=True).doubled > 0


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE ledger_entry SET content = replace(content, 'a', 'b') WHERE position = 2",
        "UPDATE ledger_leaf SET at = '2026-12-01T05:30:01Z' WHERE position = 1",
        "DELETE FROM ledger_leaf WHERE position = (SELECT max(position) FROM ledger_leaf)",
        "DELETE FROM ledger_checkpoint WHERE size = (SELECT max(size) FROM ledger_checkpoint)",
    ],
)
def test_what_does_not_hold_in_the_log_is_noticed_at_the_next_look(
    tmp_path: Path, damage: str
) -> None:
    folder = tmp_path / "made"
    asyncio.run(prepare(folder, owners=1, offers=1))
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as connection:
        whole = LogWatch(folder / DATABASE)
        assert list(whole.look(connection)) == []
        assert list(whole.look(connection)) == []
        assert connection.execute(damage).rowcount == 1
        assert list(LogWatch(folder / DATABASE).look(connection)) != []
