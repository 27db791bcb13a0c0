"""What the writer remembers is at every moment what the database says."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
import tempfile
import threading
from typing import Any

from hypothesis import given, settings, strategies as st
import pytest

from owner_api.store import Store, Tx
from owner_api.store.kept import MOST_GROUPS, MOST_ROWS, Kept
from tests.fresh_database import lay

OFFERS = ("off_1", "off_2", "off_3")
CARS = ("veh_1", "veh_2")
WORDS = st.sampled_from(["a", "b", "c"])


class RefusedError(Exception):
    """What a command raises that is to be undone."""


@dataclass(frozen=True)
class Step:
    """One thing that a command does to an offer or to a car's deals; ``how`` names the way."""

    how: str
    offer_id: str
    word: str
    car: str


@dataclass(frozen=True)
class Command:
    """Steps of one command; ``undone``: it raises at its end, ``nested``: its last step does."""

    steps: tuple[Step, ...]
    undone: bool
    nested: bool


OFFER_WAYS = ("reason", "both", "update", "update_all", "run", "ask", "list")
DEAL_WAYS = ("deal", "deal_ends", "deals_end", "deals_move", "deals_run", "deals_go", "deals")


def commands(ways: tuple[str, ...]) -> st.SearchStrategy[list[Command]]:
    """Return commands made of steps of these ways."""
    steps = st.builds(
        Step,
        how=st.sampled_from(ways),
        offer_id=st.sampled_from(OFFERS),
        word=WORDS,
        car=st.sampled_from(CARS),
    )
    command = st.builds(
        Command,
        steps=st.lists(steps, min_size=1, max_size=5).map(tuple),
        undone=st.booleans(),
        nested=st.booleans(),
    )
    return st.lists(command, min_size=1, max_size=6)


def fill(tx: Tx) -> None:
    """Insert a session, its offers and a deal of each car for each of them."""
    tx.insert(
        "session",
        session_id="ses_1",
        park_id="prk_1",
        evse_id="E1",
        state="bound",
        plugged_in_at="x",
        live="{}",
        created_at="x",
    )
    for offer_id in OFFERS:
        names = ("park_id", "state", "purpose", "issued_at", "respond_by", "terms", "terms_sha256")
        rest = dict.fromkeys(names, "x") | {"offer_id": offer_id, "session_id": "ses_1"}
        tx.insert("offer", revision=1, updated_at="x", **rest)
        for car in CARS:
            make_deal(tx, Step("deal", offer_id, "a", car))


def deals_stored(tx: Tx, car: str) -> list[dict[str, Any]]:
    """Return a car's deals as the database has them."""
    return tx.all("SELECT * FROM commitment WHERE vehicle_id = ? ORDER BY commitment_id", car)


def deals(tx: Tx, car: str) -> list[dict[str, Any]]:
    """Return a car's deals as they are remembered, or asked for and remembered from then on."""
    if (known := tx.recall("commitment", car)) is None:
        known = deals_stored(tx, car)
        tx.remember("commitment", car, known)
    return list(known)


def remembered(tx: Tx) -> list[dict[str, Any]]:
    """Return every offer and deal as it is remembered."""
    offers = [dict(tx.by_key("offer", offer_id) or {}) for offer_id in OFFERS]
    return offers + [deal for car in CARS for deal in deals(tx, car)]


def stored(tx: Tx) -> list[dict[str, Any]]:
    """Return every offer and deal as the database has it."""
    offers = tx.all("SELECT * FROM offer ORDER BY offer_id")
    return offers + [deal for car in CARS for deal in deals_stored(tx, car)]


def make_deal(tx: Tx, step: Step) -> None:
    """Insert a deal of a car."""
    names = ("owner_id", "park_id", "start_at", "end_at", "award_by", "decided_at", "terms")
    texts = dict.fromkeys((*names, "terms_sha256", "quote_request", "soc_floor_pct"), "x")
    names = ("consented_energy_wh", "committed_energy_wh", "energy_limit_wh", "last_seq")
    figures = dict.fromkeys((*names, "setpoint_w", "worst_setpoint_w"), 1)
    count = tx.one("SELECT count(*) AS so_far FROM commitment")
    assert count is not None
    tx.insert(
        "commitment",
        commitment_id=f"com_{count['so_far']:03}",
        offer_id=step.offer_id,
        session_id="ses_1",
        vehicle_id=step.car,
        state=step.word,
        **texts,
        **figures,
    )


def do_with_deals(tx: Tx, step: Step) -> None:
    """Take one step that concerns deals."""
    match step.how:
        case "deal":
            make_deal(tx, step)
        case "deal_ends":
            tx.update("commitment", {"commitment_id": "com_000"}, state=step.word)
        case "deals_end":
            tx.update("commitment", {"vehicle_id": step.car}, state=step.word)
        case "deals_move":
            tx.update("commitment", {"vehicle_id": step.car}, vehicle_id="veh_2")
        case "deals_run":
            tx.run("UPDATE commitment SET state = ? WHERE offer_id = ?", step.word, step.offer_id)
        case "deals_go":
            tx.run("UPDATE commitment SET vehicle_id = 'gone' WHERE state = ?", step.word)
        case "deals":
            assert deals(tx, step.car) == deals_stored(tx, step.car)


def do(tx: Tx, step: Step) -> None:
    """Take one step."""
    if step.how.startswith("deal"):
        do_with_deals(tx, step)
        return
    match step.how:
        case "reason":
            row = tx.change("offer", step.offer_id, state_reason=step.word)
            assert row["state_reason"] == step.word
        case "both":
            tx.change("offer", step.offer_id, state=step.word, state_reason=None)
        case "update":
            tx.update("offer", {"offer_id": step.offer_id}, state=step.word)
        case "update_all":
            tx.update("offer", {"park_id": "x"}, state_reason=step.word)
        case "run":
            tx.run("UPDATE offer SET purpose = ? WHERE state = ?", step.word, step.word)
        case "ask":
            assert tx.by_key("offer", step.offer_id) is not None
        case "list":
            assert stored(tx) == remembered(tx)


def do_and_undo(tx: Tx, step: Step) -> None:
    """Take one step in a block that fails."""
    with tx.nested():
        do(tx, step)
        raise RefusedError


def play(command: Command, seen: list[list[dict[str, Any]]]) -> Callable[[Tx], None]:
    """Return the command as the store runs it; it leaves in ``seen`` how the offers then were."""

    def work(tx: Tx) -> None:
        before = remembered(tx)
        for step in command.steps[:-1]:
            do(tx, step)
        if command.nested:
            middle = remembered(tx)
            with pytest.raises(RefusedError):
                do_and_undo(tx, command.steps[-1])
            assert remembered(tx) == middle
        else:
            do(tx, command.steps[-1])
        seen.append(before if command.undone else remembered(tx))
        if command.undone:
            raise RefusedError

    return work


async def hold(played: list[Command]) -> None:
    """Run the commands together, then hold memory, database and each command's word together."""
    with tempfile.TemporaryDirectory() as folder:
        store = await Store.open(lay(Path(folder) / "owner.db"), synchronous="OFF")
        await store.write(fill)
        seen: list[list[dict[str, Any]]] = []
        # The writer waits until all are there, so that they share a batch.
        gathered = threading.Event()
        gate = asyncio.ensure_future(store.write(lambda _tx: gathered.wait()))
        work = [asyncio.ensure_future(store.write(play(command, seen))) for command in played]
        await asyncio.sleep(0)
        gathered.set()
        await gate
        ended = await asyncio.gather(*work, return_exceptions=True)
        for command, end in zip(played, ended, strict=True):
            assert isinstance(end, RefusedError) if command.undone else end is None, end
        assert await store.read(stored) == seen[-1]
        assert await store.write(remembered) == seen[-1]
        await store.close()


@settings(max_examples=40, deadline=None)
@given(commands(OFFER_WAYS))
def test_the_writer_remembers_what_is_stored_whatever_was_undone(played: list[Command]) -> None:
    asyncio.run(hold(played))


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(commands(DEAL_WAYS))
def test_what_was_made_of_a_cars_deals_is_forgotten_with_any_change_of_them(
    played: list[Command],
) -> None:
    asyncio.run(hold(played))


def test_the_memory_of_a_table_is_bounded_and_the_oldest_row_makes_room() -> None:
    kept = Kept()
    for number in range(MOST_ROWS + 1):
        kept.keep("offer", str(number), {"number": number})
    assert kept.get("offer", "0") is None
    assert kept.get("offer", "1") == {"number": 1}
    assert kept.get("offer", str(MOST_ROWS)) == {"number": MOST_ROWS}
    for number in range(MOST_GROUPS + 1):
        kept.keep("commitment", str(number), ())
    assert kept.get("commitment", "0") is None
    assert kept.get("commitment", "1") == ()


async def test_a_batch_that_the_disk_refuses_is_not_remembered(tmp_path: Path) -> None:
    store = await Store.open(lay(tmp_path / "owner.db"))
    await store.write(fill)
    store.before_commit(lambda tx: tx.run("INSERT INTO meta (key) VALUES (NULL)") and None)
    with pytest.raises(Exception, match="refused"):
        await store.write(lambda tx: tx.change("offer", "off_1", state="lost"))
    store.before_commit(lambda _tx: None)
    assert (await store.write(remembered))[0]["state"] == "x"
    await store.close()
