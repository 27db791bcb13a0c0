"""The writer in a process of its own: the same answers, and what happens when either half dies."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from functools import partial
import json
import os
from pathlib import Path
import pickle
import signal
import subprocess
import sys
from time import monotonic
from typing import Any

from click.testing import CliRunner
from hypothesis import given, strategies as st
import pytest

from owner_api.cli import main
from owner_api.clock import SystemClock
from owner_api.config import Config
from owner_api.problems import Problem, ProblemCode
from owner_api.schemas.fields import LimitError
from owner_api.server.agent import build_agent
from owner_api.store import (
    Commit,
    Store,
    StoreClosedError,
    StoreError,
    StoreLockedError,
    StoreUnavailableError,
    StoreVersionError,
    Tx,
    wire,
    words,
)
from tests.fresh_database import lay

from .conftest import StillClock
from .deal_world import NOON, World, open_world, presented
from .trust.test_journal import settled

ROOT = Path(__file__).parents[2]
OURS = ("tests",)
open_apart = partial(Store.open_apart, packages=OURS)


def note(tx: Tx, key: str, value: str) -> int:
    """Write a note and tell a party of it; return how many there are."""
    tx.insert("meta", key=key, value=value)
    tx.emit("own_1", "noted", NOON, {"key": key})
    row = tx.one("SELECT count(*) AS notes FROM meta WHERE key LIKE 'note %'")
    assert row is not None
    return int(row["notes"])


def note_and_fail(tx: Tx, error: BaseException) -> None:
    """Write a note and raise: nothing of it may stay."""
    note(tx, "note failed", "x")
    raise error


def hand_out(_tx: Tx) -> Callable[[], None]:
    """Return what cannot leave a process."""
    return lambda: None


def process_id(_tx: Tx) -> int:
    """Return which process runs commands."""
    return os.getpid()


async def test_values_errors_and_events_cross_and_a_failed_command_leaves_nothing(
    tmp_path: Path,
) -> None:
    store = await open_apart(lay(tmp_path / "owner.db"))
    heard: list[Commit] = []
    store.subscribe(heard.append)
    notes = [store.write(partial(note, key=f"note {n}", value="x")) for n in range(3)]
    refused = store.write(partial(note_and_fail, error=StoreVersionError("no")))
    conflict = store.write(
        partial(note_and_fail, error=Problem(ProblemCode.CONFLICT, "Not so.", current={"a": 1}))
    )
    outcomes = await asyncio.gather(*notes, refused, conflict, return_exceptions=True)
    assert outcomes[:3] == [1, 2, 3]
    assert isinstance(outcomes[3], StoreVersionError)
    assert isinstance(outcomes[4], Problem)
    assert (outcomes[4].code, outcomes[4].current) == (ProblemCode.CONFLICT, {"a": 1})
    told = [event for commit in heard for event in commit.events]
    assert [(event.seq, event.type) for event in told] == [(n, "noted") for n in (1, 2, 3)]
    assert [json.loads(event.data)["key"] for event in told] == ["note 0", "note 1", "note 2"]
    kept = await store.read(lambda tx: tx.all("SELECT key FROM meta WHERE key LIKE 'note %'"))
    assert len(kept) == 3
    assert await store.write(process_id) != os.getpid()
    await store.close()
    with pytest.raises(StoreClosedError):
        await store.write(process_id)


async def test_what_cannot_cross_is_an_error_of_its_caller_alone(tmp_path: Path) -> None:
    store = await open_apart(lay(tmp_path / "owner.db"))
    with pytest.raises(Exception, match="pickle"):
        await store.write(lambda tx: tx.all("SELECT 1"))
    there, back = await asyncio.gather(
        store.write(partial(note, key="note 1", value="x")),
        store.write(hand_out),
        return_exceptions=True,
    )
    assert there == 1
    assert isinstance(back, StoreError)
    assert await store.write(partial(note, key="note 2", value="x")) == 2
    await store.close()


async def test_no_name_of_anybody_elses_crosses(tmp_path: Path) -> None:
    assert wire.opened(wire.pickled([NOON, Problem])) == [NOON, Problem]
    store = await open_apart(lay(tmp_path / "owner.db"))
    names: list[Callable[..., Any]] = [os.system, eval, print, subprocess.run, pickle.loads]
    for before, name in zip(range(0, 2 * len(names), 2), names, strict=True):
        with pytest.raises(pickle.UnpicklingError, match="does not cross"):
            wire.opened(wire.pickled(partial(name, "x")))
        work: list[Callable[[Tx], Any]] = [
            partial(note, key=f"note {before + 1}", value="x"),
            partial(name, "x"),
            partial(note, key=f"note {before + 2}", value="x"),
        ]
        first, refused, last = await asyncio.gather(*map(store.write, work), return_exceptions=True)
        assert (first, last) == (before + 1, before + 2), name
        assert isinstance(refused, StoreError), name
        assert "does not cross" in str(refused), name
    await store.close()


def raise_what_cannot_be_made_again(_tx: Tx) -> None:
    """Raise an error that pickles and does not open."""
    raise LimitError("range", "1 to 2")


async def test_an_error_that_cannot_be_made_again_is_told_as_another(tmp_path: Path) -> None:
    store = await open_apart(lay(tmp_path / "owner.db"))
    first, refused, last = await asyncio.gather(
        store.write(partial(note, key="note 1", value="x")),
        store.write(raise_what_cannot_be_made_again),
        store.write(partial(note, key="note 2", value="x")),
        return_exceptions=True,
    )
    assert (first, last) == (1, 2)
    assert isinstance(refused, StoreError)
    assert "1 to 2" in str(refused)
    await store.close()


def test_a_name_of_anybody_elses_does_not_cross_by_way_of_a_module_of_ours() -> None:
    for module, name in (
        ("owner_api.store.apart", "subprocess.Popen"),
        ("owner_api.store.locking", "os.system"),
        ("owner_api.store.wire", "pickle.loads"),
    ):
        made = b"\x80\x04" + b"".join(
            b"\x8c" + bytes([len(each)]) + each.encode() for each in (module, name)
        )
        with pytest.raises(pickle.UnpicklingError, match="does not cross"):
            wire.opened(made + b"\x93.")


async def test_whoever_opens_hears_why_the_writers_process_could_not(tmp_path: Path) -> None:
    path = tmp_path / "owner.db"
    with pytest.raises(StoreError, match="no such database"):
        await open_apart(path, create=False)
    path.write_bytes(b"no database at all, but some text" * 200)
    with pytest.raises(StoreError, match="not a database"):
        await open_apart(path)


async def test_one_database_has_one_writer_whichever_process_it_is(tmp_path: Path) -> None:
    path = tmp_path / "owner.db"
    store = await open_apart(path)
    # Not the writer, which obeys no signal: its server.
    server = os.getpid()
    with pytest.raises(StoreLockedError, match=f"process {server}"):
        await open_apart(path, patience_s=0.1)
    with pytest.raises(StoreLockedError, match=f"process {server}"):
        await Store.open(path)
    await store.close()
    await (await Store.open(path)).close()


async def test_when_the_writers_process_dies_callers_hear_it_and_nothing_is_doubled(
    tmp_path: Path,
) -> None:
    store = await open_apart(lay(tmp_path / "owner.db"))
    assert store.apart is not None
    await store.write(partial(note, key="note 1", value="x"))
    writer = await store.write(process_id)
    os.kill(writer, signal.SIGSTOP)
    waiting = asyncio.ensure_future(store.write(partial(note, key="note 2", value="x")))
    await asyncio.sleep(0)
    os.kill(writer, signal.SIGKILL)
    with pytest.raises(StoreUnavailableError, match="has ended"):
        await waiting
    await store.apart.lost
    with pytest.raises(StoreUnavailableError, match="has ended"):
        await store.write(partial(note, key="note 3", value="x"))
    await store.close()
    again = await open_apart(lay(tmp_path / "owner.db"))
    assert await again.write(partial(note, key="note 4", value="x")) == 2
    await again.close()


async def _story(world: World) -> None:
    """Go through every kind of answer: a deal to its payment, a refusal, a repeat."""
    deal = await settled(world)
    shown = await deal.owner.get("/v1/rewards")
    assert shown["paid_minor"] > 0
    other = await presented(world)
    body = {"offer_id": other.offer["offer_id"], "revision": 2, "decision": "decline"}
    body |= {"terms_sha256": other.offer["terms_sha256"], "method": "tap"}
    problem = await other.owner.post("/v1/decisions", body, status=409)
    assert problem["code"] == "stale_terms"
    assert problem["current"]["terms"]["reward"] == other.offer["terms"]["reward"]
    await other.owner.post("/v1/decisions", body | {"revision": 1}, status=201)
    missing = await deal.owner.post("/v1/decisions", body | {"revision": 1}, status=404)
    assert missing["code"] == "not_found"


async def test_a_deal_to_its_payment_and_the_log_under_it_need_no_common_process(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path, apart=True) as world:
        await _story(world)
        assert await world.agent.store.write(process_id) != os.getpid()
    told = CliRunner().invoke(main, ["ledger", "verify", "--database", str(world.database)])
    assert told.exit_code == 0, told.output


async def test_without_its_writer_a_server_answers_503_and_still_reads(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path, apart=True) as world:
        owner = await world.add_owner()
        await owner.get("/v1/me")
        os.kill(await world.agent.store.write(process_id), signal.SIGKILL)
        assert world.agent.store.apart is not None
        await world.agent.store.apart.lost
        problem = await owner.post("/v1/stops", {}, status=503)
        assert problem["code"] == "unavailable"
        await owner.get("/v1/me")


async def test_the_readiness_probe_crosses_too(tmp_path: Path, clock: StillClock) -> None:
    agent = await build_agent(tmp_path / "owner.db", clock, Config(), apart=True, packages=OURS)
    port = await agent.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert (await reader.readline()).split()[1] == b"200"
    writer.close()
    await agent.stop()


def _serve(database: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-c", "from owner_api.cli import main; main()", "serve"),
            *("--database", str(database), "--listen", "127.0.0.1:0"),
            *("--json", "--no-announce"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def _clerk_of(pid: int) -> int:
    threads = Path(f"/proc/{pid}/task").iterdir()
    (child,) = [each for task in threads for each in (task / "children").read_text().split()]
    return int(child)


def _is_gone(pid: int) -> bool:
    """Tell whether a process has ended, be it that nobody has asked for its exit code yet."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True


def test_a_killed_server_leaves_no_writer_and_its_successor_starts(tmp_path: Path) -> None:
    with _serve(lay(tmp_path / "owner.db")) as server:
        assert server.stdout is not None
        assert json.loads(server.stdout.readline())["event"] == "listening"
        clerk = _clerk_of(server.pid)
        server.kill()
    with _serve(lay(tmp_path / "owner.db")) as heir:
        assert heir.stdout is not None
        assert json.loads(heir.stdout.readline())["event"] == "listening"
        assert _is_gone(clerk)
        heir.send_signal(signal.SIGTERM)
        assert heir.wait(20) == 0


def test_a_server_whose_writer_dies_ends_with_an_error_for_its_supervisor(tmp_path: Path) -> None:
    with _serve(lay(tmp_path / "owner.db")) as server:
        assert server.stdout is not None
        server.stdout.readline()
        os.kill(_clerk_of(server.pid), signal.SIGKILL)
        told, _ = server.communicate(timeout=20)
        assert server.returncode == 3
        assert "the process that writes has ended" in told


def test_a_signal_to_all_processes_of_the_server_ends_both_in_order(tmp_path: Path) -> None:
    with _serve(lay(tmp_path / "owner.db")) as server:
        assert server.stdout is not None
        server.stdout.readline()
        clerk = _clerk_of(server.pid)
        os.kill(clerk, signal.SIGTERM)
        os.kill(server.pid, signal.SIGTERM)
        assert server.wait(20) == 0
        assert _is_gone(clerk)


async def test_many_at_once_share_a_commit(tmp_path: Path) -> None:
    agent = await build_agent(
        tmp_path / "owner.db", SystemClock(), Config(), apart=True, packages=OURS
    )
    taken: list[float] = []
    agent.store.time_commits(taken.append)
    began, before = monotonic(), agent.store.age
    await asyncio.gather(
        *(agent.store.write(partial(note, key=f"note {n}", value="x")) for n in range(64))
    )
    assert agent.store.age - before < 64
    assert 0 < sum(taken) < monotonic() - began + 1
    await agent.stop()


class Said(words.Worded):
    """A command that only knows what it was made of."""

    def __init__(self, *words: Any) -> None:
        self.made_of = words

    def __call__(self, _tx: Tx) -> tuple[Any, ...]:
        return self.made_of

    def words(self) -> tuple[Any, ...]:
        return self.made_of


def listed(value: Any) -> Any:
    """Return a value with its tuples as lists."""
    if isinstance(value, list | tuple):
        return [listed(each) for each in value]
    return {name: listed(each) for name, each in value.items()} if type(value) is dict else value


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=8)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3)
    | st.lists(inner, max_size=3).map(tuple)
    | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
FOREIGN = st.sampled_from(
    [NOON, NOON.date(), Decimal("1.20"), b"raw", 2**70, {1: "one"}, StoreVersionError, {1}]
)


@given(
    plain=st.lists(PLAIN, max_size=4),
    foreign=st.none() | FOREIGN,
    number=st.integers(0, 2**64 - 1),
    keep=st.booleans(),
)
def test_words_arrive_as_they_were_said_whatever_json_has_no_word_for(
    *, plain: list[Any], foreign: Any, number: int, keep: bool
) -> None:
    told = plain if foreign is None else [*plain, {"told": foreign}]
    # This process may have a server too.
    before = list(words._MAKERS)
    words.understand(lambda said: Said(*said))
    try:
        (frame,) = wire.Frames().take(wire.ask(number, Said(*told), keep=keep))
        *asked, in_words, said = wire.read_asked(frame)
        made = wire.command(in_words=in_words, said=said)
    finally:
        words._MAKERS[:] = before
    assert (*asked, in_words) == (number, keep, foreign is None)
    assert listed(made.words()) == listed(told)
    assert list(map(type, listed(made.words()))) == list(map(type, listed(told)))
