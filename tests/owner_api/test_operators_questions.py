"""What an operator asks of a running server holds up nobody who writes, a stop least of all."""

import asyncio
import json
from pathlib import Path
import threading

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
