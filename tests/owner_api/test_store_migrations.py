"""The schema: what the migrations make is what the tables say, and an upgrade keeps a copy."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
import json
from pathlib import Path
import re
import sqlite3
import subprocess
import sys

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
import pytest
from sqlalchemy import create_engine, inspect
from sqlalchemy.pool import NullPool

from owner_api.commands import binding
from owner_api.core.owed import OwedRecharges
from owner_api.server.answers import Rendered
from owner_api.server.idempotency import Ticket
from owner_api.store import (
    Store,
    StoreLockedError,
    StoreVersionError,
    Tx,
    migrating,
    outbox,
    upgrading,
)
from owner_api.store.documents import load
from owner_api.store.metadata import metadata


def upgrade_to(path: Path, revision: str) -> None:
    """Make a database as an earlier program had it."""
    _move(command.upgrade, path, revision)


def downgrade_to(path: Path, revision: str) -> None:
    """Make a database fit for an earlier program again."""
    _move(command.downgrade, path, revision)


def _move(how: Callable[[Config, str], None], path: Path, revision: str) -> None:
    upgrading.import_tables()
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.begin() as connection:
        configured = migrating.config()
        configured.attributes["connection"] = connection
        how(configured, revision)
    engine.dispose()


def test_migrations_make_exactly_the_tables_the_code_declares(tmp_path: Path) -> None:
    path = tmp_path / "owner.db"
    assert upgrading.upgrade(path) == upgrading.head()
    upgrading.import_tables()
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_every_table_is_strict_so_that_no_float_slips_in(tmp_path: Path) -> None:
    path = tmp_path / "owner.db"
    upgrading.upgrade(path)
    engine = create_engine(f"sqlite:///{path}")
    names = set(inspect(engine).get_table_names()) - {"alembic_version"}
    engine.dispose()
    connection = sqlite3.connect(path)
    strict = {row[1] for row in connection.execute("PRAGMA table_list") if row[5]}
    kinds = {row[2] for name in names for row in connection.execute(f"PRAGMA table_info('{name}')")}
    connection.close()
    assert names == strict
    assert kinds <= {"TEXT", "INTEGER", "BLOB"}


def test_upgrading_twice_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "owner.db"
    upgrading.upgrade(path)
    connection = sqlite3.connect(path)
    before = connection.execute("SELECT * FROM meta").fetchall()
    connection.close()
    upgrading.upgrade(path)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT * FROM meta").fetchall() == before
    connection.close()
    assert [name.name for name in tmp_path.glob("*.before-*")] == []


@pytest.mark.slow
async def test_each_database_has_an_identity_of_its_own(tmp_path: Path) -> None:
    found = set()
    for name in ("a.db", "b.db"):
        store = await Store.open(tmp_path / name)
        row = await store.read(lambda tx: tx.one("SELECT value FROM meta WHERE key = 'server_id'"))
        assert row is not None
        found.add(row["value"])
        await store.close()
    assert len(found) == 2


def test_rewards_and_books_from_before_there_were_several_payers_are_kept(tmp_path: Path) -> None:
    """A reward becomes its settlement's only part; a posting keeps naming its settlement."""
    path = tmp_path / "owner.db"
    upgrade_to(path, "0003")
    old = sqlite3.connect(path)
    old.execute(
        "INSERT INTO reward (reward_id, settlement_id, owner_id, park_id, kind, status,"
        " amount_minor, currency, earned_at) VALUES"
        " ('rwd_1', 'stl_1', 'own_1', 'prk_1', 'cash', 'paid', 60, 'CNY', '2026-12-01T00:00:00Z')"
    )
    old.execute(
        "INSERT INTO posting (posting_id, txn_id, kind, account, amount_minor, currency,"
        " settlement_id, at) VALUES"
        " ('pst_1', 'txn_1', 'earned', 'own_1:pending', 60, 'CNY', 'stl_1', '2026-12-01T00:00:00Z')"
    )
    old.commit()
    old.close()
    migrating.migrate(path)
    new = sqlite3.connect(path)
    rewards = new.execute(
        "SELECT reward_id, part, payer, amount_minor, already_paid_minor FROM reward"
    )
    assert rewards.fetchall() == [("rwd_1", 0, None, 60, 0)]
    assert new.execute("SELECT posting_id, reward_id FROM posting").fetchall() == [("pst_1", None)]
    new.close()


def test_a_car_from_before_its_identifier_had_a_column_is_found_by_it_without_reading_others(
    tmp_path: Path,
) -> None:
    path, now = tmp_path / "owner.db", datetime(2026, 12, 1, tzinfo=UTC)
    upgrade_to(path, "0011")
    old = sqlite3.connect(path)
    for name, body in {"veh_1": {"identifier_digest": "d" * 64}, "veh_2": {}}.items():
        old.execute(
            "INSERT INTO vehicle VALUES (?, 'own_1', 1, ?, '{}', '{}', 1, '{}', 1, ?, NULL)",
            (name, json.dumps(body), now.isoformat()),
        )
    old.commit()
    old.close()
    migrating.migrate(path)
    new = sqlite3.connect(path)
    said: list[str] = []
    new.set_trace_callback(said.append)
    assert binding.named_by(Tx(new), "d" * 64) == "veh_1"
    assert binding.named_by(Tx(new), "e" * 64) is None
    new.set_trace_callback(None)
    ((*_, plan),) = new.execute(f"EXPLAIN QUERY PLAN {said[0]}").fetchall()
    new.close()
    assert plan == "SEARCH vehicle USING INDEX vehicle_identifier (identifier_digest=?)"


def test_a_claim_that_was_corrected_stays_so_in_both_directions(tmp_path: Path) -> None:
    path = tmp_path / "owner.db"
    upgrade_to(path, "0016")
    old = sqlite3.connect(path)
    names = ("receipt_id", "settlement_id", "commitment_id", "owner_id", "park_id", "kind")
    for number, corrected in ((1, 0), (2, 1)):
        old.execute(
            f"INSERT INTO claim ({', '.join(names)}, reward_id, version, part, currency,"  # noqa: S608 - named above
            " price_per_kwh, delivered_wh, amount_minor, already_paid_minor, corrected,"
            " settled_at, claimed_at) VALUES (?1, ?1, ?1, ?1, ?1, ?1, ?1, 1, 0, 'CNY', '1', 1, 1,"
            " 0, ?2, ?3, ?3)",
            (f"a_{number}", corrected, "2026-12-01T00:00:00Z"),
        )
    old.commit()
    old.close()
    migrating.migrate(path)
    with closing(sqlite3.connect(path)) as new:
        found = new.execute("SELECT settlement_id FROM earlier_correction").fetchall()
    assert found == [("a_2",)]
    downgrade_to(path, "0016")
    with closing(sqlite3.connect(path)) as old:
        found = old.execute("SELECT reward_id, corrected FROM claim ORDER BY 1").fetchall()
    assert found == [("a_1", 0), ("a_2", 1)]


def test_a_claim_from_before_rewards_were_kept_beside_it_has_its_deals_payments_counted(
    tmp_path: Path,
) -> None:
    path = tmp_path / "owner.db"
    upgrade_to(path, "0017")
    with closing(sqlite3.connect(path)) as old:
        names = ("reward_id", "receipt_id", "settlement_id", "owner_id", "park_id", "kind")
        old.execute(
            f"INSERT INTO claim ({', '.join(names)}, commitment_id, version, part, currency,"  # noqa: S608 - named above
            " price_per_kwh, delivered_wh, amount_minor, already_paid_minor, settled_at,"
            " claimed_at) VALUES ('a', 'a', 'a', 'a', 'a', 'a', 'com', 1, 2, 'CNY', '1', 1, 50,"
            " 20, ?1, ?1)",
            ("2026-12-01T00:00:00Z",),
        )
        old.commit()
    migrating.migrate(path)
    with closing(sqlite3.connect(path)) as new:
        found = new.execute("SELECT * FROM earlier_reward").fetchall()
    assert found == [("a", "com", 2, 30)]
    downgrade_to(path, "0017")


def test_a_stream_from_before_it_had_a_number_is_kept_and_goes_on(tmp_path: Path) -> None:
    """Also where everything was pruned: its next number is one more than its last."""
    path = tmp_path / "owner.db"
    upgrade_to(path, "0006")
    old = sqlite3.connect(path)
    old.execute("INSERT INTO stream_head (party_id, seq) VALUES ('own_a', 4), ('own_b', 9)")
    old.execute(
        "INSERT INTO outbox (party_id, seq, type, at, data) VALUES"
        " ('own_a', 4, 'late', '2026-12-01T00:00:00Z', '{}'),"
        " ('own_a', 3, 'soon', '2026-12-01T00:00:00Z', '{}')"
    )
    old.commit()
    old.close()
    migrating.migrate(path)
    new = sqlite3.connect(path)
    tx = Tx(new)
    assert [event.type for event in outbox.after(tx, "own_a", 0, 9)] == ["soon", "late"]
    assert outbox.span(tx, "own_b") == outbox.Span(oldest=10, head=9)
    for party_id in ("own_b", "own_a", "own_c"):
        tx.emit(party_id, "new", datetime(2026, 12, 2, tzinfo=UTC), {})
    heads = {party: outbox.span(tx, party).head for party in ("own_a", "own_b", "own_c")}
    assert heads == {"own_a": 5, "own_b": 10, "own_c": 1}
    new.close()


def test_a_decision_is_read_from_the_log_where_an_older_program_wants_its_row(
    tmp_path: Path,
) -> None:
    path = tmp_path / "owner.db"
    upgrade_to(path, "0007")
    body = {"decision_id": "dec_1", "offer_id": "off_1", "revision": 2, "terms_sha256": "ab"}
    body |= {"decision": "accept", "method": "tap", "decided_at": "2026-12-01T00:00:00Z"}
    body |= {"preferences_revision": 3, "consented_energy_wh": 1500, "counter_terms": None}
    body |= {"rule_id": None, "device_id": "dev_1", "actor": {"user": "Li"}, "reason": None}
    logged = {"body": body | {"purpose": "peak_price"}, "party_id": "own_1"}
    old = sqlite3.connect(path)
    names = ("park_id", "session_id", "state", "purpose", "issued_at", "respond_by", "terms")
    columns = ", ".join((*names, "terms_sha256", "updated_at"))
    marks = ", ".join("?" * 11)
    old.execute(
        f"INSERT INTO offer (offer_id, revision, {columns}) VALUES ({marks})",  # noqa: S608
        ("off_1", 2, *"x" * 9),
    )
    old.executescript(
        "INSERT INTO ledger_leaf VALUES (0, 'decision', '', x'00', x'00');"
        "INSERT INTO ledger_leaf VALUES (1, 'stop', '', x'00', x'00');"
        "INSERT INTO ledger_leaf VALUES (2, 'decision', '', x'00', x'00');"
        "INSERT INTO ledger_entry (position) VALUES (1), (2)"
    )
    old.execute(
        "INSERT INTO ledger_entry (position, party_id, content) VALUES (0, 'own_1', ?)",
        (json.dumps(logged),),
    )
    at = "2026-12-01T00:00:00.000000Z"
    row = ("dec_1", "off_1", "own_1", 2, "accept", "tap", at, json.dumps(body))
    old.execute("INSERT INTO decision VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    old.commit()
    old.close()
    upgrade_to(path, "0008")
    downgrade_to(path, "0007")
    again = sqlite3.connect(path)
    ((*columns_again, text),) = again.execute("SELECT * FROM decision").fetchall()
    again.close()
    assert (tuple(columns_again), json.loads(text)) == (row[:-1], body)


async def test_a_repeat_from_before_answers_had_numbers_is_answered_and_again_after_going_back(
    tmp_path: Path,
) -> None:
    """Promise 5: an update of the server between a request and its repeat doubles nothing."""
    path, at = tmp_path / "owner.db", datetime(2026, 12, 1, tzinfo=UTC)
    tickets = [
        Ticket.issue(key, client=client, route="r", target="/x", raw=b"", sealed=False)
        for key in ("one", "two")
        for client in ("own_a", "own_b")
    ]
    upgrade_to(path, "0009")
    old = sqlite3.connect(path)
    for number, ticket in enumerate(reversed(tickets)):
        old.execute(
            "INSERT INTO idempotency VALUES (?, ?, ?, ?, 201, '{}', ?, 0, '2026-12-01')",
            (*ticket.place, ticket.asked_sha256, b"%d" % number),
        )
    old.commit()
    before = set(old.execute("SELECT * FROM idempotency").fetchall())
    old.close()
    store = await Store.open(path)
    for number, ticket in enumerate(reversed(tickets)):
        found = await store.write(ticket.recall)
        assert found is not None
        assert found.body == b"%d" % number
    new = Ticket.issue("three", client="own_a", route="r", target="/x", raw=b"", sealed=False)
    assert await store.write(new.recall) is None
    await store.write(lambda tx: new.keep(tx, Rendered(status=201, headers={}, body=b"new"), at))
    # Numbers follow the order in which the answers were written.
    rows = await store.read(lambda tx: tx.all("SELECT body FROM idempotency ORDER BY number"))
    assert [row["body"] for row in rows] == [b"0", b"1", b"2", b"3", b"new"]
    await store.close()
    downgrade_to(path, "0009")
    back = sqlite3.connect(path)
    after = set(back.execute("SELECT * FROM idempotency").fetchall())
    back.close()
    assert before < after
    assert len(after) == len(before) + 1


def test_what_was_stopped_and_what_is_owed_is_known_after_an_upgrade(tmp_path: Path) -> None:
    path, at = tmp_path / "owner.db", "2026-12-01T00:00:00.000000Z"
    promise = {"guaranteed": True, "energy_wh": 5_000, "start_at": "2026-12-01T01:00:00+00:00"}
    promise |= {"by": "2026-12-01T02:00:00+00:00", "max_w": 7_000, "price_per_kwh": "0.3"}
    upgrade_to(path, "0015")
    old = sqlite3.connect(path)
    broken_and_found = {"ses_1": (1, None), "ses_2": (1, at), "ses_3": (0, at), "ses_4": (0, None)}
    for name, (broken, found_at) in broken_and_found.items():
        old.execute(
            "INSERT INTO session (session_id, park_id, evse_id, state, plugged_in_at, recharge,"
            " recharge_broken, recharge_broken_at, recharge_due_at, live, created_at) VALUES"
            " (?, 'prk_1', 'E1', 'bound', ?, ?, ?, ?, ?, '{}', '2026-11-30')",
            (name, at, json.dumps(promise), broken, found_at, None if found_at or broken else at),
        )
    columns = {row[1]: "x" for row in old.execute("PRAGMA table_info(commitment)") if row[3]}
    columns |= {
        row[1]: 1 for row in old.execute("PRAGMA table_info(commitment)") if row[2] == "INTEGER"
    }
    for name, reason in {"com_1": "owner", "com_2": "lease"}.items():
        row = columns | {"commitment_id": name, "state_reason": reason, "ended_at": at}
        marks = ", ".join("?" * len(row))
        old.execute(
            f"INSERT INTO commitment ({', '.join(row)}) VALUES ({marks})",  # noqa: S608 - our names
            tuple(row.values()),
        )
    old.commit()
    old.close()
    migrating.migrate(path)
    new = sqlite3.connect(path)
    found = new.execute("SELECT session_id, recharge_broken_at FROM session ORDER BY session_id")
    assert [*found] == [("ses_1", "2026-11-30"), ("ses_2", at), ("ses_3", None), ("ses_4", None)]
    kept = new.execute("SELECT session_id, recharge_owed FROM session WHERE recharge_owed NOTNULL")
    ((session_id, text),) = kept.fetchall()
    owed = load(OwedRecharges, text)
    assert (session_id, owed.due_at) == ("ses_4", datetime(2026, 12, 1, 2, tzinfo=UTC))
    assert owed.left_wh == 5_000
    stopped = new.execute("SELECT commitment_id, owner_stopped_at FROM commitment")
    assert dict(stopped) == {"com_1": at, "com_2": None}
    new.close()
    downgrade_to(path, "0015")
    again = sqlite3.connect(path)
    again_broken = again.execute("SELECT recharge_broken FROM session ORDER BY session_id")
    assert [row[0] for row in again_broken] == [1, 1, 0, 0]
    again.close()


async def test_a_database_in_use_is_not_upgraded(store: Store) -> None:
    with pytest.raises(StoreLockedError):
        await asyncio.to_thread(upgrading.upgrade, store.path)


async def test_a_database_without_a_schema_is_not_touched_unless_allowed(tmp_path: Path) -> None:
    path = tmp_path / "owner.db"
    sqlite3.connect(path).close()
    path.touch()
    with pytest.raises(StoreVersionError, match="db upgrade"):
        await Store.open(path, create=False)


@pytest.mark.slow
def test_the_next_step_is_written_from_what_the_tables_declare(tmp_path: Path) -> None:
    """Before the first release the one step can be written anew from the declared tables."""
    program = (
        "import sys; from pathlib import Path\n"
        "from owner_api.store.migrations import __main__ as steps\n"
        "steps._VERSIONS = Path(sys.argv[1])\n"
        "print(steps.write_step('first schema', first=True))"
    )
    (tmp_path / "versions").mkdir()
    written = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "versions")],
        capture_output=True,
        text=True,
        check=True,
    )
    step = Path(written.stdout.strip().splitlines()[-1])
    text = step.read_text(encoding="utf-8")
    upgrading.import_tables()
    assert step.name == "0001_first_schema.py"
    assert set(re.findall(r"create_table\(['\"](\w+)", text)) == set(metadata.tables)
    assert text.count("sqlite_strict=True") == len(metadata.tables)
