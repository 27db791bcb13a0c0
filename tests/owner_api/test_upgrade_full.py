"""A database with something in every table is brought up to date, and back, and keeps it all."""

from contextlib import closing
from pathlib import Path
import sqlite3
from typing import Any

from click.testing import CliRunner
import pytest

from owner_api.cli import main
from owner_api.store import upgrading

from .deal_world import Deal, active, open_world
from .domain_world import settled, stop
from .test_store_migrations import downgrade_to

# More than --fast has time for.
pytestmark = pytest.mark.slow

# Before what is found by pages and by time.
OLD = "0018"
LISTS = (
    "/v1/snapshot",
    "/v1/offers?state=all",
    "/v1/commitments",
    "/v1/sessions",
    "/v1/rewards",
    "/v1/statements/2026-12",
    "/v1/receipts",
)

type Rows = dict[str, list[dict[str, Any]]]


def stored(path: Path) -> Rows:
    """Return every row of every table, in an order of their own."""
    with closing(sqlite3.connect(path)) as file:
        file.row_factory = sqlite3.Row
        named = file.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        tables = {name for (name,) in named} - {"alembic_version"}
        return {
            table: sorted(map(dict, file.execute(f"SELECT * FROM {table}")), key=repr)  # noqa: S608 - from the schema
            for table in tables
        }


def fill(path: Path) -> None:
    """Put a row into each table that is empty, of parties that are there."""
    with closing(sqlite3.connect(path)) as file:
        known: dict[str, Any] = {"price_per_kwh": "0.5", "kind": "cash", "currency": "CNY"}
        for name in ("vehicle", "owner", "park"):
            ((known[f"{name}_id"],),) = file.execute(f"SELECT {name}_id FROM {name}")  # noqa: S608 - named above
        for table, rows in stored(path).items():
            if rows:
                continue
            row = {
                name: known.get(name, 1 if kind == "INTEGER" else "2026-12-01T00:00:00.000000Z")
                for _, name, kind, needed, *_ in file.execute(f"PRAGMA table_info({table})")
                if needed or name in known
            }
            marks = ", ".join("?" * len(row))
            values = tuple(row.values())
            file.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", values)  # noqa: S608 - from the schema
        file.commit()


def only(rows: Rows, like: Rows) -> Rows:
    """Return the rows with no more tables and columns than others have."""
    return {
        table: sorted(({name: row[name] for name in few[0]} for row in rows[table]), key=repr)
        for table, few in like.items()
    }


def run(*arguments: str) -> None:
    """Run a command that has to find everything good."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output


async def lived(folder: Path) -> Deal:
    """Have a deal delivered and settled, another asked for more, and one declined."""
    async with open_world(folder) as world:
        deal = await active(world)
        await deal.deliver(300)
        await stop(deal)
        await settled(deal)
        await world.move(4_000)
        await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
        for answer in ({"decision": "counter", "price_per_kwh": "1.6"}, {"decision": "decline"}):
            offer = await world.offer(deal.park, deal.session_id)
            assert (await world.decide(deal.owner, offer, **answer)).status == 201
        await deal.owner.post("/v1/chargers", {"display_name": "Garage", "evse_id": "HOME1"})
    return deal


async def test_promise_5_an_upgrade_keeps_every_row_of_every_table_and_serves_it(
    tmp_path: Path,
) -> None:
    deal = await lived(tmp_path)
    path = tmp_path / "owner.db"
    downgrade_to(path, OLD)
    fill(path)
    before = stored(path)
    assert [table for table, rows in before.items() if not rows] == []
    run("db", "upgrade", "--database", str(path))
    run("db", "check", "--database", str(path))
    run("ledger", "verify", "--database", str(path))
    assert only(stored(path), before) == before
    async with open_world(tmp_path, at=deal.world.clock.at) as world:
        deal.owner.world = world
        await deal.owner.renew()
        for each in LISTS:
            assert (await deal.owner.get(each)) is not None
        await world.move(7_200)
    run("ledger", "verify", "--database", str(path))
    kept = stored(path)
    downgrade_to(path, OLD)
    again = stored(path)
    assert only(kept, again) == again
    assert upgrading.upgrade(path) == upgrading.head()
