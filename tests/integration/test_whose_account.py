"""Who may loosen what is the account's, and not one car's: a charger, the zone, the log, a link."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest

from custom_components.v2g_owner.const import DOMAIN

from .charger_world import PLUG, SOC
from .conftest import Home, until
from .owner_world import OwnerWorld
from .test_whose_form_loosens import FLOWS, li_alone, mapping, token_of

__all__ = ["li_alone"]
# More than --fast has time for.
pytestmark = pytest.mark.slow

GARAGE: dict[str, Any] = {
    "display_name": "Garage",
    "evse_id": "HOME1",
    "max_charge_kw": 11,
    "max_discharge_kw": 5,
}


@pytest.fixture(autouse=True)
async def served(hass: HomeAssistant, home: Home, li_alone: None) -> None:
    """Serve the forms and repairs of a home in which Li's yes counts, and Anna's does not."""
    for name in ("config", "repairs"):
        assert await async_setup_component(hass, name, {})


async def fill(
    hass: HomeAssistant, client: Any, who: str, kind: str, *sent: Any, about: Any = None
) -> Any:
    """Go through the forms of a car or charger as somebody; returns what the last one says."""
    http = await client(await token_of(hass, who))
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    handler: dict[str, Any] = {"handler": [entry.entry_id, kind], **(about or {})}
    answer = await (await http.post(FLOWS, json=handler)).json()
    for each in sent:
        body = {"next_step_id": each} if isinstance(each, str) else each
        answered = await http.post(f"{FLOWS}/{answer['flow_id']}", json=body)
        answer = await answered.json()
        assert answered.status == 200, answer
    await hass.async_block_till_done()
    return answer


async def test_promise_1_to_unlink_a_car_and_link_it_anew_makes_nobodys_yes_count(
    hass: HomeAssistant, home: Home, vehicle_id: str, hass_client: Any
) -> None:
    """An administrator whose yes did not count unlinked the car, and then it did."""
    (subentry_id,) = home.entry.subentries
    hass.config_entries.async_remove_subentry(home.entry, subentry_id)
    await hass.async_block_till_done()
    entities = {"soc_entity": SOC, "plugged_entity": PLUG, "power_sign": "charging_positive"}
    made = await fill(hass, hass_client, "anna", "vehicle", {"link": vehicle_id}, entities)
    assert made["type"] == "create_entry", made
    linked = mapping(home)
    assert linked["vehicle_id"] == vehicle_id
    assert (linked["drivers"], linked["admins_answer"]) == (["person.li"], False)


async def test_promise_2_who_may_not_say_yes_makes_no_charger_stronger(
    hass: HomeAssistant, home: Home, world: OwnerWorld, hass_client: Any
) -> None:
    """What a charger at home can put back is counted on before its car leaves."""
    refused = await fill(hass, hass_client, "anna", "charger", GARAGE, {})
    assert refused["errors"] == {"base": "not_yours_to_allow"}
    made = await fill(hass, hass_client, "li", "charger", GARAGE, {})
    assert made["type"] == "create_entry", made
    (charger,) = (await world.phone.get("/v1/chargers"))["items"]
    path = f"/v1/chargers/{charger['charger_id']}"
    subentry = home.entry.get_subentries_of_type("charger")[0]
    about = {"subentry_id": subentry.subentry_id}
    stronger: dict[str, Any]
    for stronger in ({"max_charge_kw": 22}, {"max_discharge_kw": 9}, {"evse_id": "HOME2"}):
        sent = "refacts", GARAGE | stronger
        refused = await fill(hass, hass_client, "anna", "charger", *sent, about=about)
        assert refused["errors"] == {"base": "not_yours_to_allow"}, stronger
        known = await world.phone.get(path)
        assert (known["max_charge_w"], known["max_discharge_w"]) == (11_000, 5_000)
    weaker = GARAGE | {"max_charge_kw": 7, "display_name": "Carport"}
    taken = await fill(hass, hass_client, "anna", "charger", "refacts", weaker, about=about)
    assert not taken.get("errors")
    assert (await world.phone.get(path))["max_charge_w"] == 7_000


async def test_promise_1_who_may_not_say_yes_makes_no_least_price_another_money(
    hass: HomeAssistant, home: Home, world: OwnerWorld, hass_client: Any
) -> None:
    """One yuan and a fifth are not one dong and a fifth; their name anybody may mend."""
    path = "/api/config/config_entries/options/flow"
    for who, currency, reason in (
        ("anna", "VND", "refused"),
        ("anna", "CNY", "account_changed"),
        ("li", "VND", "account_changed"),
    ):
        http = await hass_client(await token_of(hass, who))
        menu = await (await http.post(path, json={"handler": home.entry.entry_id})).json()
        form: dict[str, Any]
        for form in ({"next_step_id": "account"}, {"display_name": who, "currency": currency}):
            answered = await http.post(f"{path}/{menu['flow_id']}", json=form)
        assert (await answered.json())["reason"] == reason, (who, currency)
        assert (await world.phone.get("/v1/me"))["currency"] == ("VND" if who == "li" else "CNY")


async def mend(hass: HomeAssistant, client: Any, who: str, issue_id: str) -> Any:
    """Submit a repair as somebody."""
    http = await client(await token_of(hass, who))
    body = {"handler": DOMAIN, "issue_id": issue_id}
    form = await (await http.post("/api/repairs/issues/fix", json=body)).json()
    sent = await http.post(f"/api/repairs/issues/fix/{form['flow_id']}", json={})
    return await sent.json()


async def test_promise_1_the_zone_and_the_log_are_not_given_up_by_who_may_not_say_yes(
    hass: HomeAssistant, home: Home, world: OwnerWorld, hass_client: Any
) -> None:
    """By the zone budgets begin and rules speak; by the log its owner is not lied to."""
    await hass.config.async_set_time_zone("Asia/Shanghai")
    await world.phone.patch("/v1/me", {"time_zone": "UTC"})
    for key, fix in (("other_time_zone", "take_zone"), ("log_rewritten", "start_over")):
        if fix == "start_over":
            ir.async_create_issue(
                hass,
                DOMAIN,
                key,
                data={"entry_id": home.entry.entry_id, "fix": fix},
                is_fixable=True,
                severity=ir.IssueSeverity.ERROR,
                translation_key=key,
            )
        issue = await until(lambda key=key: raised(hass, key))
        refused = await mend(hass, hass_client, "anna", issue.issue_id)
        assert (refused["type"], refused["reason"]) == ("abort", "refused")
        assert "Only this car's people" in refused["description_placeholders"]["detail"]
        assert (await world.phone.get("/v1/me"))["time_zone"] == (
            "UTC" if fix == "take_zone" else "Asia/Shanghai"
        )
        mended = await mend(hass, hass_client, "li", issue.issue_id)
        assert mended["type"] == "create_entry", mended


def raised(hass: HomeAssistant, key: str) -> ir.IssueEntry | None:
    """Return the repair with a text, if it is shown."""
    issues = ir.async_get(hass).issues.values()
    return next((each for each in issues if each.translation_key == key and each.active), None)
