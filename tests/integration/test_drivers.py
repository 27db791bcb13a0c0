"""Whose yes counts for a car that several people drive, and when nobody is asked."""

from typing import Any

from homeassistant.core import Context, HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from .conftest import Home
from .owner_world import OwnerWorld

# More than --fast has time for.
pytestmark = pytest.mark.slow


async def choose(home: Home, **form: Any) -> Any:
    """Open the car's form and set whose yes counts."""
    hass = home.hass
    (subentry,) = home.entry.subentries.values()
    menu = await home.entry.start_subentry_reconfigure_flow(hass, subentry.subentry_id)
    assert "drivers" in menu["menu_options"]
    configure = hass.config_entries.subentries.async_configure
    await configure(menu["flow_id"], {"next_step_id": "drivers"})
    done = await configure(menu["flow_id"], form)
    await hass.async_block_till_done()
    return done


def person(hass: HomeAssistant, name: str) -> str:
    """Add somebody without rights of an administrator; returns the user's id."""
    user = MockUser(id=f"user_{name}", name=name).add_to_hass(hass)
    user.mock_policy({"entities": True})
    hass.states.async_set(f"person.{name}", "home", {"user_id": user.id})
    return str(user.id)


async def answer(home: Home, action: str, user_id: str) -> Any:
    """Answer the open offer as somebody."""
    return await home.act(action, context=Context(user_id=user_id))


@pytest.fixture
async def offer(home: Home, world: OwnerWorld, session_id: str) -> Any:
    """Return an offer that waits."""
    found = await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    return found


async def test_promise_1_a_guest_cannot_accept_by_action_button_or_counter_but_may_decline(
    home: Home, world: OwnerWorld, offer: Any
) -> None:
    """Promise 1: a yes counts only from those the owner chose; a no from anybody."""
    guest = person(home.hass, "guest")
    for action in ("accept_offer", "counter_offer"):
        with pytest.raises(ServiceValidationError, match="people can accept for Blue car"):
            await answer(home, action, guest)
    with pytest.raises(ServiceValidationError, match="people can accept for Blue car"):
        await home.hass.services.async_call(
            "button",
            "press",
            {"entity_id": home.entity_id("button", world.owner_id, "accept_offer")},
            blocking=True,
            context=Context(user_id=guest),
        )
    with pytest.raises(ServiceValidationError):
        await answer(home, "accept_offer", "nobody_known")
    path = f"/v1/offers/{offer['offer_id']}"
    assert (await world.phone.get(path))["state"] == "presented"
    await answer(home, "decline_offer", guest)
    assert (await world.phone.get(path))["state"] == "declined"


async def test_a_person_of_the_car_may_accept_and_an_administrator_may_be_left_out(
    home: Home, world: OwnerWorld, offer: Any, hass_admin_user: Any
) -> None:
    """The choice is kept when the sensors are changed later."""
    hass = home.hass
    mei = person(hass, "mei")
    refused = await choose(home, drivers=[], admins_answer=False)
    assert refused["type"] is FlowResultType.FORM
    assert refused["errors"] == {"base": "nobody_answers"}
    done = await choose(home, drivers=["person.mei"], admins_answer=False)
    assert done["reason"] == "reconfigure_successful"
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    with pytest.raises(ServiceValidationError):
        await answer(home, "accept_offer", hass_admin_user.id)
    (subentry,) = home.entry.subentries.values()
    menu = await home.entry.start_subentry_reconfigure_flow(hass, subentry.subentry_id)
    configure = hass.config_entries.subentries.async_configure
    await configure(menu["flow_id"], {"next_step_id": "remap"})
    (subentry,) = home.entry.subentries.values()
    mapped = {key: subentry.data[key] for key in ("soc_entity", "plugged_entity", "power_sign")}
    await configure(menu["flow_id"], mapped)
    await hass.async_block_till_done()
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    accepted = await answer(home, "accept_offer", mei)
    assert accepted["answer"]["decision"]["actor"] == {"user": mei}


def phone(hass: HomeAssistant, name: str, **of: Any) -> str:
    """Add a phone with the app, of somebody or of nobody known; returns the device's id."""
    entry = MockConfigEntry(domain="mobile_app", title=name, data=of)
    entry.add_to_hass(hass)
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id, identifiers={("mobile_app", name)}, name=name
    )
    return device.id


async def asked(home: Home) -> list[str]:
    """Return the phones that are asked about the open offer."""
    (listed,) = (await home.act("list_offers"))["offers"]
    return list(listed["asked_phones"])


async def test_the_phones_asked_are_those_of_whose_yes_counts_until_the_owner_chooses_others(
    home: Home, world: OwnerWorld, offer: Any, hass_admin_user: Any
) -> None:
    """A guest's phone is not asked, nor that of somebody who left; one of nobody known is."""
    hass = home.hass
    mei, guest, left = (person(hass, name) for name in ("mei", "guest", "left"))
    former = await hass.auth.async_get_user(left)
    assert former is not None
    former.is_active = False
    hers = phone(hass, "mei", user_id=mei)
    phone(hass, "guest", user_id=guest)
    phone(hass, "left", user_id=left)
    tablet = phone(hass, "tablet")
    admins = phone(hass, "admin", user_id=hass_admin_user.id)
    assert sorted(await asked(home)) == sorted([tablet, admins])
    await choose(home, drivers=["person.mei", "person.gone"], admins_answer=False)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    assert sorted(await asked(home)) == sorted([tablet, hers])
    await choose(home, drivers=["person.mei"], admins_answer=True, asked_phones=[admins])
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    assert await asked(home) == [admins]


async def test_about_a_car_that_is_not_linked_here_only_administrators_answer(
    home: Home, world: OwnerWorld, offer: Any, hass_admin_user: Any
) -> None:
    """Nothing was chosen for it, so what holds is what holds without a choice."""
    hass = home.hass
    (subentry_id,) = home.entry.subentries
    hass.config_entries.async_remove_subentry(home.entry, subentry_id)
    await hass.async_block_till_done()
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    with pytest.raises(ServiceValidationError, match="people can accept"):
        await answer(home, "accept_offer", person(hass, "guest"))
    accepted = await answer(home, "accept_offer", hass_admin_user.id)
    assert accepted["offer_id"] == offer["offer_id"]


async def test_promise_1_to_unlink_a_car_makes_nobody_elses_yes_count(
    home: Home, world: OwnerWorld, offer: Any, hass_admin_user: Any
) -> None:
    """Promise 1: an administrator who had been left out unlinked the car, and said yes for it."""
    hass = home.hass
    mei = person(hass, "mei")
    await choose(home, drivers=["person.mei"], admins_answer=False)
    (subentry_id,) = home.entry.subentries
    hass.config_entries.async_remove_subentry(home.entry, subentry_id)
    await hass.async_block_till_done()
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    with pytest.raises(ServiceValidationError, match="people can accept"):
        await answer(home, "accept_offer", hass_admin_user.id)
    # Nor after the account was loaded anew.
    assert await hass.config_entries.async_reload(home.entry.entry_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    with pytest.raises(ServiceValidationError, match="people can accept"):
        await answer(home, "accept_offer", hass_admin_user.id)
    accepted = await answer(home, "accept_offer", mei)
    assert accepted["offer_id"] == offer["offer_id"]


async def test_quiet_hours_are_a_switch_and_two_times_and_reach_the_api(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Spans set elsewhere stay; switching off removes all."""
    path = f"/v1/vehicles/{vehicle_id}/preferences"
    assert home.state("switch", vehicle_id, "quiet_hours").state == "off"
    assert home.state("time", vehicle_id, "quiet_start").state == "unavailable"
    await home.set("switch", vehicle_id, "quiet_hours", "turn_on")
    await home.set("time", vehicle_id, "quiet_start", "set_value", time="21:30:00")
    await home.set("time", vehicle_id, "quiet_end", "set_value", time="06:15:00")
    assert (await world.phone.get(path))["quiet_hours"] == [{"start": "21:30", "end": "06:15"}]
    await home.reaches("time", vehicle_id, "quiet_end", "06:15:00")
    noon = {"start": "12:00", "end": "13:00"}
    spans = [{"start": "21:30", "end": "06:15"}, noon]
    await world.phone.patch(path, {"quiet_hours": spans})
    await home.entry.runtime_data.coordinator.async_refresh()
    await home.set("time", vehicle_id, "quiet_start", "set_value", time="22:00:00")
    assert (await world.phone.get(path))["quiet_hours"] == [
        {"start": "22:00", "end": "06:15"},
        noon,
    ]
    await home.set("switch", vehicle_id, "quiet_hours", "turn_on")
    assert len((await world.phone.get(path))["quiet_hours"]) == 2
    await home.set("switch", vehicle_id, "quiet_hours", "turn_off")
    assert (await world.phone.get(path))["quiet_hours"] == []
    await home.reaches("time", vehicle_id, "quiet_end", "unavailable")


async def test_quiet_hours_that_are_switched_off_come_back_as_they_were(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Spans set on a phone are no less the owner's: off and on again must not replace them."""
    path = f"/v1/vehicles/{vehicle_id}/preferences"
    spans = [{"start": "23:30", "end": "05:45"}, {"start": "12:00", "end": "13:00"}]

    async def told() -> Any:
        return (await world.phone.get(path))["quiet_hours"]

    await home.set("switch", vehicle_id, "quiet_hours", "turn_on")
    assert await told() == [{"start": "22:00", "end": "07:00"}], "nothing was ever chosen"
    await world.phone.patch(path, {"quiet_hours": spans})
    await home.reaches("time", vehicle_id, "quiet_start", "23:30:00")
    await home.set("switch", vehicle_id, "quiet_hours", "turn_off")
    assert await told() == []
    await home.set("switch", vehicle_id, "quiet_hours", "turn_on")
    assert await told() == spans
    await home.set("switch", vehicle_id, "quiet_hours", "turn_off")
    # Also when Home Assistant was started in between.
    assert await home.hass.config_entries.async_reload(home.entry.entry_id)
    await home.reaches("switch", vehicle_id, "quiet_hours", "off")
    await home.set("switch", vehicle_id, "quiet_hours", "turn_on")
    assert await told() == spans
    # Those that were taken away elsewhere are the last ones as well.
    await world.phone.patch(path, {"quiet_hours": spans[1:]})
    await home.reaches("time", vehicle_id, "quiet_start", "12:00:00")
    await world.phone.patch(path, {"quiet_hours": []})
    await home.reaches("switch", vehicle_id, "quiet_hours", "off")
    await home.set("switch", vehicle_id, "quiet_hours", "turn_on")
    assert await told() == spans[1:]


async def test_limits_that_contradict_each_other_are_refused_with_the_reason(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """The old value stays and is shown."""
    floor = home.state("number", vehicle_id, "soc_floor_pct").state
    with pytest.raises(ServiceValidationError, match="contradict each other"):
        await home.set("number", vehicle_id, "soc_floor_pct", "set_value", value=99)
    assert home.state("number", vehicle_id, "soc_floor_pct").state == floor
