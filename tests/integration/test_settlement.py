"""A settlement through Home Assistant: read, disputed in time, agreed to by a person alone."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from homeassistant.core import Context
from homeassistant.exceptions import ServiceValidationError
import probatio
import pytest

from .conftest import Home, until
from .owner_world import OwnerWorld

# More than --fast has time for.
pytestmark = pytest.mark.slow

WHOLE_DEAL_WH = 500


async def delivered(home: Home, world: OwnerWorld, session_id: str) -> Any:
    """Deliver half a kWh, stop, and return the settlement that the park's meter makes."""
    offer = await world.offer(session_id, start_at=world.at(0), end_at=world.at(3_600))
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    body = {key: offer[key] for key in ("offer_id", "revision", "terms_sha256")}
    answer = await world.phone.post("/v1/decisions", body | {"decision": "accept", "method": "tap"})
    commitment_id = answer["commitment_id"]
    await world.award(commitment_id)
    await world.meter(session_id, context="begin")
    assert await world.instruct(commitment_id) == 201
    world.exported_wh += WHOLE_DEAL_WH
    await world.meter(session_id, -7_000)
    await world.phone.post("/v1/stops", {"commitment_id": commitment_id})
    await world.meter(session_id, 0, context="end")
    await world.tick()
    deal = await world.phone.get(f"/v1/commitments/{commitment_id}")
    await reward_event(home, world, "settlement_provisional")
    return deal["settlement"]


async def reward_event(home: Home, world: OwnerWorld, kind: str) -> Any:
    """Wait until the account tells this of a settlement; returns what it says."""

    def told() -> bool:
        return home.state("event", world.owner_id, "rewards").attributes["event_type"] == kind

    await until(told)
    return home.state("event", world.owner_id, "rewards").attributes


async def stored(world: OwnerWorld, settlement_id: str) -> Any:
    """Return what the agent keeps of a settlement, however long its phone has been away."""
    found = await world.agent.store.read(
        lambda tx: tx.one(
            "SELECT state, dispute FROM settlement WHERE settlement_id = ?", settlement_id
        )
    )
    assert found is not None
    return found


async def test_promise_9_an_owner_with_home_assistant_alone_disputes_what_a_park_has_cut(
    home: Home, world: OwnerWorld, session_id: str
) -> None:
    """What a park corrects downwards becomes final by silence: there must be a way to say no."""
    first = await delivered(home, world, session_id)
    path = f"/v1/park/settlements/{first['settlement_id']}/correction"
    await world.park.post(path, {"delivered_wh": 1, "reason": "a guess"})
    await until(
        lambda: home.state("event", world.owner_id, "rewards").attributes.get("version") == 2
    )
    cut = home.state("event", world.owner_id, "rewards").attributes
    assert cut["reason"] == "a guess"

    told = (await home.act("get_settlement"))["settlement"]
    assert (told["version"], told["delivered_wh"], told["reason"]) == (2, 1, "a guess")
    assert told["settlement_id"] == cut["settlement_id"]
    assert told["dispute_until"] == cut["dispute_until"]
    (last,) = home.state("sensor", world.owner_id, "deal_state").attributes["last_deals"]
    assert last["settlement_id"] == cut["settlement_id"]
    assert last["dispute_until"] is not None

    seen = {"measured_at": world.at(0), "export_register_kwh": world.exported_wh / 1000}
    answer = await home.act("dispute_settlement", {"reason": "It was 0.5 kWh", "evidence": [seen]})
    assert answer["settlement"]["state"] == "disputed"
    await reward_event(home, world, "settlement_disputed")
    kept = await stored(world, cut["settlement_id"])
    assert str(world.exported_wh) in kept["dispute"]
    assert "It was 0.5 kWh" in kept["dispute"]

    world.clock.ahead += timedelta(hours=2)
    await world.tick()
    now = await stored(world, cut["settlement_id"])
    assert now["state"] == "disputed", "silence of the park makes no disputed settlement final"


async def test_a_settlement_is_agreed_to_by_a_person_and_by_nothing_else(
    home: Home, world: OwnerWorld, session_id: str, hass_admin_user: Any, hass_read_only_user: Any
) -> None:
    """Agreeing ends the time to object: no automation, and nobody whose yes does not count."""
    settled = await delivered(home, world, session_id)
    await home.act("dispute_settlement", {"reason": "Let me look"})
    await reward_event(home, world, "settlement_disputed")

    for context, why in (
        (Context(), "only_a_person_agrees"),
        (Context(user_id=hass_read_only_user.id), "not_your_decision"),
    ):
        with pytest.raises(ServiceValidationError) as refused:
            await home.act("confirm_settlement", context=context)
        assert refused.value.translation_key == why
    assert (await _now(world, settled))["owner_confirmed_at"] is None

    await home.act("confirm_settlement", context=Context(user_id=hass_admin_user.id))
    assert (await _now(world, settled))["owner_confirmed_at"] is not None
    await world.park.post(f"/v1/park/settlements/{settled['settlement_id']}/confirmation")
    await reward_event(home, world, "settlement_final")
    with pytest.raises(ServiceValidationError) as late:
        await home.act(
            "dispute_settlement", {"settlement_id": settled["settlement_id"], "reason": "No"}
        )
    assert late.value.translation_key == "conflict"


async def test_an_older_settlement_is_agreed_to_by_its_cars_people_alone(
    home: Home, world: OwnerWorld, session_id: str
) -> None:
    """Of a deal that this home no longer lists it asked nobody's car: any administrator agreed."""
    settled = await delivered(home, world, session_id)
    (subentry,) = home.entry.subentries.values()
    home.hass.states.async_set("person.li", "home", {"user_id": "li"})
    chosen = {**subentry.data, "drivers": ["person.li"], "admins_answer": False}
    home.hass.config_entries.async_update_subentry(home.entry, subentry, data=chosen)
    await home.hass.async_block_till_done()
    coordinator = home.entry.runtime_data.coordinator
    coordinator.data = replace(coordinator.data, commitments={})
    named = {"settlement_id": settled["settlement_id"]}
    with pytest.raises(ServiceValidationError) as refused:
        await home.act("confirm_settlement", named, context=Context(user_id="anna"))
    assert refused.value.translation_key == "not_your_decision"
    assert (await _now(world, settled))["owner_confirmed_at"] is None
    await home.act("confirm_settlement", named, context=Context(user_id="li"))
    assert (await _now(world, settled))["owner_confirmed_at"] is not None


async def test_an_action_about_a_settlement_says_when_there_is_none(home: Home) -> None:
    """And takes no reason that says nothing, nor a reading that no meter shows."""
    for action, data in (("get_settlement", {}), ("dispute_settlement", {"reason": "No"})):
        with pytest.raises(ServiceValidationError) as none:
            await home.act(action, data)
        assert none.value.translation_key == "no_settlement"
    endless = {"measured_at": "2026-12-01T00:00:00Z", "export_register_kwh": float("inf")}
    for data in ({}, {"reason": ""}, {"reason": "No", "evidence": [endless]}):
        with pytest.raises(probatio.Invalid):
            await home.act("dispute_settlement", data)


async def _now(world: OwnerWorld, settled: Any) -> Any:
    """Return a settlement as its owner reads it now."""
    return await world.phone.get(f"/v1/settlements/{settled['settlement_id']}")
