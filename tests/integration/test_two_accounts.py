"""Two accounts in one home, each with an agent of its own: what is meant for both, and what not."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import device_registry as dr
import pytest

from custom_components.v2g_owner.const import DOMAIN
from custom_components.v2g_owner.voice import Speaker, async_stop_all

from .conftest import Home, until
from .entries import paired_entry, vehicle_subentry
from .owner_world import OwnerWorld, open_owner_world

# More than --fast has time for.
pytestmark = pytest.mark.slow


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account, its agent and the car in it."""

    home: Home
    world: OwnerWorld
    vehicle_id: str

    @property
    def device_id(self) -> str:
        """The id of the car's device."""
        device = dr.async_get(self.home.hass).async_get_device_by_identifier(
            (DOMAIN, self.vehicle_id), self.home.entry.entry_id
        )
        assert device is not None
        return device.id

    async def stops(self) -> int:
        """Return how often the agent was asked to stop."""
        found = await self.world.agent.store.read(
            lambda tx: tx.one("SELECT count(*) AS stops FROM idempotency WHERE route LIKE '%stops'")
        )
        assert found is not None
        return int(found["stops"])

    async def accepted(self) -> str:
        """Have an offer accepted; returns the deal."""
        await self.home.reaches("sensor", self.vehicle_id, "soc", "80.0")
        session_id = await self.world.plug_in(await self.world.join(self.vehicle_id))
        await self.world.offer(session_id)
        await self.home.reaches("sensor", self.world.owner_id, "open_offers", "1")
        named = {"config_entry": self.home.entry.entry_id}
        answer = await self.home.act("accept_offer", named, context=Context(user_id="li"))
        await self.home.reaches("sensor", self.world.owner_id, "deal_state", "pending_award")
        return str(answer["answer"]["commitment_id"])

    async def is_stopped(self, commitment_id: str) -> bool:
        """Tell whether a deal was stopped."""
        deal = await self.world.phone.get(f"/v1/commitments/{commitment_id}")
        return bool(deal["state"] == "revoked")


@pytest.fixture
def first(home: Home, world: OwnerWorld, vehicle_id: str) -> Account:
    """Return the first account."""
    return Account(home=home, world=world, vehicle_id=vehicle_id)


@pytest.fixture
async def second(hass: HomeAssistant, first: Account, tmp_path: Path) -> AsyncIterator[Account]:
    """Add another owner's account, at another agent."""
    (tmp_path / "second").mkdir()
    async with open_owner_world(tmp_path / "second") as world:
        vehicle_id = await world.add_vehicle()
        entry = await paired_entry(hass, world, [vehicle_subentry(vehicle_id)])
        assert await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done()
        yield Account(home=Home(hass, entry), world=world, vehicle_id=vehicle_id)
        if entry.state is ConfigEntryState.LOADED:
            await hass.config_entries.async_unload(entry.entry_id)


# --- stop


async def test_promise_4_stop_without_an_account_stops_the_deals_of_all(
    first: Account, second: Account
) -> None:
    """Promise 4: who says stop need not know that there are two."""
    deals = [await each.accepted() for each in (first, second)]
    answer = await first.home.act("stop")
    ended = {deal["commitment_id"] for stop in answer["stops"] for deal in stop["commitments"]}
    assert ended == set(deals)
    assert await first.is_stopped(deals[0])
    assert await second.is_stopped(deals[1])


async def test_promise_4_an_account_that_is_not_connected_keeps_no_other_from_stopping(
    first: Account, second: Account
) -> None:
    """Promise 4: and it is said that one could not be told."""
    deal = await second.accepted()
    await first.home.hass.config_entries.async_unload(first.home.entry.entry_id)
    with pytest.raises(HomeAssistantError) as told:
        await second.home.act("stop")
    assert told.value.translation_key == "stop_not_told"
    assert await second.is_stopped(deal)


async def test_promise_4_an_agent_that_is_away_keeps_no_other_from_stopping(
    first: Account, second: Account
) -> None:
    """Promise 4: also where the account had been connected."""
    deal = await second.accepted()
    await first.world.stop_server()
    with pytest.raises(HomeAssistantError) as told:
        await second.home.act("stop")
    assert told.value.translation_key == "stop_not_told"
    assert await second.is_stopped(deal)
    await first.world.start_server()


async def test_promise_4_a_deal_is_stopped_at_the_account_that_holds_it_and_no_other_is_asked(
    first: Account, second: Account
) -> None:
    """Promise 4: what one operator's deal is called is nothing for another operator."""
    deal = await second.accepted()
    await first.home.hass.config_entries.async_unload(first.home.entry.entry_id)
    await first.home.hass.config_entries.async_setup(first.home.entry.entry_id)
    answer = await first.home.act("stop", {"commitment_id": deal})
    assert [each["commitment_id"] for each in answer["stops"][0]["commitments"]] == [deal]
    assert await second.is_stopped(deal)
    assert await first.stops() == 0


async def test_promise_4_a_deal_that_no_account_has_heard_of_yet_is_asked_of_all(
    first: Account, second: Account
) -> None:
    """Promise 4: its news may still be on the way while it delivers."""
    deal = await second.accepted()
    coordinator = second.home.entry.runtime_data.coordinator
    coordinator.data.commitments.pop(deal)
    answer = await first.home.act("stop", {"commitment_id": deal})
    assert len(answer["stops"]) == 1
    assert await second.is_stopped(deal)

    with pytest.raises(ServiceValidationError) as nowhere:
        await first.home.act("stop", {"commitment_id": "com_" + "0" * 32})
    assert nowhere.value.translation_key == "not_found"
    # An account that is not connected may be the one that holds it.
    await first.home.hass.config_entries.async_unload(first.home.entry.entry_id)
    with pytest.raises(HomeAssistantError) as told:
        await first.home.act("stop", {"commitment_id": "com_" + "0" * 32})
    assert told.value.translation_key == "stop_not_told"


async def test_promise_4_a_refusal_of_one_agent_does_not_hide_that_another_was_not_told(
    first: Account, second: Account
) -> None:
    """Promise 4: "unplug to stop now" is what the owner must read."""
    await second.world.stop_server()
    with pytest.raises(HomeAssistantError) as told:
        await first.home.act("stop", {"commitment_id": "com_" + "0" * 32})
    assert told.value.translation_key == "stop_not_told"
    await second.world.start_server()


async def test_promise_4_stop_for_one_named_account_leaves_the_other_alone(
    first: Account, second: Account
) -> None:
    """Naming one is still possible."""
    deals = [await each.accepted() for each in (first, second)]
    await first.home.act("stop", {"config_entry": second.home.entry.entry_id})
    assert await second.is_stopped(deals[1])
    assert not await first.is_stopped(deals[0])


async def test_promise_4_stop_aloud_reaches_every_account(first: Account, second: Account) -> None:
    """Promise 4: the same for voice and for the action."""
    deals = [await each.accepted() for each in (first, second)]
    await async_stop_all(
        first.home.hass, Speaker(user_id="li", device_id=None, turn="1", language="en")
    )
    assert await first.is_stopped(deals[0])
    assert await second.is_stopped(deals[1])


async def test_stop_without_any_account_says_that_there_is_none(
    hass: HomeAssistant, home: Home
) -> None:
    """Nobody is left believing that something was stopped."""
    await hass.config_entries.async_remove(home.entry.entry_id)
    with pytest.raises(ServiceValidationError) as none:
        await home.act("stop")
    assert none.value.translation_key == "no_account"


# --- parks


async def test_a_park_is_joined_for_one_account_at_a_time_and_the_cars_of_others_are_named(
    first: Account, second: Account
) -> None:
    """Each owner agrees for their own cars; nobody's car is told to another's operator."""
    body = {
        "device_id": [first.device_id, second.device_id],
        "park_id": first.world.park.party_id,
        "terms_version": 1,
    }
    await second.world.phone.patch(f"/v1/vehicles/{second.vehicle_id}", {"display_name": "Red car"})
    coordinator = second.home.entry.runtime_data.coordinator
    await until(lambda: coordinator.data.vehicles[second.vehicle_id].display_name == "Red car")
    with pytest.raises(ServiceValidationError) as refused:
        await first.home.act("join_park", body)
    assert refused.value.translation_key == "several_accounts"
    placeholders = refused.value.translation_placeholders
    assert placeholders == {"vehicles": "Red car", "account": first.home.entry.title}
    for each in (first, second):
        assert (await each.world.park.get("/v1/park/members"))["items"] == []
    twice = body | {"device_id": [first.device_id, first.device_id]}
    await first.home.act("join_park", twice, context=Context(user_id="somebody"))
    assert len((await first.world.park.get("/v1/park/members"))["items"]) == 1
