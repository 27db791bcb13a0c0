"""An owner's name and currency through Home Assistant, for who has no other device."""

from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from .conftest import Home, until
from .owner_world import OwnerWorld
from .test_devices import configure, send

# More than --fast has time for.
pytestmark = pytest.mark.slow


def values(flow: Any) -> dict[str, Any]:
    """Return what a form shows."""
    return {str(key): key.description["suggested_value"] for key in flow["data_schema"].schema}


async def test_an_owner_with_home_assistant_alone_changes_their_name_and_currency(
    home: Home, world: OwnerWorld
) -> None:
    flow = await configure(home, "account")
    me = await world.phone.get("/v1/me")
    assert values(flow) == {"display_name": me["display_name"], "currency": "CNY"}
    done = await send(home, flow, display_name="Li Na", currency="hkd ")
    assert done["reason"] == "account_changed"
    me = await world.phone.get("/v1/me")
    assert (me["display_name"], me["currency"]) == ("Li Na", "HKD")
    known = home.entry.runtime_data.coordinator
    await until(lambda: known.data.owner.currency == "HKD")


async def test_a_form_that_a_phone_has_overtaken_shows_the_newest_name(
    home: Home, world: OwnerWorld
) -> None:
    flow = await configure(home, "account")
    await world.phone.patch("/v1/me", {"display_name": "Li Na"})
    flow = await send(home, flow, display_name="Li Wei", currency="HKD")
    assert flow["errors"] == {"base": "changed_meanwhile"}
    assert values(flow) == {"display_name": "Li Na", "currency": "CNY"}
    assert (await world.phone.get("/v1/me"))["currency"] == "CNY"


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "End your live deals first"), ("zh-Hans", "请先结束进行中的交易")],
)
async def test_promise_8_why_a_currency_stays_is_said_in_the_owners_language(
    hass: HomeAssistant, home: Home, world: OwnerWorld, session_id: str, language: str, said: str
) -> None:
    hass.config.language = language
    offer = await world.offer(session_id)
    named = {key: offer[key] for key in ("offer_id", "revision", "terms_sha256")}
    await world.phone.post("/v1/decisions", {**named, "decision": "accept", "method": "tap"})
    flow = await configure(home, "account")
    done = await send(home, flow, display_name="Li Wei", currency="HKD")
    assert done["reason"] == "refused"
    assert said in done["description_placeholders"]["detail"]


async def test_what_is_no_name_and_no_currency_is_refused_with_the_reason(
    home: Home, world: OwnerWorld
) -> None:
    for wrong in ({"display_name": " "}, {"currency": "yuan!"}):
        flow = await configure(home, "account")
        done = await send(home, flow, **({"display_name": "Li Wei", "currency": "CNY"} | wrong))
        assert done["reason"] == "refused", wrong
    assert (await world.phone.get("/v1/me"))["currency"] == "CNY"
