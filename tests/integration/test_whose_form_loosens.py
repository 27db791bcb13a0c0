"""Who may let more be sold by a form: a rule is a yes in advance, a fact may be half of one."""

from collections.abc import Awaitable, Callable
from typing import Any

from homeassistant.auth.models import User
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest

from owner_api.commands import parks

from .conftest import Home, until
from .owner_world import OwnerWorld

# More than --fast has time for.
pytestmark = pytest.mark.slow

FLOWS = "/api/config/config_entries/subentries/flow"
type Forms = Callable[..., Awaitable[Any]]


async def person(hass: HomeAssistant, user_id: str) -> User:
    """Return one of the home's administrators."""
    user = await hass.auth.async_get_user(user_id)
    assert user is not None
    return user


@pytest.fixture
async def li_alone(hass: HomeAssistant, home: Home) -> None:
    """Let Li's yes count for the car, and no administrator's: Anna's does not."""
    hass.states.async_set("person.li", "home", {"user_id": "li"})
    # One of a home's administrators is its owner, and that is neither of these two.
    for user_id in ("anna", "li"):
        (await person(hass, user_id)).is_owner = False
        await hass.auth.async_update_user(await person(hass, user_id), group_ids=["system-admin"])
    (subentry,) = home.entry.subentries.values()
    chosen = {**subentry.data, "drivers": ["person.li"], "admins_answer": False}
    hass.config_entries.async_update_subentry(home.entry, subentry, data=chosen)
    await hass.async_block_till_done()


@pytest.fixture
async def forms(hass: HomeAssistant, home: Home, li_alone: None, hass_client: Any) -> Forms:
    """Go through the car's forms as somebody: by menus (a step's name) and what is typed."""
    assert await async_setup_component(hass, "config", {})

    async def fill(who: str, *sent: str | dict[str, Any]) -> Any:
        http = await hass_client(await token_of(hass, who))
        (subentry,) = home.entry.subentries.values()
        about = {"handler": [home.entry.entry_id, "vehicle"], "subentry_id": subentry.subentry_id}
        answer = await (await http.post(FLOWS, json=about)).json()
        for each in sent:
            body = {"next_step_id": each} if isinstance(each, str) else each
            answered = await http.post(f"{FLOWS}/{answer['flow_id']}", json=body)
            answer = await answered.json()
            assert answered.status == 200, answer
        await hass.async_block_till_done()
        return answer

    return fill


async def token_of(hass: HomeAssistant, who: str) -> str:
    """Return what lets somebody send requests."""
    user = await person(hass, who)
    tokens = await hass.auth.async_create_refresh_token(user, "https://home.example")
    return hass.auth.async_create_access_token(tokens)


async def kept(world: OwnerWorld, vehicle_id: str) -> Any:
    """Return a car and its preferences, as its agent knows them."""
    path = f"/v1/vehicles/{vehicle_id}"
    return await world.phone.get(path), await world.phone.get(f"{path}/preferences")


def mapping(home: Home) -> dict[str, Any]:
    """Return what the home itself keeps of the car."""
    (subentry,) = home.entry.subentries.values()
    return dict(subentry.data)


async def wish(home: Home, world: OwnerWorld, vehicle_id: str, **wishes: Any) -> Any:
    """Change preferences by phone, and wait until the home has heard of it."""
    answer = await world.phone.patch(f"/v1/vehicles/{vehicle_id}/preferences", wishes)
    known = home.entry.runtime_data.coordinator
    await until(lambda: known.data.preferences[vehicle_id].revision == answer["revision"])
    return answer


RULE: dict[str, Any] = {"name": "Evenings", "min_price": 1.2, "counter": False, "enabled": True}
FACTS: dict[str, Any] = {
    "display_name": "Blue car",
    "capacity_kwh": 60,
    "max_charge_kw": 7,
    "max_discharge_kw": 7,
    "chemistry": "unknown",
    "warranty_discharge_policy": "capped",
    "warranty_total_kwh": 900,
}
LOOSER: dict[str, tuple[str | dict[str, Any], ...]] = {
    "a new rule": ("rules", "rule_add", RULE, "rule_save"),
    "a new rule that answers at once": ("rules", "rule_add", RULE, "rule_save_and_answer"),
    "rules that answer": ("rules", "rules_answer"),
    "another kind of pay": ("pay", {"accepted_reward_kinds": ["cash", "voucher"]}),
    "a worth of points": (
        "pay",
        {"accepted_reward_kinds": ["cash"], "in_kind_rates": [{"unit": "XPOINT", "worth": 9}]},
    ),
    "a warranty that bears more": ("refacts", {**FACTS, "warranty_total_kwh": 9_000}),
    "a warranty that bears all": ("refacts", {**FACTS, "warranty_discharge_policy": "allowed"}),
    "a bigger battery": ("refacts", {**FACTS, "capacity_kwh": 120}),
    "a car that loses less on the way in": ("refacts", {**FACTS, "charge_efficiency": 99}),
    "a car that loses less on the way out": ("refacts", {**FACTS, "discharge_efficiency": 99}),
    "a battery that fills faster": ("filling", {"taper": [{"from_pct": 80, "at_most_kw": 9}]}),
    "a battery that fills evenly": ("filling", {}),
    "cheaper charging": ("tariff", "price_fixed", {"price": 0.1}),
    "another sensor that tells what charging costs": (
        "tariff",
        "price_entity",
        {"price_entity": "sensor.cheap"},
    ),
    "administrators who answer": ("drivers", {"admins_answer": True}),
    "another person who answers": (
        "drivers",
        {"drivers": ["person.li", "person.anna"], "admins_answer": False},
    ),
}


@pytest.fixture
async def strict(world: OwnerWorld, home: Home, vehicle_id: str) -> None:
    """Let the car have a rule, a capped warranty and a battery that fills slowly."""
    home.hass.states.async_set("sensor.cheap", "0.01", {"unit_of_measurement": "CNY/kWh"})
    await wish(home, world, vehicle_id, rules=[{"name": "Mornings", "min_price_per_kwh": "2"}])
    body = {
        "warranty_discharge_policy": "capped",
        "lifetime_discharge_cap_wh": 900_000,
        "taper": [{"from_soc_pct": 70, "max_charge_w": 4_000}],
    }
    answer = await world.phone.patch(f"/v1/vehicles/{vehicle_id}", body)
    known = home.entry.runtime_data.coordinator
    await until(lambda: known.data.vehicles[vehicle_id].revision >= answer["revision"])


@pytest.mark.parametrize("sent", LOOSER.values(), ids=LOOSER)
async def test_promise_1_who_may_not_say_yes_loosens_nothing_by_a_form_either(
    home: Home,
    world: OwnerWorld,
    vehicle_id: str,
    strict: None,
    forms: Forms,
    sent: tuple[str | dict[str, Any], ...],
) -> None:
    """Promise 1: an administrator whose answers do not count had the car sold by a rule."""
    before, data = await kept(world, vehicle_id), mapping(home)
    refused = await forms("anna", *sent)
    assert refused["errors"] == {"base": "not_yours_to_allow"}
    assert refused["description_placeholders"]["vehicle"] == "Blue car"
    assert await kept(world, vehicle_id) == before
    assert mapping(home) == data
    taken = await forms("li", *sent)
    assert not taken.get("errors")
    assert mapping(home) != data or await kept(world, vehicle_id) != before


async def test_what_tightens_is_open_to_every_administrator(
    home: Home, world: OwnerWorld, vehicle_id: str, strict: None, forms: Forms
) -> None:
    """Whoever sees that too much would be sold need not wait for somebody else."""
    (rule,) = (await kept(world, vehicle_id))[1]["rules"]
    pick = {"rule": rule["rule_id"], "act": "change"}
    dearer = {"name": "Mornings", "min_price": 3, "counter": False, "enabled": True}
    off = {"name": "Later", "counter": False, "enabled": False}
    for sent in (
        ("rules", "rule_pick", pick, dearer, "rule_save"),
        ("rules", "rule_add", off, "rule_save"),
        ("rules", "rule_pick", {**pick, "act": "switch"}),
        ("rules", "rule_pick", {**pick, "act": "remove"}),
        ("refacts", {**FACTS, "display_name": "Old car", "capacity_kwh": 55}),
        ("refacts", {**FACTS, "capacity_kwh": 55, "discharge_efficiency": 80}),
        ("refacts", {**FACTS, "capacity_kwh": 55, "warranty_discharge_policy": "prohibited"}),
        ("filling", {"taper": [{"from_pct": 60, "at_most_kw": 3}]}),
        ("tariff", "price_fixed", {"price": 5}),
        ("drivers", {"drivers": ["person.li"], "admins_answer": False, "asked_phones": []}),
    ):
        told = await forms("anna", *sent)
        assert not told.get("errors"), (sent, told)
    vehicle, wishes = await kept(world, vehicle_id)
    assert [each["name"] for each in wishes["rules"]] == ["Later"]
    assert vehicle["usable_capacity_wh"] == 55_000
    assert vehicle["warranty_discharge_policy"] == "prohibited"


async def test_promise_1_who_may_not_say_yes_wakes_no_rule_and_widens_none(
    home: Home, world: OwnerWorld, vehicle_id: str, strict: None, forms: Forms
) -> None:
    """Promise 1: what is switched off, or asks for more, does not answer as it is."""
    asleep = {"name": "Asleep", "enabled": False}
    rules = (await kept(world, vehicle_id))[1]["rules"]
    await wish(home, world, vehicle_id, rules=[*rules, asleep])
    awake, off = (await kept(world, vehicle_id))[1]["rules"]
    wider = {"name": "Mornings", "min_price": 1, "counter": False, "enabled": True}
    for sent in (
        ("rules", "rule_pick", {"rule": off["rule_id"], "act": "switch"}, "rule_save"),
        ("rules", "rule_pick", {"rule": awake["rule_id"], "act": "change"}, wider, "rule_save"),
    ):
        refused = await forms("anna", *sent)
        assert refused["errors"] == {"base": "not_yours_to_allow"}
    assert (await kept(world, vehicle_id))[1]["rules"] == [awake, off]


async def test_the_owner_of_the_home_says_whose_yes_counts_where_nobody_else_could(
    hass: HomeAssistant, home: Home, forms: Forms
) -> None:
    """Else a home whose forms are closed to all whose yes counts could never change it."""
    (await person(hass, "anna")).is_owner = True
    told = await forms("anna", "drivers", {"admins_answer": True})
    assert told["reason"] == "reconfigure_successful"
    (subentry,) = home.entry.subentries.values()
    assert subentry.data["admins_answer"] is True


async def test_promise_1_a_parks_new_terms_are_not_agreed_to_by_who_may_not_say_yes(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    vehicle_id: str,
    forms: Forms,
    hass_client: Any,
) -> None:
    """Promise 1: to join a park asks whose yes counts, and so do its new terms."""
    await world.join(vehicle_id)
    await world.agent.store.write(
        lambda tx: parks.set_terms(tx, park_id=world.park.party_id, terms_text="Six hours.")
    )
    await home.entry.runtime_data.coordinator.async_refresh()
    issue = await until(lambda: terms_issue(hass))
    assert await async_setup_component(hass, "repairs", {})
    for who, kind in (("anna", "abort"), ("li", "create_entry")):
        http = await hass_client(await token_of(hass, who))
        body = {"handler": "v2g_owner", "issue_id": issue.issue_id}
        form = await (await http.post("/api/repairs/issues/fix", json=body)).json()
        sent = await http.post(f"/api/repairs/issues/fix/{form['flow_id']}", json={})
        answer = await sent.json()
        assert answer["type"] == kind, answer
        if who == "anna":
            assert "Only this car's people" in answer["description_placeholders"]["detail"]


def terms_issue(hass: HomeAssistant) -> ir.IssueEntry | None:
    """Return the repair that shows new terms."""
    issues = ir.async_get(hass).issues.values()
    return next((each for each in issues if (each.data or {}).get("fix") == "read_terms"), None)
