"""What an operator asks of a running server holds up nobody who writes, a stop least of all."""

import asyncio
import json
from pathlib import Path
import threading
from typing import NoReturn

from click.testing import CliRunner
import pytest

from owner_api.cli import main
from owner_api.config import Config
from owner_api.server.running import running_server
from owner_api.store import Tx

# More than --fast has time for.
pytestmark = pytest.mark.slow

QUESTIONS = (
    ("owner", "export", "OWNER"),
    ("owner", "list"),
    ("park", "list"),
    ("device", "list", "OWNER"),
)


async def ask(*arguments: str | Path) -> dict[str, object]:
    """Run a command beside the event loop that serves it."""
    words = [str(each) for each in arguments]
    result = await asyncio.to_thread(CliRunner().invoke, main, [*words, "--json"])
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
async def test_promise_4_a_question_of_the_operators_does_not_need_the_writer(
    tmp_path: Path, question: tuple[str, ...]
) -> None:
    """An export of years held up every stop for as long as it took, seconds."""
    database = tmp_path / "owner.db"
    config = Config(database=str(database), listen_port=0, announce=False, writer_process=False)
    busy, done = threading.Event(), threading.Event()

    def hold(_tx: Tx) -> None:
        busy.set()
        assert done.wait(30)

    async with running_server(config) as server:
        owner = await ask("owner", "add", "Li Wei", "--database", database)
        asked = [owner["owner_id"] if word == "OWNER" else word for word in question]
        held = asyncio.create_task(server.agent.store.write(hold))
        await asyncio.to_thread(busy.wait, 30)
        try:
            async with asyncio.timeout(15):
                await ask(*map(str, asked), "--database", database)
        finally:
            done.set()
        await held


def refuse(*_arguments: object) -> NoReturn:
    """Run no operator's command in the server."""
    raise AssertionError("the server was asked")


@pytest.mark.parametrize("alone", [False, True], ids=["shared", "kept by the server alone"])
async def test_an_export_is_read_from_the_file_and_costs_the_server_neither_time_nor_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, alone: bool
) -> None:
    """Through the server a year of readings filled its memory, and was given up after 20 s."""
    if alone:
        safe = "owner_api.store.store.several_connections_are_safe"
        monkeypatch.setattr(safe, lambda _version: False)
    database = tmp_path / "owner.db"
    config = Config(database=str(database), listen_port=0, announce=False)
    async with running_server(config):
        owner = await ask("owner", "add", "Li Wei", "--database", database)
        monkeypatch.setattr("owner_api.commands.operator.run", refuse)
        written = tmp_path / "export.json"
        export = ("owner", "export", str(owner["owner_id"]), "--output", written)
        assert (await ask(*export, "--database", database))["rows"] == 1
    document = json.loads(await asyncio.to_thread(written.read_text, encoding="utf-8"))
    assert document["tables"]["owner"][0]["display_name"] == "Li Wei"
    left = await asyncio.to_thread(lambda: [path.name for path in tmp_path.glob(".*")])
    assert left == []
