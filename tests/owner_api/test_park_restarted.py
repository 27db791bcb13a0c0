"""A park that kept nothing finds from the API alone what it needs to go on."""

import asyncio
from contextlib import suppress

import pytest

from .deal_world import Caller, World, active, scheduled
from .domain_world import code, park_commitment, running, world
from .test_domain_promised_charging import recharge

__all__ = ["running", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

HOUR = 3_600


async def test_a_park_that_forgot_its_sequence_numbers_reads_from_where_to_count_on(
    world: World,
) -> None:
    deal = await active(world)
    assert (await park_commitment(deal))["last_seq"] == 0
    path = f"/v1/park/commitments/{deal.commitment_id}/instructions"
    body = {"seq": 4711, "power_setpoint_w": -7000}
    assert (await deal.park.call("POST", path, body)).status == 201
    refused = await deal.park.call("POST", path, body | {"seq": 1})
    assert code(refused) == (409, "stale_sequence")
    assert refused.body["current"] == {"last_seq": 4711}
    (shown,) = (await deal.park.get("/v1/park/commitments"))["items"]
    assert shown["last_seq"] == 4711
    again = await deal.park.call("POST", path, body | {"seq": shown["last_seq"] + 1})
    assert again.status == 201


async def test_a_park_reads_what_it_has_still_to_put_back(world: World) -> None:
    promise = recharge(world, 5_000, 3 * HOUR)
    deal = await active(world, min_energy_wh=0, recharge=promise)
    path = f"/v1/park/sessions/{deal.session_id}"
    assert (await deal.park.get(path))["recharge_due"] == []
    await world.instruct(deal.park, deal.commitment_id)
    await deal.stop()
    (due,) = (await deal.park.get(path))["recharge_due"]
    assert due == promise
    world.imported_wh += 3_200
    await world.move(HOUR)
    await world.meter(deal.park, deal.session_id, 7_000)
    (due,) = (await deal.park.get(path))["recharge_due"]
    assert due == promise | {"energy_wh": 1_800}
    (listed,) = (await deal.park.get("/v1/park/sessions"))["items"]
    assert listed["recharge_due"] == [due]
    world.imported_wh += 1_800
    await world.move(600)
    await world.meter(deal.park, deal.session_id, 7_000)
    assert (await deal.park.get(path))["recharge_due"] == []


async def test_a_park_finds_the_deals_that_ended_without_it_and_wait_for_a_reading(
    world: World,
) -> None:
    deal = await active(world, min_energy_wh=0)
    path = "/v1/park/commitments?state=unsettled"
    await world.instruct(deal.park, deal.commitment_id)
    assert (await deal.park.get(path))["items"] == []
    # The dispatcher is gone, and the charger goes on until its lease ends.
    await world.move(61)
    world.exported_wh += 116
    (shown,) = (await deal.park.get(path))["items"]
    assert (shown["commitment_id"], shown["state"]) == (deal.commitment_id, "failed")
    assert shown["delivered_wh"] == 0
    await world.meter(deal.park, shown["session_id"], 0, context="end")
    assert (await deal.park.get(path))["items"] == []
    assert (await park_commitment(deal))["delivered_wh"] == 116


async def test_a_deal_that_never_began_waits_for_no_reading(world: World) -> None:
    deal = await scheduled(world)
    await deal.park.post(f"/v1/park/commitments/{deal.commitment_id}/cancellation")
    assert (await deal.park.get("/v1/park/commitments?state=unsettled"))["items"] == []


async def test_a_park_reads_what_it_guaranteed_with_a_session(world: World) -> None:
    park, promise = await world.add_park(), recharge(world, 5_000, 3 * HOUR)
    body = {"evse_id": "E01", "plugged_in_at": world.at(0), "recharge": promise}
    opened = await park.post("/v1/park/sessions", body)
    assert opened["recharge_due"] == [promise]
    withdrawn = promise | {"guaranteed": False}
    again = await park.post("/v1/park/sessions", body | {"recharge": withdrawn})
    assert again["recharge_due"] == []


async def test_a_park_reads_what_it_asked_for(world: World) -> None:
    deal = await active(world)
    shown = await deal.park.get(f"/v1/park/offers/{deal.offer['offer_id']}")
    assert shown["purpose"] == "peak_price"


async def listen(park: Caller, after: str | None = None) -> tuple[str, list[str]]:
    """Open the stream as an EventSource does; return the last id it was told, and the events."""
    headers = {"Authorization": f"Bearer {park.token}"}
    if after is not None:
        headers["Last-Event-ID"] = after
    told, names = "", list[str]()
    async with park.world.http.get(park.world.url + "/v1/events", headers=headers) as response:
        assert response.status == 200
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                async for line in response.content:
                    field, _, value = line.decode().rstrip("\n").partition(": ")
                    told = value if field == "id" else told
                    names += [value] if field == "event" else []
    return told, names


async def test_a_park_that_is_cut_off_before_its_first_event_misses_none(world: World) -> None:
    park = await world.add_park()
    body = {"evse_id": "E01", "plugged_in_at": world.at(0)}
    await park.post("/v1/park/sessions", body)
    told, heard = await listen(park)
    assert heard == []
    await park.post("/v1/park/sessions", body)
    told, heard = await listen(park, told)
    assert heard == ["session.ended", "session.claimed"]
    assert await listen(park, told) == (told, [])
