"""A list that grows with the years is read a page at a time, never whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from owner_api.commands import leaves
from owner_api.store import Tx

from .deal_world import Caller, Deal, World, open_world, scheduled
from .query_steps import asked, copy_more, steps

# More than --fast has time for.
pytestmark = pytest.mark.slow

COPIES = 10_000
LISTS = {
    "/v1/offers?state=all": ("offer", "offer_id", "off"),
    "/v1/park/offers?state=all": ("offer", "offer_id", "off"),
    "/v1/commitments": ("commitment", "commitment_id", "com"),
    "/v1/park/commitments?state=all": ("commitment", "commitment_id", "com"),
    "/v1/sessions": ("session", "session_id", "ses"),
    "/v1/park/sessions": ("session", "session_id", "ses"),
}


def copy_rows(tx: Tx, copies: int, table: str, key: str, prefix: str) -> None:
    """Copy the table's one row under ids that sort before it."""
    names = [row["name"] for row in tx.all(f"PRAGMA table_info({table})")]
    changed = {key: f"printf('{prefix}_%032x', n)", "order_reference": "NULL"}
    values = [changed.get(name, name) for name in names]
    tx.run(
        # The names are those of our own tables and columns.
        f"WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted LIMIT ?)"  # noqa: S608 - as said
        f" INSERT INTO {table} ({', '.join(names)})"
        f" SELECT {', '.join(values)} FROM {table}, counted",
        copies,
    )


@contextmanager
def counted_rows(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Collect how many rows each query brings into memory."""
    seen: list[int] = []
    read = Tx.all

    def counting(self: Tx, sql: str, *params: object) -> list[dict[str, Any]]:
        rows = read(self, sql, *params)
        seen.append(len(rows))
        return rows

    with monkeypatch.context() as patch:
        patch.setattr(Tx, "all", counting)
        yield seen


GROWING = {
    **LISTS,
    "/v1/park/offers": LISTS["/v1/park/offers?state=all"],
    "/v1/park/commitments": LISTS["/v1/park/commitments?state=all"],
}
ENDED = {"offer": "withdrawn", "commitment": "cancelled", "session": "ended"}


async def steps_of(world: World, deal: Deal, path: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many steps SQLite takes for a page."""
    with asked(monkeypatch) as queries:
        await caller_of(deal, path).get(f"{path}{'&' if '?' in path else '?'}limit=5")
    (query,) = (each for each in queries if " LIMIT ?" in each[0])
    return steps(world.database, query)


def caller_of(deal: Deal, path: str) -> Caller:
    return deal.park if path.startswith("/v1/park/") else deal.owner


@pytest.mark.parametrize("path", LISTS)
async def test_a_page_of_10_000_reads_no_more_rows_than_it_shows_and_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    async with open_world(tmp_path) as world:
        deal = await scheduled(world)
        caller = caller_of(deal, path)
        await world.agent.store.write(lambda tx: copy_rows(tx, COPIES, *LISTS[path]))
        joint = "&" if "?" in path else "?"
        with counted_rows(monkeypatch) as seen:
            shown = await caller.get(f"{path}{joint}limit=20")
        assert len(shown["items"]) == 20
        assert max(seen) == 21


@pytest.mark.parametrize("path", GROWING)
async def test_a_page_takes_no_longer_to_find_the_more_there_was_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Each page sorted all that its reader ever had, and the open ones were sought among all."""
    table, *rest = GROWING[path]
    async with open_world(tmp_path) as world:
        deal = await scheduled(world)

        def ended(tx: Tx) -> None:
            copy_rows(tx, 10, table, *rest)
            tx.run(f"UPDATE {table} SET state = ?", ENDED[table])  # noqa: S608 - our own table

        await world.agent.store.write(ended)
        few = await steps_of(world, deal, path, monkeypatch)
        await world.agent.store.write(lambda tx: copy_more(tx, copies=2_000, named=(table, *rest)))
        assert await steps_of(world, deal, path, monkeypatch) <= few + 10


async def test_a_page_of_receipts_takes_no_longer_to_find_the_more_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that an owner ever had were sorted for each page, and for the one behind the newest."""
    async with open_world(tmp_path) as world:
        deal = await scheduled(world)
        about = f"subject_id={deal.commitment_id}"

        async def of_pages() -> list[int]:
            newest = (await deal.owner.get(f"/v1/receipts?{about}&limit=200"))["items"][-1]
            begin, end = "rcp_" + "0" * 32, newest["receipt_id"]
            paths = [f"/v1/receipts?cursor={each}" for each in (begin, end)]
            paths.append(f"/v1/receipts?{about}")
            return [await steps_of(world, deal, path, monkeypatch) for path in paths]

        def more(tx: Tx) -> None:
            for number in range(2_000):
                words = {"stop_id": str(number)}
                party = {"party_id": deal.owner.party_id, "subject_id": f"stp_{number}"}
                leaves.append(tx, "stop", world.clock.at, words, **party)

        await world.agent.store.write(more)
        few = await of_pages()
        await world.agent.store.write(more)
        assert await of_pages() == few
        stops = [f"stp_{number}" for number in range(1_990, 2_000)] * 2
        found: list[str] = []
        cursor = ""
        while cursor is not None:
            page = await deal.owner.get(f"/v1/receipts?limit=150{cursor and f'&cursor={cursor}'}")
            found += [each["subject_id"] for each in page["items"]]
            cursor = page["next_cursor"]
        assert [each for each in found if each in stops] == stops


@pytest.mark.parametrize("path", LISTS)
async def test_pages_follow_each_other_without_gap_or_repeat(tmp_path: Path, path: str) -> None:
    _, key, prefix = LISTS[path]
    async with open_world(tmp_path) as world:
        deal = await scheduled(world)
        caller = caller_of(deal, path)
        await world.agent.store.write(lambda tx: copy_rows(tx, 200, *LISTS[path]))
        joint = "&" if "?" in path else "?"
        cursor = f"{prefix}_"
        found: list[str] = []
        while cursor:
            page = await caller.get(f"{path}{joint}limit=67&cursor={cursor}")
            found += [item[key] for item in page["items"]]
            cursor = page["next_cursor"]
        assert len(found) == 201
        assert found == sorted(set(found))


async def test_the_last_page_says_that_nothing_follows(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        deal = await scheduled(world)
        for limit in (1, 2):
            page = await deal.owner.get(f"/v1/commitments?limit={limit}")
            assert (len(page["items"]), page["next_cursor"]) == (1, None)


async def test_receipts_are_paged_as_they_were_written(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        deal = await scheduled(world)
        whole = (await deal.owner.get("/v1/receipts?limit=200"))["items"]
        assert len(whole) > 3
        found: list[Any] = []
        query = ""
        while query is not None:
            page = await deal.owner.get(f"/v1/receipts?limit=1{query}")
            found += page["items"]
            query = page["next_cursor"] and f"&cursor={page['next_cursor']}"
        assert found == whole


async def test_the_cursor_of_another_list_is_refused(tmp_path: Path) -> None:
    """It passed over all there is: who read them after a crash found nothing, and no fault."""
    lists = {
        "park": ("sessions", "offers", "commitments", "settlements", "claims", "members"),
        "owner": ("offers", "sessions", "commitments", "vehicles", "agreements", "devices"),
    }
    async with open_world(tmp_path) as world:
        deal = await scheduled(world)
        for caller, begin, names in (
            (deal.park, "/v1/park/", lists["park"]),
            (deal.owner, "/v1/", lists["owner"]),
        ):
            for name in names:
                answer = await caller.call("GET", f"{begin}{name}?cursor=zzz_{'f' * 32}")
                assert (answer.status, answer.body["code"]) == (422, "invalid_parameter"), name
                assert answer.body["errors"][0]["pointer"] == "?cursor"
