"""What an owner can take along, and what stays when they want to be forgotten."""

from functools import partial
from pathlib import Path
import sqlite3
from typing import Any

import pytest

from owner_api.commands import erasure, export
from owner_api.config import Config
from owner_api.ids import new_id
from owner_api.problems import Problem, ProblemCode
from owner_api.store import Tx, upgrading
from owner_api.store.documents import from_json, to_json
from owner_api.store.metadata import metadata

from .deal_world import Deal, World, active, open_world


async def settled(world: World) -> Deal:
    """Bring the usual deal to a final settlement."""
    deal = await active(world)
    await deal.deliver(600)
    await world.move(7200)
    await world.meter(deal.park, deal.session_id, context="end")
    await world.move(1)
    await world.move(8 * 86_400)
    return deal


async def erase(world: World, owner_id: str) -> dict[str, Any]:
    return await world.agent.store.write(
        partial(
            erasure.erase_owner,
            owner_id=owner_id,
            now=world.clock.now(),
            new_id=new_id,
            config=Config(),
        )
    )


async def exported(world: World, owner_id: str) -> dict[str, Any]:
    def whole(tx: Tx) -> bytes:
        document = export.Export(tx, owner_id=owner_id, now=world.clock.now())
        return b"".join(iter(document.next, b""))

    return dict(from_json(await world.agent.store.read(whole)))


async def rows(world: World, sql: str) -> list[dict[str, Any]]:
    return await world.agent.store.read(lambda tx: tx.all(sql))


def test_every_table_is_exported_or_left_out_for_a_reason() -> None:
    upgrading.import_tables()
    known = set(export.EXPORTED) | set(export.LEFT_OUT)
    assert set(metadata.tables) - known == set()
    assert not set(export.EXPORTED) & set(export.LEFT_OUT)
    with_owner = {name for name, table in metadata.tables.items() if "owner_id" in table.columns}
    assert with_owner <= set(export.EXPORTED)


def test_an_export_reads_only_what_grows_slowly_as_a_whole(tmp_path: Path) -> None:
    """Members come with agreements; the rest is found by an index."""
    path = tmp_path / "owner.db"
    upgrading.upgrade(path)
    connection = sqlite3.connect(path)
    read_whole = {
        table
        for table, where in export.EXPORTED.items()
        for step in connection.execute(
            f"EXPLAIN QUERY PLAN SELECT * FROM {table} WHERE {where}",  # noqa: S608 - of ours
            {"owner": "own_x"},
        )
        if step[3].startswith("SCAN")
    }
    connection.close()
    assert read_whole == {"member"}


async def test_an_export_holds_the_owners_whole_story_and_nobody_elses(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        deal = await settled(world)
        other = await world.add_owner("Someone else")
        await world.add_vehicle(other)

        document = await exported(world, deal.owner.party_id)

    tables = document["tables"]
    assert document["format"] == "v2g-owner/export/1"
    assert [row["display_name"] for row in tables["owner"]] == ["Li Wei"]
    assert [row["vehicle_id"] for row in tables["vehicle"]] == [deal.vehicle_id]
    assert tables["offer"][0]["terms"]["requested_energy_wh"] > 0
    for name in ("ledger_entry", "commitment", "instruction", "reading", "settlement", "reward"):
        assert tables[name], name
    assert sum(row["amount_minor"] for row in tables["posting"]) == 0
    assert list(document["park_names"].values()) == ["East Gate Park"]
    assert set(tables["outbox"][0]) == {"party_id", "seq", "type", "at", "data"}
    text = to_json(document).decode()
    assert other.party_id not in text
    assert "secret_sha256" not in text


async def test_an_unknown_owner_is_neither_exported_nor_erased(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        for attempt in (exported, erase):
            with pytest.raises(Problem) as raised:
                await attempt(world, "own_" + "0" * 32)
            assert raised.value.code is ProblemCode.NOT_FOUND


async def test_an_erased_owner_is_nowhere_to_be_found_and_the_books_still_stand(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path) as world:
        deal = await settled(world)
        books = "SELECT * FROM posting ORDER BY posting_id"
        money = "SELECT * FROM settlement ORDER BY settlement_id"
        before = (await rows(world, books), await rows(world, money))
        assert before[0]

        done = await erase(world, deal.owner.party_id)

        assert done == {"owner_id": deal.owner.party_id, "erased": True, "waits_for": []}
        assert (await rows(world, books), await rows(world, money)) == before
        headers = {"Authorization": f"Bearer {deal.owner.token}"}
        async with world.http.get(f"{world.url}/v1/me", headers=headers) as answer:
            assert answer.status == 401
        async with world.http.post(f"{world.url}/v1/token", data=deal.owner.grant) as answer:
            assert answer.status == 400
        # The park's side goes on: its books are its own.
        await deal.park.renew()
        await deal.park.get(f"/v1/park/commitments/{deal.commitment_id}")
        await world.move(60)
        with pytest.raises(Problem):
            await erase(world, deal.owner.party_id)
    connection = sqlite3.connect(tmp_path / "owner.db")
    everything = "\n".join(connection.iterdump())
    left = {
        table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
        for table in ("charger", "soc_sample", "vehicle_price", "pairing_code", "refresh_token")
    }
    events = connection.execute(
        "SELECT count(*) FROM outbox WHERE party_id = ?", (deal.owner.party_id,)
    ).fetchone()
    vehicle = connection.execute("SELECT body, live, departures FROM vehicle").fetchone()
    connection.close()
    assert "Li Wei" not in everything
    assert set(left.values()) == {0}
    assert events == (0,)
    assert '"display_name":"erased"' in vehicle[0]
    assert '"soc_pct":null' in vehicle[1]
    assert '"one_off":null' in vehicle[2]


async def test_a_running_discharge_is_stopped_first_and_forgotten_once_settled(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path) as world:
        deal = await active(world)
        await deal.deliver(300)

        first = await erase(world, deal.owner.party_id)

        assert first["erased"] is False
        assert deal.commitment_id in first["waits_for"]
        stopped = await world.instruct(deal.park, deal.commitment_id)
        assert stopped.status == 409
        commitment = await deal.park.get(f"/v1/park/commitments/{deal.commitment_id}")
        assert commitment["state"] == "revoked"
        await world.meter(deal.park, deal.session_id, context="end")
        await world.move(3600)
        await world.move(8 * 86_400)
        assert (await erase(world, deal.owner.party_id))["erased"] is True
