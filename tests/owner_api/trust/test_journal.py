"""What happens to a deal is in the log, under a signed checkpoint, with a receipt for each side."""

from decimal import Decimal
import itertools
from typing import Any
import uuid

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
import orjson
from probatio import Schema
import pytest

from owner_api.commands.planner import ask
from owner_api.core import checkpoint, merkle, receipt
from owner_api.core.keyring import Keyring, keyring, read_jwk, read_keys
from owner_api.schemas import ledger as messages
from tests.owner_api.deal_world import Caller, Deal, World, active, presented

# More than --fast has time for.
pytestmark = pytest.mark.slow


async def public_keys(world: World) -> Keyring:
    """Return the keys as a client pins them."""
    async with world.http.get(world.url + "/v1/jwks.json") as response:
        keys = read_keys(await response.text())
    assert all(isinstance(key, Ed25519PublicKey) for key in keys.values())
    return keys


async def receipts_of(caller: Caller) -> list[Any]:
    """Return all of a caller's receipts, page by page."""
    found: list[Any] = []
    cursor = ""
    while cursor is not None:
        more = f"&cursor={cursor}" if cursor else ""
        shown = await caller.get(f"/v1/receipts?limit=20{more}")
        Schema(messages.RECEIPTS)(shown)
        for item in shown["items"]:
            document = await caller.get(f"/v1/receipts/{item['receipt_id']}")
            Schema(messages.RECEIPT)(document)
            found.append(document)
        cursor = shown["next_cursor"]
    return found


async def settled(world: World, *, paid: bool = True) -> Deal:
    """Bring the usual deal to a final settlement and, unless told not to, a paid reward."""
    deal = await active(world)
    await deal.deliver(300)
    await deal.stop()
    shown = await deal.owner.get(f"/v1/commitments/{deal.commitment_id}")
    await world.move(3601)
    settlement_id = shown["settlement"]["settlement_id"]
    if paid:
        body = {"reference": "PAY-7"}
        await deal.park.post(f"/v1/park/settlements/{settlement_id}/payment", body)
    return deal


async def test_every_step_that_matters_has_a_receipt_for_each_side(world: World) -> None:
    deal = await settled(world)
    keys = await public_keys(world)
    owned = await receipts_of(deal.owner)
    for document in owned:
        proven = receipt.verify(document, keys)
        assert proven.entry.party_id == deal.owner.party_id
        assert proven.entry.body == document["content"]
    assert [document["kind"] for document in owned] == [
        "agreement.active",
        "decision",
        "commitment.pending_award",
        "commitment.scheduled",
        "commitment.active",
        "stop.requested",
        "commitment.revoked",
        "stop",
        "stop.stopped",
        "reward.earned",
        "settlement.provisional",
        "reward.confirmed",
        "settlement.final",
        "reward.paid",
    ]
    parked = await receipts_of(deal.park)
    assert {receipt.verify(document, keys).entry.party_id for document in parked} == {
        deal.park.party_id
    }
    missing = {"decision", "stop"}
    assert [d["kind"] for d in parked] == [d["kind"] for d in owned if d["kind"] not in missing]


async def test_a_decisions_receipt_holds_the_terms_the_limits_and_the_way_out(world: World) -> None:
    deal = await presented(world)
    answer = await world.decide(deal.owner, deal.offer)
    decision_id = answer.body["decision"]["decision_id"]
    listed = await deal.owner.get(f"/v1/receipts?subject_id={decision_id}")
    document = await deal.owner.get(f"/v1/receipts/{listed['items'][0]['receipt_id']}")
    body = receipt.verify(document, await public_keys(world)).entry.body
    assert body["terms_sha256"] == deal.offer["terms_sha256"]
    assert body["terms"]["reward"]["price_per_kwh"] == "1.2000"
    assert body["limits"]["soc_floor_pct"] == "20"
    assert body["method"] == "tap"
    preferences = await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}/preferences")
    assert body["preferences_revision"] == preferences["revision"]
    assert body["judged"]["net_minor"] > 0
    assert "/v1/stops" in body["how_to_withdraw"]


async def test_promise_7_the_parks_receipts_hold_nothing_the_park_may_not_know(
    world: World,
) -> None:
    deal = await settled(world)
    hidden = ("soc", "floor", "departure", "preferences", "vehicle_id", "wear", "own_", "net_per")
    for document in await receipts_of(deal.park):
        text = str(document["content"])
        assert not [word for word in hidden if word in text], text


async def test_nobody_reads_another_partys_receipt(world: World) -> None:
    deal = await settled(world)
    stranger = await world.add_owner("Stranger")
    assert await receipts_of(stranger) == []
    mine = (await receipts_of(deal.owner))[0]["receipt_id"]
    for caller in (stranger, deal.park):
        refused = await caller.call("GET", f"/v1/receipts/{mine}")
        missing = await caller.call("GET", "/v1/receipts/rcp_" + "f" * 32)
        assert (refused.status, missing.status) == (404, 404)
        assert refused.body | {"instance": ""} == missing.body | {"instance": ""}


async def test_promise_6_each_batch_hands_both_sides_a_checkpoint_that_only_grows(
    world: World,
) -> None:
    deal = await settled(world)
    keys = await public_keys(world)
    for party in (deal.owner, deal.park):
        events = [e for e in await party.events() if e["type"] == "checkpoint.new"]
        assert len(events) >= 8
        heads = []
        for event in events:
            data = orjson.loads(event["data"])
            assert data["receipts"]
            heads.append(checkpoint.verify(data["checkpoint"], keys)[0])
        for old, new in itertools.pairwise(heads):
            assert old.size < new.size
            shown = await party.get(f"/v1/ledger/proofs/consistency?from={old.size}&to={new.size}")
            Schema(messages.CONSISTENCY)(shown)
            path = [bytes.fromhex(part) for part in shown["path"]]
            merkle.verify_consistency(old.size, old.root, new.size, new.root, path)
    head = await deal.owner.get("/v1/ledger/checkpoint")
    Schema(messages.CHECKPOINT)(head)
    assert checkpoint.verify(head["checkpoint"], keys)[0] == heads[-1]


async def test_a_batch_costs_one_checkpoint_however_much_it_holds(world: World) -> None:
    deal = await settled(world)
    rows = await world.agent.store.read(
        lambda tx: tx.all(
            "SELECT (SELECT count(*) FROM ledger_leaf) AS leaves,"
            " (SELECT count(*) FROM ledger_checkpoint) AS heads,"
            " (SELECT max(size) FROM ledger_checkpoint) AS size"
        )
    )
    assert deal.commitment_id
    assert rows[0]["heads"] * 2 < rows[0]["leaves"] == rows[0]["size"]


async def test_a_proof_for_what_is_not_there_says_what_would_pass(world: World) -> None:
    owner = await world.add_owner()
    head = await owner.get("/v1/ledger/checkpoint")
    for path in (
        "inclusion?position=0&size=999",
        "inclusion?position=999",
        "consistency?from=999",
        "consistency?from=1&to=999",
        "inclusion?position=-1",
        "consistency",
    ):
        refused = await owner.call("GET", f"/v1/ledger/proofs/{path}")
        assert (refused.status, refused.body["code"]) == (422, "invalid_parameter"), path
    shown = await owner.get(f"/v1/ledger/proofs/inclusion?position=0&size={head['size']}")
    Schema(messages.INCLUSION)(shown)


async def test_a_receipt_is_also_a_page_a_person_can_read(world: World) -> None:
    deal = await presented(world)
    await world.decide(deal.owner, deal.offer, "decline", reason="<script>alert(1)</script>")
    listed = await deal.owner.get("/v1/receipts")
    item = next(item for item in listed["items"] if item["kind"] == "decision")
    headers = {"Authorization": f"Bearer {deal.owner.token}", "Accept": "text/html"}
    url = f"{world.url}/v1/receipts/{item['receipt_id']}"
    async with world.http.get(url, headers=headers) as response:
        assert response.content_type == "text/html"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        page = await response.text()
    assert "<h1>Your decision</h1>" in page
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert item["receipt_id"] in page.replace("<wbr>", "")


async def test_the_page_of_a_park_tells_it_nothing_that_somebody_else_did_as_its_own(
    world: World,
) -> None:
    deal = await presented(world)
    for side in (deal.owner, deal.park):
        listed = (await side.get("/v1/receipts"))["items"]
        item = next(item for item in listed if item["kind"] == "agreement.active")
        headers = {"Authorization": f"Bearer {side.token}", "Accept": "text/html"}
        url = f"{world.url}/v1/receipts/{item['receipt_id']}"
        async with world.http.get(url, headers=headers) as response:
            page = await response.text()
        assert "<h1>An owner joined a park</h1>" in page


async def test_repeating_a_decision_or_a_withdrawal_adds_nothing_to_the_log(world: World) -> None:
    deal = await presented(world)
    body = {
        "offer_id": deal.offer["offer_id"],
        "revision": 1,
        "terms_sha256": deal.offer["terms_sha256"],
        "decision": "decline",
        "method": "tap",
    }
    await deal.owner.call("POST", "/v1/decisions", body, key="one")
    before = await deal.owner.get("/v1/ledger/checkpoint")
    for key in ("one", "two"):
        again = await deal.owner.call("POST", "/v1/decisions", body, key=key)
        assert again.status == 201
    assert await deal.owner.get("/v1/ledger/checkpoint") == before


async def test_an_award_whose_terms_differ_by_one_byte_is_refused(world: World) -> None:
    deal = await presented(world)
    answer = await world.decide(deal.owner, deal.offer)
    terms = deal.offer["terms_sha256"]
    other = ("0" if terms[0] != "0" else "1") + terms[1:]
    refused = await deal.park.call(
        "POST",
        f"/v1/park/commitments/{answer.body['commitment_id']}/award",
        {"order_reference": "PO-1", "terms_sha256": other, "committed_energy_wh": 6000},
    )
    assert (refused.status, refused.body["code"]) == (409, "award_mismatch")


async def test_the_key_is_named_at_pairing_and_in_the_agreement(world: World) -> None:
    keys = await public_keys(world)
    owner, park = await world.add_owner(), await world.add_park()
    vehicle_id = await world.add_vehicle(owner)
    await world.join(owner, park, vehicle_id)
    for party in (owner, park):
        agreed = (await receipts_of(party))[0]["content"]
        assert keys.keys() == {agreed["log_key"]["key_id"]}
    minted = await owner.post("/v1/pairing-codes")
    body = {"code": minted["code"], "device_name": "Phone", "kind": "phone"}
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    async with world.http.post(world.url + "/v1/pair", json=body, headers=headers) as response:
        paired = await response.json()
    assert keyring(read_jwk(paired["receipt_key"])).keys() == keys.keys()


async def test_promise_9_every_figure_of_a_settlement_follows_from_its_receipt_alone(
    world: World,
) -> None:
    deal = await settled(world)
    document = next(
        d for d in await receipts_of(deal.owner) if d["kind"] == "settlement.provisional"
    )
    content = receipt.verify(document, await public_keys(world)).entry.body
    delivered = content["end_register_wh"] - content["begin_register_wh"]
    assert content["delivered_wh"] == min(delivered, content["ordered_wh"]) > 0
    terms = content["reward_terms"]
    gross = Decimal(content["delivered_wh"]) * Decimal(terms["price_per_kwh"]) / 10
    assert content["net_minor"] == content["gross_minor"] == round(gross)

    # The owner's own economics: the same planner on the inputs that were kept at consent.
    request = content["quote_request"]
    request["offer"] |= {"requested_energy_wh": content["delivered_wh"], "min_energy_wh": 0}
    request.pop("budget_left_wh", None)
    lines = ask(request)["breakdown"]
    for name in ("refill_minor", "losses_minor", "wear_minor"):
        assert content["breakdown"][name] == lines[name]


async def test_the_answer_to_a_decision_and_to_a_stop_names_its_receipt(world: World) -> None:
    """Also when the deal's own entries follow the decision's in the same breath."""
    deal = await presented(world)
    accepted = await world.decide(deal.owner, deal.offer)
    said = await deal.owner.get(f"/v1/receipts/{accepted.body['receipt_id']}")
    assert said["kind"] == "decision"
    assert said["subject_id"] == accepted.body["decision"]["decision_id"]
    again = await world.decide(deal.owner, deal.offer)
    assert again.body["receipt_id"] == accepted.body["receipt_id"]
    stopped = await deal.owner.post("/v1/stops", {"vehicle_id": deal.vehicle_id})
    heard = await deal.owner.get(f"/v1/receipts/{stopped['receipt_id']}")
    assert (heard["kind"], heard["subject_id"]) == ("stop", stopped["stop_id"])
