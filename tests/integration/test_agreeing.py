"""New terms, and one more car, are agreed to in one act: a broken link leaves no half of it."""

from collections.abc import Mapping
from typing import Any

from homeassistant.core import Context, HomeAssistant
import pytest

from custom_components.v2g_owner.api_errors import OwnerApiConnectionError

from .conftest import Home, car_says, until
from .entries import paired_entry, vehicle_subentry
from .owner_world import OwnerWorld
from .test_account import device_of
from .test_repairs import changed_terms, raised, submit

# More than --fast has time for.
pytestmark = pytest.mark.slow

LONGER = "Deals may last up to six hours."


async def agreements(world: OwnerWorld) -> list[tuple[str, int, list[str]]]:
    """Return state, terms and cars of the owner's agreements, the oldest first."""
    items = (await world.phone.get("/v1/agreements"))["items"]
    return [(each["state"], each["terms_version"], sorted(each["vehicle_ids"])) for each in items]


async def agreed_deal(home: Home, world: OwnerWorld, session_id: str) -> str:
    """Say yes to an offer that the park awards; returns the deal."""
    await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    answer = await home.act("accept_offer", context=Context(user_id="somebody"))
    commitment_id = str(answer["answer"]["commitment_id"])
    await world.award(commitment_id)
    return commitment_id


async def state_of(world: OwnerWorld, commitment_id: str) -> str:
    return str((await world.phone.get(f"/v1/commitments/{commitment_id}"))["state"])


async def test_promise_10_a_link_that_breaks_under_new_terms_costs_no_agreement_and_no_deal(
    home: Home,
    world: OwnerWorld,
    vehicle_id: str,
    session_id: str,
    hass_client: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only the first request gets through."""
    deal = await agreed_deal(home, world, session_id)
    await changed_terms(home, world, LONGER)
    issue = await until(lambda: raised(home.hass, "terms_changed"))
    api = home.entry.runtime_data.coordinator.api
    post, sent = api.post, []

    async def once(path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        sent.append(path)
        if len(sent) > 1:
            raise OwnerApiConnectionError("the link broke")
        return await post(path, body)

    monkeypatch.setattr(api, "post", once)
    await submit(home.hass, hass_client, issue)
    assert (await agreements(world))[-1] == ("active", 2, [vehicle_id])
    assert await state_of(world, deal) == "scheduled"
    await until(lambda: raised(home.hass, "terms_changed") is None)


async def test_new_terms_agreed_to_from_the_repair_leave_the_session_bound(
    home: Home, world: OwnerWorld, vehicle_id: str, session_id: str, hass_client: Any
) -> None:
    """The car stands where it stood: the park need not ask anew whose it is."""
    deal = await agreed_deal(home, world, session_id)
    await changed_terms(home, world, LONGER)
    _, answer = await submit(
        home.hass, hass_client, await until(lambda: raised(home.hass, "terms_changed"))
    )
    assert answer["type"] == "create_entry", answer
    cars = [vehicle_id]
    assert await agreements(world) == [("replaced", 1, cars), ("active", 2, cars)]
    assert (await world.park.get(f"/v1/park/sessions/{session_id}"))["state"] == "bound"
    assert await state_of(world, deal) == "scheduled"


async def test_a_second_car_joins_a_park_and_the_first_one_stays_with_its_deal(
    hass: HomeAssistant, world: OwnerWorld, vehicle_id: str
) -> None:
    """It was refused: one had to leave first, which ended what the first car had agreed."""
    other = await world.add_vehicle()
    car_says(hass, 80)
    entry = await paired_entry(hass, world, [vehicle_subentry(vehicle_id), vehicle_subentry(other)])
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    home, cars = Home(hass, entry), sorted([vehicle_id, other])
    devices = {each: device_of(home, each).id for each in cars}
    park = {"park_id": world.park.party_id}
    person = {"context": Context(user_id="somebody")}
    joined = park | {"terms_version": 1, "device_id": [devices[vehicle_id]]}
    await home.act("join_park", joined, **person)
    (member,) = (await world.park.get("/v1/park/members"))["items"]
    await home.reaches("sensor", vehicle_id, "soc", "80.0")
    deal = await agreed_deal(home, world, await world.plug_in(member["member_ref"]))
    await changed_terms(home, world, LONGER)
    joined = park | {"terms_version": 2, "device_id": [devices[other]]}
    made = await home.act("join_park", joined, **person)
    assert sorted(made["vehicle_ids"]) == cars
    assert await agreements(world) == [("replaced", 1, [vehicle_id]), ("active", 2, cars)]
    assert await state_of(world, deal) == "scheduled"
    await until(
        lambda: (
            {each.state for each in entry.runtime_data.coordinator.data.agreements.values()}
            == {"replaced", "active"}
        )
    )
    await home.act("leave_park", park)
    assert await state_of(world, deal) == "revoked"
