"""What an owner changes about the own clock and currency holds for what was agreed before."""

from typing import Any

import pytest

from .deal_world import Answer, Caller, World, active, presented, scheduled
from .domain_world import code, commitment, park_commitment, running, settled, stop, world

__all__ = ["running", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

HOUR = 3600


def late(world: World) -> dict[str, Any]:
    """Return the window from 16:30 to 17:20 in Shanghai, where the car leaves at 18:00."""
    return {"start_at": world.at(3 * HOUR), "end_at": world.at(4 * HOUR - 600)}


async def move_to(owner: Caller, time_zone: str) -> None:
    await owner.patch("/v1/me", {"time_zone": time_zone})


async def test_promise_2_a_clock_that_makes_the_car_leave_earlier_revokes_what_no_longer_holds(
    world: World,
) -> None:
    deal = await scheduled(world, **late(world))
    # 18:00 in Noumea is 15:00 in Shanghai.
    await move_to(deal.owner, "Pacific/Noumea")
    shown = await commitment(deal)
    assert (shown["state"], shown["state_reason"]) == ("revoked", "departure")
    assert (await park_commitment(deal))["stop_reason"] == "owner"
    events = [event["type"] for event in await deal.owner.events()]
    assert "departures.updated" in events[events.index("owner.updated") :]


async def test_a_clock_that_leaves_a_deal_its_room_leaves_it_as_it_was(world: World) -> None:
    deal = await scheduled(world, **late(world))
    await move_to(deal.owner, "Asia/Kolkata")
    assert (await commitment(deal))["state"] == "scheduled"
    vehicle = await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}")
    # 18:00 in Kolkata is 20:30 in Shanghai.
    assert vehicle["next_departure"]["departure_at"] == world.at(7 * HOUR)


async def test_promise_8_an_open_offer_is_judged_by_the_owners_new_clock(world: World) -> None:
    deal = await presented(world, **late(world))
    await move_to(deal.owner, "Pacific/Noumea")
    shown = await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}")
    assert shown["evaluation"]["verdict"] == "decline"
    assert shown["evaluation"]["departure_at"] == world.at(1.5 * HOUR)


@pytest.mark.parametrize("unseen", [" ", "   ", "\u3164\u2800", " \ufe0f", "\uffa0"])
async def test_a_name_that_shows_nothing_is_refused(world: World, unseen: str) -> None:
    """Of two cars on a phone, one would have none."""
    deal = await presented(world)
    me = await deal.owner.call("GET", "/v1/me")
    etag = str(me.body["revision"])
    named = {"display_name": unseen}
    bodies = (
        ("PATCH", "/v1/me", named, etag),
        ("POST", "/v1/vehicles", named | {"usable_capacity_wh": 60_000}, None),
        ("POST", "/v1/chargers", named, None),
    )
    for method, path, body, revision in bodies:
        refused = await deal.owner.call(method, path, body, etag=revision)
        assert (refused.status, refused.body["errors"][0]["pointer"]) == (422, "/display_name")
        assert "seen" in refused.body["errors"][0]["limit"]
    # A name in any script is one, with a mark on it too.
    for name in ("蓝车", "é", "🚗\ufe0f"):
        await deal.owner.patch("/v1/me", {"display_name": name})


async def test_a_new_name_or_language_judges_nothing_again(world: World) -> None:
    deal = await presented(world)
    before = await deal.owner.events()
    await deal.owner.patch("/v1/me", {"display_name": "Li", "language": "zh-Hans"})
    after = (await deal.owner.events())[len(before) :]
    assert [event["type"] for event in after] == ["owner.updated"]


async def paid_in(owner: Caller, currency: str, **more: str) -> Answer:
    """Ask to change the owner's currency."""
    me = await owner.get("/v1/me")
    body = {"currency": currency, **more}
    return await owner.call("PATCH", "/v1/me", body, etag=str(me["revision"]))


async def test_promise_8_the_currency_stays_while_a_deal_is_live_and_the_deal_goes_on(
    world: World,
) -> None:
    deal = await active(world)
    refused = await paid_in(deal.owner, "EUR", display_name="Li")
    assert code(refused) == (409, "conflict")
    assert "live deals" in refused.body["detail"]
    assert refused.body["errors"][0] == {"pointer": "/currency", "code": "conflict", "limit": "CNY"}
    assert (await deal.owner.get("/v1/me"))["display_name"] == "Li Wei"
    assert (await commitment(deal))["state"] == "scheduled"
    assert (await world.instruct(deal.park, deal.commitment_id)).status == 201


async def test_what_selling_has_cost_a_battery_is_never_read_as_another_currency(
    world: World,
) -> None:
    deal = await active(world, min_energy_wh=0)
    await deal.deliver(120)
    await stop(deal)
    # Ended and not settled yet: its wear is still to come.
    assert code(await paid_in(deal.owner, "JPY")) == (409, "conflict")
    await settled(deal)
    refused = await paid_in(deal.owner, "JPY")
    assert code(refused) == (409, "conflict")
    assert "sold" in refused.body["detail"]
    shown = await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}")
    assert shown["v2g_wear_minor"] > 0
    # Naming the currency that it is changes nothing.
    assert (await paid_in(deal.owner, "CNY")).status == 200


async def test_before_the_first_sale_the_currency_changes_and_open_offers_are_judged_by_it(
    world: World,
) -> None:
    deal = await scheduled(world)
    await stop(deal)
    offer = await world.offer(deal.park, deal.session_id, requested_energy_wh=3000)
    assert offer["state"] == "presented"
    assert (await paid_in(deal.owner, "EUR")).status == 200
    shown = await deal.owner.get(f"/v1/offers/{offer['offer_id']}")
    assert shown["evaluation"]["reason"]["code"] == "currency"


@pytest.mark.parametrize(
    ("path", "body", "of"),
    [
        ("/v1/vehicles", {"display_name": "Car", "usable_capacity_wh": 60_000}, "vehicles"),
        ("/v1/chargers", {"display_name": "Box"}, "chargers"),
    ],
)
async def test_an_owner_has_no_more_of_a_kind_than_the_snapshot_holds(
    world: World, path: str, body: dict[str, Any], of: str
) -> None:
    """Each is looked at for a stop: thousands of one owner's would hold everybody's up."""
    owner = await world.add_owner()
    made = []
    for number in range(200):
        if number % 100 == 0:
            await world.move(2)
        made.append(await owner.post(path, body))
    refused = await owner.call("POST", path, body)
    assert code(refused) == (409, "conflict")
    # Held to its schema as it is read.
    assert len((await owner.get("/v1/snapshot"))[of]) == 200
    await owner.call("DELETE", f"{path}/{made[0][of.removesuffix('s') + '_id']}", etag="1")
    assert (await owner.call("POST", path, body)).status == 201


@pytest.mark.parametrize("name", ["\u674e\u3000\u4f1f", "Ch\u00e2teau\u00a0: bleu"])
async def test_a_name_may_have_the_blanks_that_chinese_and_french_keyboards_write(
    world: World, name: str
) -> None:
    owner = await world.add_owner()
    vehicle_id = await world.add_vehicle(owner)
    changed = await owner.patch(f"/v1/vehicles/{vehicle_id}", {"display_name": name})
    assert changed["display_name"] == name
    for hidden in ("\u200b", "\u2028", "\u202e", "\n"):
        shown = await owner.call("GET", f"/v1/vehicles/{vehicle_id}")
        wrong = {"display_name": f"a{hidden}b"}
        path, etag = f"/v1/vehicles/{vehicle_id}", str(shown.body["revision"])
        assert code(await owner.call("PATCH", path, wrong, etag=etag)) == (422, "invalid_body")
