"""A repeated POST: the same answer, one effect."""

import asyncio
from collections import Counter
from contextlib import suppress

import pytest

from owner_api.server.answers import Rendered
from owner_api.server.idempotency import Ticket
from owner_api.store import Store, Tx
from tests.owner_api.conftest import StillClock
from tests.owner_api.http_bench import bench


async def test_the_same_key_and_body_get_the_same_bytes_and_one_effect(
    store: Store, clock: StillClock
) -> None:
    async with bench(store, clock) as api:
        first = await api.post("/v1/things", {"name": "one"})
        clock.move(3_600)
        again = await api.post("/v1/things", {"name": "one"})
        assert (first.status, again.status) == (201, 201)
        assert first.raw == again.raw
        for header in ("Location", "ETag", "Content-Type"):
            assert first.headers[header] == again.headers[header]
        assert await api.things() == 1


async def test_promise_10_concurrent_duplicates_have_one_effect(
    store: Store, clock: StillClock
) -> None:
    """Promise 10: duplicates change nothing."""
    async with bench(store, clock) as api:
        answers = await asyncio.gather(
            *(api.post("/v1/things", {"name": "one"}) for _ in range(40))
        )
        statuses = Counter(answer.status for answer in answers)
        assert set(statuses) <= {201, 409}
        assert statuses[201] >= 1
        assert len({a.raw for a in answers if a.status == 201}) == 1
        refused = {answer.code for answer in answers if answer.status == 409}
        assert refused <= {"idempotency_in_flight"}
        assert await api.things() == 1


async def test_a_repeat_while_the_first_still_runs_is_told_to_wait(
    store: Store, clock: StillClock
) -> None:
    async with bench(store, clock) as api:
        running = asyncio.create_task(api.post("/v1/slow-things", {"name": "one"}))
        await asyncio.to_thread(api.gate.entered.wait, 10)
        repeat = await api.post("/v1/slow-things", {"name": "one"})
        assert repeat.status == 409
        assert repeat.code == "idempotency_in_flight"
        assert repeat.headers["Retry-After"] == "1"
        api.gate.open.set()
        first = await running
        assert first.status == 201
        after = await api.post("/v1/slow-things", {"name": "one"})
        assert after.raw == first.raw
        assert await api.things() == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/things", {"name": "two"}), ("/v1/things?x=1", {"name": "one"})],
    ids=["other body", "other target"],
)
async def test_a_key_used_for_something_else_is_refused(
    store: Store, clock: StillClock, path: str, body: dict[str, str]
) -> None:
    async with bench(store, clock) as api:
        await api.post("/v1/things", {"name": "one"})
        answer = await api.post(path, body)
        assert answer.status == 422
        assert await api.things() == 1


async def test_a_key_used_on_one_resource_does_not_pass_for_another(
    store: Store, clock: StillClock
) -> None:
    async with bench(store, clock) as api:
        first = await api.post("/v1/things/a/parts", {"name": "one"})
        other = await api.post("/v1/things/b/parts", {"name": "one"})
        assert first.status == 201
        assert other.code == "idempotency_key_reused"
        assert await api.things() == 1


async def test_two_callers_may_use_the_same_key(store: Store, clock: StillClock) -> None:
    async with bench(store, clock) as api:
        first = await api.post("/v1/things", {"name": "one"}, party="own_a")
        other = await api.post("/v1/things", {"name": "one"}, party="own_b")
        assert first.raw != other.raw
        assert await api.things() == 2


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        (None, 400, "idempotency_key_missing"),
        ("has space", 422, "invalid_parameter"),
        ("x" * 201, 422, "invalid_parameter"),
    ],
)
async def test_a_post_needs_a_key_of_1_to_200_visible_characters(
    store: Store, clock: StillClock, key: str | None, status: int, code: str
) -> None:
    async with bench(store, clock) as api:
        answer = await api.post("/v1/things", {"name": "one"}, key=key)
        assert (answer.status, answer.code) == (status, code)
        assert await api.things() == 0


async def test_a_refused_command_leaves_nothing_and_may_be_tried_again(
    store: Store, clock: StillClock
) -> None:
    async with bench(store, clock) as api:
        for _ in range(2):
            answer = await api.post("/v1/things", {"name": "undone"})
            assert answer.status == 409
        assert await api.things() == 0
        rows = await store.read(lambda tx: tx.all("SELECT * FROM idempotency"))
        events = await store.read(lambda tx: tx.all("SELECT * FROM outbox"))
        assert (rows, events) == ([], [])


async def test_a_repeat_in_the_batch_of_its_first_finds_that_also_after_another_has_failed(
    store: Store, clock: StillClock
) -> None:
    ticket = Ticket.issue("key", client="own_a", route="r", target="/x", raw=b"", sealed=False)
    effects: list[int] = []

    def once(tx: Tx) -> bytes:
        if (stored := ticket.recall(tx)) is not None:
            return stored.body
        effects.append(1)
        answer = Rendered(status=200, headers={}, body=b"%d" % len(effects))
        ticket.keep(tx, answer, clock.now())
        return answer.body

    def fail(tx: Tx) -> None:
        raise LookupError

    first, _, repeat = await asyncio.gather(
        store.write(once), store.write(fail), store.write(once), return_exceptions=True
    )
    assert (first, repeat, effects) == (b"1", b"1", [1])


async def test_a_returned_problem_keeps_what_was_written(store: Store, clock: StillClock) -> None:
    async with bench(store, clock) as api:
        answer = await api.post("/v1/things", {"name": "kept"})
        assert answer.status == 409
        assert await api.things() == 1


async def test_a_secret_answer_is_not_readable_in_the_database(
    store: Store, clock: StillClock
) -> None:
    async with bench(store, clock) as api:
        first = await api.post("/v1/secret-things", {"name": "one"}, key="a-key-of-its-own")
        again = await api.post("/v1/secret-things", {"name": "one"}, key="a-key-of-its-own")
        assert first.raw == again.raw
        secret = first.json["thing_id"].encode()
        row = await store.read(lambda tx: tx.one("SELECT * FROM idempotency"))
        assert row is not None
        assert secret not in row["body"]
        assert b"a-key-of-its-own" not in repr(row).encode()


async def test_the_answer_survives_a_restart(store: Store, clock: StillClock) -> None:
    """Promise 5: a caller whose answer was lost gets it after the server came back."""
    async with bench(store, clock) as api:
        first = await api.post("/v1/things", {"name": "one"})
    path = store.path
    await store.close()
    reopened = await Store.open(path)
    async with bench(reopened, clock) as api:
        again = await api.post("/v1/things", {"name": "one"})
        assert again.raw == first.raw
        assert await api.things() == 1
    await reopened.close()


async def test_a_repeat_is_found_where_the_batch_that_forgot_its_key_was_lost(
    store: Store, clock: StillClock
) -> None:
    """Promise 5: what is deleted, and comes back with its batch, is known again."""
    ticket = Ticket.issue("key", client="own_a", route="r", target="/x", raw=b"", sealed=False)
    first = Rendered(status=201, headers={}, body=b"first")

    def forget(tx: Tx) -> None:
        tx.run("DELETE FROM idempotency")
        tx.forget_numbers("idempotency")
        # As where a key is used again after its time.
        ticket.keep(tx, Rendered(status=201, headers={}, body=b"lost"), clock.now())

    def break_commit(tx: Tx) -> None:
        tx.run("PRAGMA defer_foreign_keys = ON")
        tx.run("INSERT INTO offer_revision VALUES ('nowhere', 1, '', '', '', '', NULL)")

    def forget_and_fail(tx: Tx) -> None:
        forget(tx)
        raise LookupError

    def forget_inside(tx: Tx) -> None:
        with suppress(LookupError), tx.nested():
            forget_and_fail(tx)

    await store.write(lambda tx: ticket.keep(tx, first, clock.now()))
    for lost in ((forget, break_commit), (forget_and_fail,)):
        await asyncio.gather(*(store.write(each) for each in lost), return_exceptions=True)
        found = await store.write(ticket.recall)
        assert found is not None, lost
        assert found.body == b"first"
    await store.write(forget_inside)
    found = await store.write(ticket.recall)
    assert found is not None
    assert found.body == b"first"
