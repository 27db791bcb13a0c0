"""The park's guide is true: its commands run, its events are those that are sent, and no others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import json
from pathlib import Path
import re
import shlex
from typing import Any

from click.testing import CliRunner
from probatio import Schema
import pytest

from owner_api.cli import main
from owner_api.commands import epochs
from owner_api.config import Config
from owner_api.core.machine import CommitmentState, OfferState, SettlementState
from owner_api.problems import ProblemCode
from owner_api.schemas import views
from owner_api.schemas.events import EVENTS, WHEN
from owner_api.schemas.fields import openapi
from owner_api.schemas.names import NAMES
from owner_api.schemas.terms import RECHARGE, REWARD, TERMS
from owner_api.server.openapi import problem_codes
from owner_api.server.park import ROUTES

from . import emitted
from .deal_world import Caller, Deal, World, active, open_world, presented, scheduled
from .domain_world import accept, award, settled, stop
from .guide_shell import Shell, steps

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/parks.md").read_text(encoding="utf-8")
STATES = {
    "session": views.SESSION_STATE.schema["enum"],
    "offer": [state.value for state in OfferState],
    "commitment": [state.value for state in CommitmentState],
    "settlement": [state.value for state in SettlementState],
    "reward": views.REWARD_STATUS.schema["enum"],
    "agreement": views.AGREEMENT_STATE.schema["enum"],
}
# States that are passed through or begin something else's event; nobody is told of them.
UNTOLD = {"offer.received", "reward.pending"}


def table(head: str) -> list[list[str]]:
    """Return the rows of the page's table whose first column has this head."""
    found = re.search(rf"^\| {head} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert found, head
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in found[1].splitlines()]


def names(cell: str) -> list[str]:
    """Return what stands in code in a cell."""
    return re.findall(r"`([^`]+)`", cell)


class Owner:
    """The owner whom the page mentions: a car, a park joined, and a finger on the buttons."""

    def __init__(self, world: World, caller: Caller, vehicle_id: str) -> None:
        self.world, self.caller, self.vehicle_id = world, caller, vehicle_id
        self.acts = {
            "the owner checks in with EAST-E08": self.check_in,
            "the car says that it is plugged in": self.plug_in,
            "the owner says yes": self.accept,
            "the owner presses stop": self.stop,
            "the owner disputes it": self.dispute,
            "the owner agrees": self.agree,
        }

    async def check_in(self) -> None:
        body = {"vehicle_id": self.vehicle_id, "evse_code": "EAST-E08"}
        await self.caller.post("/v1/check-ins", body)

    async def plug_in(self) -> None:
        await self.world.telemetry(self.caller, self.vehicle_id, soc_pct=80)

    async def accept(self) -> None:
        (offer,) = (await self.caller.get("/v1/offers"))["items"]
        answer = await self.world.decide(self.caller, offer)
        assert answer.status == 201, answer.body

    async def stop(self) -> None:
        await self.caller.post("/v1/stops", {"vehicle_id": self.vehicle_id})

    async def dispute(self) -> None:
        body = {"reason": "my car says 130 Wh"}
        await self.caller.post(f"/v1/settlements/{await self.newest()}/dispute", body)

    async def agree(self) -> None:
        await self.caller.post(f"/v1/settlements/{await self.newest()}/confirmation", {})

    async def newest(self) -> str:
        return str((await self.caller.get("/v1/rewards"))["items"][0]["settlement_id"])


def added(folder: Path) -> Any:
    """Run the page's `owner-api park add` on a new database; return what it printed."""
    (command,) = re.findall(r"^```console\n(owner-api .*)\n```$", PAGE, re.MULTILINE)
    (folder / "terms.txt").write_text("You may leave at any time.", encoding="utf-8")
    places = {"owner.db": str(folder / "owner.db"), "terms.txt": str(folder / "terms.txt")}
    _, *arguments = [places.get(word, word) for word in shlex.split(command)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


@asynccontextmanager
async def staged(folder: Path, park: Any) -> AsyncIterator[Shell]:
    """Run a server on the park's database, with one owner who has joined the park."""
    # The rate limits are the ones the page tells of.
    async with open_world(folder, Config()) as world:
        caller = await world.add_owner()
        vehicle_id = await world.add_vehicle(caller, min_price_per_kwh="0.5000")
        agreement = {"park_id": park["client_id"], "terms_version": 1, "vehicle_ids": [vehicle_id]}
        await caller.post("/v1/agreements", agreement)
        await world.telemetry(caller, vehicle_id, soc_pct=80, plugged_in=False)
        yield Shell(
            http=world.http,
            clock=world.clock,
            sleep=world.move,
            acts=Owner(world, caller, vehicle_id).acts,
            preset={
                "API": world.url,
                "CLIENT_ID": park["client_id"],
                "CLIENT_SECRET": park["client_secret"],
            },
        )


async def follow(folder: Path, park: Any, page: str) -> Shell:
    """Do what a page says, from its first command to its last; a failure names the page's line."""
    async with staged(folder, park) as shell:
        for step in steps(page):
            try:
                await shell.run(step)
            except (AssertionError, ValueError, KeyError, IndexError) as error:
                pytest.fail(f"docs/parks.md:{step.line}: {step.text}\n{error!r}")
    return shell


@pytest.mark.slow
async def test_a_park_gets_from_its_credentials_to_its_payment_by_the_page_alone(
    tmp_path: Path,
) -> None:
    park = await asyncio.to_thread(added, tmp_path)
    assert park["receipt_key"]["kty"] == "OKP"
    shell = await follow(tmp_path, park, PAGE)
    assert len(shell.sent) > 30


@pytest.mark.slow
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('"$API/v1/park/members"', '"$API/v1/park/guests"'),
        ('"evse_code": "EAST-E08"', '"evse_kode": "EAST-E08"'),
        ('# 201 {"available_energy_wh"', '# 200 {"available_energy_wh"'),
        ("# event: offer.presented", "# event: offer.received"),
        ('"seq": 1, "power_setpoint_w": -7000', '"seq": 1, "power_setpoint_w": 7000'),
        ('"currency": "CNY", "pending_minor"', '"currency": "CNY", "open_minor"'),
    ],
)
async def test_a_page_that_is_wrong_about_a_route_a_field_a_status_or_an_event_fails(
    tmp_path: Path, right: str, wrong: str
) -> None:
    assert right in PAGE
    park = await asyncio.to_thread(added, tmp_path)
    with pytest.raises(pytest.fail.Exception, match=r"docs/parks.md:\d+"):
        await follow(tmp_path, park, PAGE.replace(right, wrong))


def test_every_event_that_a_park_may_hear_is_in_the_table_and_no_other() -> None:
    rows = table("event")
    told = [name for row in rows for name in names(row[0])]
    assert sorted(told) == sorted(EVENTS["park"])
    for name, when, fields in rows:
        assert when, name
        for field in names(fields):
            begin = re.split(r"[.\[]", field)[0]
            assert begin in {str(key) for key in EVENTS["park"][name.strip("`")]}, (name, field)


def test_every_event_that_the_code_can_send_is_declared_and_every_declared_one_is_sent() -> None:
    """Read from the source: a new name, a new family or a new state has to be declared first."""
    written, families = emitted.names()
    assert families == set(STATES)
    by_state = {f"{family}.{state}" for family in families for state in STATES[family]}
    assert written | by_state == set(WHEN) | UNTOLD
    assert not UNTOLD & set(WHEN)


@pytest.mark.slow
async def test_each_declared_event_comes_to_a_park_with_the_data_that_is_declared(
    tmp_path: Path,
) -> None:
    """Every ending there is, run for real; what both sides were told fits the contract."""
    async with open_world(tmp_path) as world:
        await every_ending(world)
        sent = await _outbox(world)
        # A history begun anew begins every stream anew.
        await _restore(world)
        sent += await _outbox(world)
    heard: dict[str, set[str]] = {"park": set(), "owner": set()}
    for row in sent:
        listener = "park" if row["party_id"].startswith("prk_") else "owner"
        heard[listener].add(row["type"])
        Schema(EVENTS[listener][row["type"]])(json.loads(row["data"]))
    assert heard["park"] == set(EVENTS["park"])
    assert heard["owner"] <= set(EVENTS["owner"])


async def every_ending(world: World) -> None:
    """Bring about each event but the one of a restore once."""
    await _offers(world)
    await _unbegun(world)
    await _begun(world)
    await _settlement(world)


async def _outbox(world: World) -> list[Any]:
    sql = "SELECT DISTINCT party_id, type, data FROM outbox"
    return await world.agent.store.read(lambda tx: tx.all(sql))


async def _restore(world: World) -> None:
    await world.agent.store.write(
        lambda tx: epochs.ask_for(tx, reason="a disk was lost", lost_note=None)
    )
    await world.agent.store.write(lambda tx: epochs.open_pending(tx, world.clock.now()))


async def _offers(world: World) -> None:
    deal = await presented(world)
    await world.decide(deal.owner, deal.offer, "counter", price_per_kwh="1.5000")
    park, revised = deal.park, f"/v1/park/offers/{deal.offer['offer_id']}/revisions"
    body = {"revision": 2, "respond_by": world.at(900), "terms": world.terms()}
    offer = await park.post(revised, body)
    await world.decide(deal.owner, offer, "decline")
    offer = await world.offer(park, deal.session_id)
    await park.post(f"/v1/park/offers/{offer['offer_id']}/withdrawal", {})
    await world.offer(park, deal.session_id)
    await world.move(1300)
    await world.offer(park, deal.session_id, min_energy_wh=1, max_discharge_w=1)
    unknown = {"evse_id": "E99", "plugged_in_at": world.at(0)}
    session = await park.post("/v1/park/sessions", unknown)
    await world.offer(park, session["session_id"])
    (agreement,) = (await deal.owner.get("/v1/agreements"))["items"]
    body = {"park_id": park.party_id, "terms_version": 1, "vehicle_ids": [deal.vehicle_id]}
    body["replaces"] = agreement["agreement_id"]
    agreement = await deal.owner.post("/v1/agreements", body)
    await deal.owner.post(f"/v1/agreements/{agreement['agreement_id']}/withdrawal")


async def _unbegun(world: World) -> None:
    late = await presented(world)
    await accept(late)
    missed, cancelled = await scheduled(world), await scheduled(world)
    path = f"/v1/park/commitments/{cancelled.commitment_id}/cancellation"
    await cancelled.park.post(path, {"reason": "no need"})
    await world.move(2400)
    assert (await award(late)).status == 410
    assert (await world.instruct(missed.park, missed.commitment_id)).status == 409


async def _begun(world: World) -> None:
    silent = await active(world)
    await world.instruct(silent.park, silent.commitment_id)
    await world.move(90)
    cut = await active(world)
    await world.instruct(cut.park, cut.commitment_id)
    await cut.park.post(f"/v1/park/commitments/{cut.commitment_id}/cancellation", {})
    done = await active(world, requested_energy_wh=500, min_energy_wh=500)
    await done.deliver(600)
    end = {"unplugged_at": world.at(0)}
    await done.park.post(f"/v1/park/sessions/{done.session_id}/end", end)


async def _settlement(world: World) -> None:
    deal = await active(world, min_energy_wh=0)
    await deal.deliver(60)
    await stop(deal)
    path = f"/v1/park/commitments/{deal.commitment_id}/stop-confirmation"
    await deal.park.post(path, {"confirmed_at": world.at(0)})
    first = await settled(deal)
    await deal.owner.post(f"/v1/settlements/{first['settlement_id']}/dispute", {"reason": "less"})
    second = await _corrected(deal, first["settlement_id"])
    await deal.owner.post(f"/v1/settlements/{second}/confirmation", {})
    await deal.park.post(f"/v1/park/settlements/{second}/confirmation", {})
    await deal.park.post(f"/v1/park/settlements/{second}/payment", {"reference": "BANK-1"})
    await _corrected(deal, second)


async def _corrected(deal: Deal, settlement_id: str) -> str:
    path = f"/v1/park/settlements/{settlement_id}/correction"
    made = await deal.park.post(path, {"delivered_wh": 100, "reason": "read again"})
    return str(made["settlement_id"])


def test_every_no_that_a_park_may_meet_is_in_the_table_with_its_status() -> None:
    told = {}
    for code_cell, status, advice in table("code"):
        assert advice
        told |= {code: {int(each) for each in status.split(",")} for code in names(code_cell)}
    met = {code for route in ROUTES for code in problem_codes(route)}
    # The token endpoint and the stream are for both roles.
    met |= {
        ProblemCode.INVALID_CLIENT,
        ProblemCode.INVALID_GRANT,
        ProblemCode.UNSUPPORTED_GRANT_TYPE,
        ProblemCode.REPLAY_WINDOW_PASSED,
    }
    assert set(told) == {code.value for code in met}
    assert all(code.status in told[code.value] for code in met)


def test_what_the_table_of_protocols_calls_ours_is_a_word_of_the_contract() -> None:
    ours = str([openapi(schema) for schema in NAMES.values()])
    told = [word for row in table("here") for word in names(row[0])]
    assert len(told) > 10
    for word in told:
        assert f"'{word}'" in ours, word


def test_every_field_of_the_terms_is_explained() -> None:
    cells = (name for row in table("field") for name in names(row[0] + row[1]))
    told = {word for cell in cells for word in re.findall(r"\w+", cell)}
    assert {*map(str, TERMS), *map(str, REWARD), *map(str, RECHARGE)} <= told
