"""The operator's export of an owner: as much as there is, in little memory, whole or not at all."""

import json
from pathlib import Path
import sqlite3
import tracemalloc

from click.testing import CliRunner, Result
import pytest

from owner_api.cli import main

# More than --fast has time for.
pytestmark = pytest.mark.slow

MANY = 400
PADDING = "x" * 40_000


def run(database: Path, *arguments: str | Path) -> Result:
    words = [*map(str, arguments), "--database", str(database), "--json"]
    return CliRunner().invoke(main, words)


def with_much(database: Path) -> str:
    """Make a database with an owner of whom 16 MB are known."""
    owner_id = str(json.loads(run(database, "owner", "add", "Li Wei").stdout)["owner_id"])
    connection = sqlite3.connect(database)
    with connection:
        connection.execute(
            "INSERT INTO stream_head (stream, party_id, seq) VALUES (1, ?, ?)", (owner_id, MANY)
        )
        connection.executemany(
            "INSERT INTO outbox (stream, seq, party_id, type, at, data) VALUES (1, ?, ?, ?, ?, ?)",
            (
                (
                    seq,
                    owner_id,
                    "noted",
                    "2026-12-01T05:30:00.000000Z",
                    json.dumps({"more": PADDING}),
                )
                for seq in range(1, MANY + 1)
            ),
        )
    connection.close()
    return owner_id


def test_an_export_takes_a_few_pieces_of_memory_however_long_it_is(tmp_path: Path) -> None:
    database, written = tmp_path / "owner.db", tmp_path / "export.json"
    owner_id = with_much(database)
    tracemalloc.start()
    try:
        result = run(database, "owner", "export", owner_id, "--output", written)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["rows"] == MANY + 1
    assert peak < written.stat().st_size / 2
    document = json.loads(written.read_text(encoding="utf-8"))
    assert [row["seq"] for row in document["tables"]["outbox"]] == list(range(1, MANY + 1))


def test_an_export_to_the_screen_is_the_same_document(tmp_path: Path) -> None:
    database, written = tmp_path / "owner.db", tmp_path / "export.json"
    owner_id = with_much(database)
    run(database, "owner", "export", owner_id, "--output", written)
    shown = json.loads(run(database, "owner", "export", owner_id).stdout)
    document = json.loads(written.read_text(encoding="utf-8"))
    assert shown | {"exported_at": None} == document | {"exported_at": None}


def test_an_export_that_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    database, written = tmp_path / "owner.db", tmp_path / "export.json"
    owner_id = with_much(database)
    spoilt = bytearray(database.read_bytes())
    # What the newest events continue on.
    spoilt[-3_000_000:-1_000_000] = b"\xff" * 2_000_000
    database.write_bytes(spoilt)
    result = run(database, "owner", "export", owner_id, "--output", written)
    assert result.exit_code == 3, result.output
    assert not written.exists()


def test_an_export_overwrites_nothing(tmp_path: Path) -> None:
    database, written = tmp_path / "owner.db", tmp_path / "export.json"
    owner_id = with_much(database)
    written.write_text("mine", encoding="utf-8")
    result = run(database, "owner", "export", owner_id, "--output", written)
    assert result.exit_code == 3, result.output
    assert written.read_text(encoding="utf-8") == "mine"


def test_an_export_of_an_unknown_owner_makes_no_file(tmp_path: Path) -> None:
    database, written = tmp_path / "owner.db", tmp_path / "export.json"
    with_much(database)
    result = run(database, "owner", "export", "own_" + "0" * 32, "--output", written)
    assert result.exit_code == 2, result.output
    assert not written.exists()
