"""Rules that others write at the same time, agents that are away, and what cannot be."""

import asyncio
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.data_entry_flow import FlowResultType
import pytest

from custom_components.v2g_owner.api_errors import OwnerApiConnectionError

from .conftest import Home, until
from .owner_world import OwnerWorld
from .test_rules_flow import (
    OFF,
    act,
    go,
    heard,
    names,
    open_rules,
    read,
    send,
    suggested,
    wishes,
    written,
)
from .test_subentries import change

# More than --fast has time for.
pytestmark = pytest.mark.slow


async def test_a_rule_written_elsewhere_meanwhile_is_not_lost(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Whether Home Assistant has heard of it before it writes, or not."""
    await written(home, world, vehicle_id, "One")
    form = await go(home, await open_rules(home), "rule_add")
    check = await send(home, form, name="Mine", **OFF)
    await written(home, world, vehicle_id, "One", "By phone")
    await go(home, check, "rule_save")
    assert await names(world, vehicle_id) == ["One", "By phone", "Mine"]

    form = await go(home, await open_rules(home), "rule_add")
    check = await send(home, form, name="Late", **OFF)
    coordinator = home.entry.runtime_data.coordinator
    stale = coordinator.data
    await written(home, world, vehicle_id, "Only this")
    coordinator.data = stale
    lost = await go(home, check, "rule_save")
    assert lost["errors"] == {"base": "changed_meanwhile"}
    assert suggested(lost)["name"] == "Late"
    assert await names(world, vehicle_id) == ["Only this"]
    await go(home, await send(home, lost, name="Late", **OFF), "rule_save")
    assert await names(world, vehicle_id) == ["Only this", "Late"]


async def test_two_dialogs_that_save_at_once_lose_neither_rule(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Our own writes queue: the second builds on what the first left."""
    checks = []
    for name in ("One", "Two"):
        form = await go(home, await open_rules(home), "rule_add")
        checks.append(await send(home, form, name=name, **OFF))
    await asyncio.gather(*(go(home, check, "rule_save") for check in checks))
    assert await names(world, vehicle_id) == ["One", "Two"]


async def test_a_rule_that_arrived_although_its_answer_was_lost_is_not_added_twice(
    home: Home, world: OwnerWorld, vehicle_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = await go(home, await open_rules(home), "rule_add")
    check = await send(home, form, name="Once", min_price=1.2, weekdays=["sun"], **OFF)
    api = home.entry.runtime_data.coordinator.api
    patch = api.patch

    async def lost(path: str, body: Any, revision: int) -> Any:
        await heard(home, await patch(path, body, revision))
        raise OwnerApiConnectionError("the link broke")

    with monkeypatch.context() as broken:
        broken.setattr(api, "patch", lost)
        away = await go(home, check, "rule_save")
    assert away["errors"] == {"base": "cannot_connect"}
    flow = await go(home, await send(home, away, **suggested(away)), "rule_save")
    assert await names(world, vehicle_id) == ["Once"]
    assert read(flow) == "1. Once: from 1.20 CNY/kWh, arriving Sunday"


async def test_what_others_did_to_the_rule_that_is_changed_is_shown_first(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Its newest form, that it is gone, or that rules may speak now."""
    path = f"/v1/vehicles/{vehicle_id}/preferences"
    rule_id, _other = await written(home, world, vehicle_id, "One", "Two")
    check = await send(home, await act(home, rule_id, "change"), name="Mine", **OFF)
    theirs = {"rule_id": rule_id, "name": "Theirs", "max_energy_wh": 3_000}
    await heard(home, await world.phone.patch(path, {"rules": [theirs]}))
    lost = await go(home, check, "rule_save")
    assert lost["errors"] == {"base": "changed_meanwhile"}
    assert suggested(lost) == {"name": "Theirs", "max_energy_kwh": 3, **OFF}

    check = await send(home, lost, name="Mine", **OFF)
    await heard(home, await world.phone.patch(path, {"rules": []}))
    gone = await go(home, check, "rule_save")
    assert gone["errors"] == {"base": "rule_gone"}
    check = await send(home, gone, name="Mine", **OFF)
    await heard(home, await world.phone.patch(path, {"consent_mode": "rules"}))
    unseen = await go(home, check, "rule_save")
    assert unseen["errors"] == {"base": "changed_meanwhile"}
    assert await names(world, vehicle_id) == []
    check = await send(home, unseen, name="Mine", **OFF)
    assert read(check, "who_answers") == "Your rules answer offers now."
    await go(home, check, "rule_save")
    assert await names(world, vehicle_id) == ["Mine"]
    await heard(home, await world.phone.patch(path, {"discharge_allowed": False}))
    idle = read(await open_rules(home), "who_answers")
    assert idle.startswith("Your rules answer offers, but Discharging allowed is off")

    flow = await go(home, await open_rules(home), "rule_pick")
    (rule,) = (await wishes(world, vehicle_id))["rules"]
    await written(home, world, vehicle_id, "New")
    refused = await send(home, flow, rule=rule["rule_id"], act="remove")
    assert refused["errors"] == {"base": "changed_meanwhile"}
    assert suggested(refused) == {}, "the one that was meant is not among them"
    assert await names(world, vehicle_id) == ["New"]


async def test_rules_are_let_speak_as_they_were_shown(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Promise 1: nobody says yes to a rule that came after the list was read."""
    path = f"/v1/vehicles/{vehicle_id}/preferences"
    await written(home, world, vehicle_id, "One")
    flow = await open_rules(home)
    await written(home, world, vehicle_id, "One", "Everything")
    unseen = await go(home, flow, "rules_answer")
    assert (unseen["step_id"], unseen["errors"]) == ("rule_pick", {"base": "changed_meanwhile"})
    assert (await wishes(world, vehicle_id))["consent_mode"] == "ask"

    flow = await open_rules(home)
    await heard(home, await world.phone.patch(path, {"rules": []}))
    emptied = await go(home, flow, "rules_answer")
    assert (emptied["step_id"], read(emptied)) == ("rules", "There is no rule yet.")
    assert (await wishes(world, vehicle_id))["consent_mode"] == "ask"


async def test_what_cannot_be_is_said_beside_its_field_and_nothing_typed_is_lost(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Also while the agent is away."""
    form = await go(home, await open_rules(home), "rule_add")
    for name in (" ", "x" * 101, "two\nlines"):
        form = await send(home, form, name=name, max_energy_kwh=10, **OFF)
        assert form["errors"] == {"name": "rule_name"}
    form = await send(home, form, name="Fine", min_price=float("nan"), **OFF)
    assert form["errors"] == {"min_price": "refused"}
    check = await send(home, form, name="Fine", max_energy_kwh=10, **OFF)
    await world.stop_server()
    away = await go(home, check, "rule_save")
    assert away["errors"] == {"base": "cannot_connect"}
    away = await send(home, away, **suggested(away))
    assert away["errors"] == {"base": "cannot_connect"}
    await world.start_server()
    check = await send(home, away, **suggested(away))
    await go(home, check, "rule_save")
    assert await names(world, vehicle_id) == ["Fine"]


async def test_a_rule_that_was_typed_outlives_an_account_that_is_unloaded(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """In the form and in the menu behind it; where nothing was typed, the dialog ends."""
    await written(home, world, vehicle_id, "One")
    before = await change(home)
    menus = [await open_rules(home) for _ in range(2)]
    pick = await go(home, await open_rules(home), "rule_pick")
    forms = [await go(home, await open_rules(home), "rule_add") for _ in range(3)]
    typed = {"name": "Mine", "max_energy_kwh": 10, **OFF}
    checks = [await send(home, form, **typed) for form in forms[1:]]
    await world.stop_server()
    await home.hass.config_entries.async_reload(home.entry.entry_id)
    assert home.entry.state is ConfigEntryState.SETUP_RETRY
    away = [await send(home, forms[0], **typed)]
    away += [
        await go(home, check, step)
        for check, step in zip(checks, ("rule", "rule_save"), strict=True)
    ]
    for each in away:
        assert (each["step_id"], each["errors"]) == ("rule", {"base": "cannot_connect"})
        assert suggested(each) == typed
    rule = {"rule": "any", "act": "remove"}
    rule["rule"] = pick["data_schema"].schema["rule"].config["options"][0]["value"]
    assert (await send(home, pick, **rule))["errors"] == {"base": "cannot_connect"}
    for menu, step in zip((before, *menus), ("rules", "rules_answer", "rule_add"), strict=True):
        ended = await go(home, menu, step)
        assert (ended["type"], ended["reason"]) == (FlowResultType.ABORT, "not_loaded")
    await world.start_server()
    await home.hass.config_entries.async_reload(home.entry.entry_id)
    await go(home, await send(home, away[2], **typed), "rule_save")
    assert await names(world, vehicle_id) == ["One", "Mine"]


@pytest.mark.parametrize("step", ["menu", "form", "save"])
async def test_a_car_that_is_deleted_while_its_rules_are_open_ends_the_dialog_in_words(
    home: Home, world: OwnerWorld, vehicle_id: str, step: str
) -> None:
    """It ended in an unknown error, and what was typed looked as if it might be kept."""
    flow = await open_rules(home)
    if step != "menu":
        flow = await go(home, flow, "rule_add")
    if step == "save":
        flow = await send(home, flow, name="Mine", **OFF)
    path = f"/v1/vehicles/{vehicle_id}"
    known = home.entry.runtime_data.coordinator
    revision = (await world.phone.get(path))["revision"]
    await world.phone.call("DELETE", path, etag=revision)
    await known.async_refresh()
    assert vehicle_id not in known.data.vehicles
    if step == "form":
        ended = await send(home, flow, name="Mine", **OFF)
    else:
        ended = await go(home, flow, "rule_add" if step == "menu" else "rule_save")
    assert (ended["type"], ended["reason"]) == (FlowResultType.ABORT, "device_gone")


@pytest.mark.parametrize("times", [("22:00:00", "22:00:00"), ("00:00:00", None)])
async def test_times_that_are_no_condition_are_not_said_to_be_one(
    home: Home, world: OwnerWorld, vehicle_id: str, times: tuple[str, str | None]
) -> None:
    """Promise 1: from 22:00 to 22:00 is a yes at any time, and is shown as that before."""
    span = {key: at for key, at in zip(("from_time", "to_time"), times, strict=True) if at}
    form = await go(home, await open_rules(home), "rule_add")
    check = await send(home, form, name="Night", **span, **OFF)
    assert read(check, "rule") == "Night: every offer within your limits"
    await go(home, check, "rule_save")
    assert (await wishes(world, vehicle_id))["rules"][0]["between"] is None
    path = f"/v1/vehicles/{vehicle_id}/preferences"
    theirs = {"name": "Theirs", "between": {"start": "22:00", "end": "22:00"}}
    await heard(home, await world.phone.patch(path, {"rules": [theirs]}))
    assert read(await open_rules(home)) == "1. Theirs: every offer within your limits"


async def test_promise_1_a_rule_is_not_kept_in_another_currency_than_it_was_shown_in(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Promise 1: 2 CNY that a deal must leave became 2 JPY, a tenth of a yuan."""
    form = await go(home, await open_rules(home), "rule_add")
    check = await send(home, form, name="Mine", min_net=2, **OFF)
    assert read(check, "rule") == "Mine: leaves at least 2.00 CNY"
    await world.phone.patch("/v1/me", {"currency": "JPY"})
    coordinator = home.entry.runtime_data.coordinator
    await until(lambda: coordinator.data.owner.currency == "JPY")
    unseen = await go(home, check, "rule_save")
    assert unseen["errors"] == {"base": "changed_meanwhile"}
    assert await names(world, vehicle_id) == []
    await world.phone.patch("/v1/me", {"currency": "CNY"})
    await until(lambda: coordinator.data.owner.currency == "CNY")
    unseen = await send(home, unseen, name="Mine", min_net=40, **OFF)
    assert unseen["errors"] == {"base": "changed_meanwhile"}
    check = await send(home, unseen, name="Mine", min_net=2, **OFF)
    await go(home, check, "rule_save")
    (rule,) = (await wishes(world, vehicle_id))["rules"]
    assert rule["min_net_minor"] == 200

    await heard(
        home,
        await world.phone.patch(
            f"/v1/vehicles/{vehicle_id}/preferences", {"rules": [rule | {"enabled": False}]}
        ),
    )
    check = await act(home, rule["rule_id"], "switch")
    await go(home, check, "rule_save")
    assert (await wishes(world, vehicle_id))["rules"] == [rule]
