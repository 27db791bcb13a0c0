"""Each repair is raised by its cause, can be acted on, and goes away with it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
import json
from pathlib import Path
import re
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.v2g_owner import account_issues
from custom_components.v2g_owner.account_issues import AccountCheck
from custom_components.v2g_owner.const import DOMAIN
from custom_components.v2g_owner.plausibility import sign_watch, soc_watch
from custom_components.v2g_owner.repairs import async_create_fix_flow
from owner_api.commands import parks

from .conftest import PLUG, SOC, Home, until
from .entries import paired_entry, vehicle_subentry
from .owner_world import OwnerWorld

# More than --fast has time for.
pytestmark = pytest.mark.slow

POWER = "sensor.car_power"
PAGE = (Path(__file__).parents[2] / "docs/home-assistant.md").read_text(encoding="utf-8")
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


def raised(
    hass: HomeAssistant, key: str, told: dict[str, str] | None = None
) -> ir.IssueEntry | None:
    """Return the repair with a text, if it is shown and, where given, says this."""
    for issue in ir.async_get(hass).issues.values():
        if issue.domain == DOMAIN and issue.translation_key == key and issue.active:
            said = issue.translation_placeholders or {}
            return issue if (told or {}).items() <= said.items() else None
    return None


async def nothing() -> None:
    """Happen between opening a form and submitting it, where nothing does."""


async def submit(
    hass: HomeAssistant,
    client: Any,
    issue: ir.IssueEntry,
    meanwhile: Callable[[], Awaitable[Any]] = nothing,
    **said: str,
) -> tuple[Any, Any]:
    """Open a repair and submit its form; returns the form and what became of it."""
    assert await async_setup_component(hass, "repairs", {})
    http = await client()
    body = {"handler": DOMAIN, "issue_id": issue.issue_id}
    form = await (await http.post("/api/repairs/issues/fix", json=body)).json()
    if form["type"] != "form":
        return form, form
    await meanwhile()
    done = await http.post(f"/api/repairs/issues/fix/{form['flow_id']}", json=said)
    answer = await done.json()
    await hass.async_block_till_done()
    return form, answer


@pytest.fixture
async def sensing(hass: HomeAssistant, world: OwnerWorld, vehicle_id: str) -> Home:
    """Set up a 60 kWh car with sensors for battery, plug and power."""
    hass.states.async_set(SOC, "50")
    hass.states.async_set(PLUG, "on")
    hass.states.async_set(POWER, "0", {"unit_of_measurement": "W"})
    entry = await paired_entry(hass, world, [vehicle_subentry(vehicle_id, power_entity=POWER)])
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return Home(hass, entry)


# --- sensors


async def test_a_battery_sensor_that_stands_still_while_the_car_charges_is_a_repair(
    sensing: Home, freezer: FrozenDateTimeFactory, hass_client: Any
) -> None:
    """Promise 3: 7 kW for half an hour are 5.8 % of 60 kWh, and it still says 50 %."""
    hass = sensing.hass
    hass.states.async_set(POWER, "7000", {"unit_of_measurement": "W"})
    for _ in range(5):
        freezer.tick(timedelta(minutes=5))
        async_fire_time_changed(hass)
        await hass.async_block_till_done()
    assert raised(hass, "soc_stale") is None
    freezer.tick(timedelta(minutes=5))
    async_fire_time_changed(hass)
    issue = await until(lambda: raised(hass, "soc_stale"))
    assert issue.translation_placeholders == {"name": "Blue car", "entity_id": SOC}
    _, answer = await submit(hass, hass_client, issue)
    assert (answer["type"], answer["reason"]) == ("abort", "choose_entities")
    kind, flow_id = answer["next_flow"]
    assert kind == "config_subentries_flow"
    flows = hass.config_entries.subentries.async_progress()
    assert flow_id in {flow["flow_id"] for flow in flows}
    assert raised(hass, "soc_stale") is not None
    hass.states.async_set(SOC, "56")
    await hass.async_block_till_done()
    assert raised(hass, "soc_stale") is None


async def test_a_power_sensor_with_its_sign_the_wrong_way_is_a_repair_that_turns_it(
    sensing: Home, freezer: FrozenDateTimeFactory, hass_client: Any
) -> None:
    """The battery falls while the sensor says charging."""
    hass = sensing.hass
    hass.states.async_set(POWER, "7000", {"unit_of_measurement": "W"})
    for soc in ("49", "48", "47"):
        freezer.tick(timedelta(minutes=6))
        hass.states.async_set(SOC, soc)
        await hass.async_block_till_done()
    issue = await until(lambda: raised(hass, "power_sign_wrong"))
    _, answer = await submit(hass, hass_client, issue)
    assert answer["type"] == "create_entry"
    (subentry,) = sensing.entry.subentries.values()
    assert subentry.data["power_sign"] == "discharging_positive"
    assert raised(hass, "power_sign_wrong") is None
    for soc in ("46", "45", "44", "43"):
        freezer.tick(timedelta(minutes=6))
        hass.states.async_set(SOC, soc)
        await hass.async_block_till_done()
    assert raised(hass, "power_sign_wrong") is None


def test_a_car_that_came_back_and_whose_sensor_has_said_nothing_since_is_stale() -> None:
    """Ten minutes away and a quarter of an hour back; a short replug is no drive."""
    watch = soc_watch(60_000)
    seen = NOON - timedelta(minutes=1)

    def look(minutes: float, *, plugged: bool, reported: datetime = seen) -> bool:
        return watch.is_stale(
            NOON + timedelta(minutes=minutes),
            soc_pct=50,
            reported_at=reported,
            power_w=0,
            plugged_in=plugged,
        )

    assert not look(0, plugged=True)
    assert not look(1, plugged=False)
    assert not look(5, plugged=True)
    assert not look(60, plugged=True)
    assert not look(70, plugged=False)
    assert not look(90, plugged=True)
    assert look(106, plugged=True)
    # The same value again is news: the car was asked and says so.
    assert not look(107, plugged=True, reported=NOON + timedelta(minutes=107))
    assert not look(200, plugged=True, reported=NOON + timedelta(minutes=107))


@pytest.mark.parametrize(
    ("power_w", "import_wh", "export_wh", "wrong"),
    [
        (7_000, 700, 0, False),
        (-7_000, 0, 700, False),
        (7_000, 0, 700, True),
        (-7_000, 700, 0, True),
        (0, 700, 0, False),
        (7_000, 50, 60, False),
    ],
    ids=["charges", "discharges", "swapped", "swapped too", "says nothing", "too little to tell"],
)
def test_meters_tell_the_direction_when_enough_has_flowed(
    power_w: int, import_wh: int, export_wh: int, *, wrong: bool
) -> None:
    """A charger has no battery to compare with."""
    watch = sign_watch(None)
    for step in range(3):
        found = watch.look(
            NOON + timedelta(minutes=6 * step),
            power_w=power_w,
            import_wh=step * import_wh,
            export_wh=step * export_wh,
            soc_pct=None,
        )
    assert found is wrong


# --- the account


async def test_clocks_that_differ_are_a_repair_until_they_agree(
    home: Home, world: OwnerWorld, hass_client: Any
) -> None:
    """A lease of 60 s cannot be kept on clocks a minute apart."""
    await home.reaches("binary_sensor", world.owner_id, "stream", "on")
    check = AccountCheck(home.hass, home.entry.runtime_data.coordinator)
    assert await check.async_look()
    world.clock.ahead = timedelta(seconds=95)
    assert not await check.async_look()
    issue = raised(home.hass, "clock_skew")
    assert issue is not None
    assert 93 <= int((issue.translation_placeholders or {})["seconds"]) <= 96
    _, answer = await submit(home.hass, hass_client, issue)
    assert (answer["type"], answer["reason"]) == ("abort", "still_wrong")
    world.clock.ahead = timedelta(seconds=-95)
    assert not await check.async_look()
    world.clock.ahead = timedelta(0)
    _, answer = await submit(home.hass, hass_client, issue)
    assert answer["type"] == "create_entry"
    assert raised(home.hass, "clock_skew") is None


async def test_an_agent_that_counts_in_another_zone_is_a_repair_that_gives_it_ours(
    home: Home, world: OwnerWorld, hass_client: Any
) -> None:
    """An owner who was added without a zone counts in UTC: 18:00 is two in the night."""
    await home.hass.config.async_set_time_zone("Asia/Shanghai")
    await world.phone.patch("/v1/me", {"time_zone": "UTC"})
    # The home's first zone differs as well, and may have been told already.
    told = {"ours": "Asia/Shanghai", "theirs": "UTC"}
    issue = await until(lambda: raised(home.hass, "other_time_zone", told))
    _, answer = await submit(home.hass, hass_client, issue)
    assert answer["type"] == "create_entry", answer
    assert (await world.phone.get("/v1/me"))["time_zone"] == "Asia/Shanghai"
    owner = home.entry.runtime_data.coordinator
    await until(lambda: owner.data.owner.time_zone == "Asia/Shanghai")
    assert raised(home.hass, "other_time_zone") is None


async def test_another_name_for_the_same_hours_is_no_repair(home: Home, world: OwnerWorld) -> None:
    """Chongqing keeps Shanghai's clock; Kolkata does not, and its repair ends with the reason."""
    hass, owner = home.hass, home.entry.runtime_data.coordinator
    await hass.config.async_set_time_zone("Asia/Shanghai")
    await world.phone.patch("/v1/me", {"time_zone": "Asia/Kolkata"})
    await until(lambda: raised(hass, "other_time_zone"))
    await world.phone.patch("/v1/me", {"time_zone": "Asia/Chongqing"})
    await until(lambda: owner.data.owner.time_zone == "Asia/Chongqing")
    await until(lambda: raised(hass, "other_time_zone") is None)


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "A value is not allowed: time_zone"), ("zh-Hant", "有的值不符合要求")],
)
async def test_a_zone_that_the_agent_refuses_is_said_with_its_reason(
    language: str, said: str, home: Home, hass_client: Any
) -> None:
    """It is connected: trying again later would not help."""
    hass = home.hass
    hass.config.language = language
    hass.config.time_zone = "Mars/Olympus"
    home.entry.runtime_data.coordinator.async_update_listeners()
    issue = await until(lambda: raised(hass, "other_time_zone"))
    _, answer = await submit(hass, hass_client, issue)
    assert (answer["type"], answer["reason"]) == ("abort", "refused")
    assert answer["description_placeholders"]["detail"].startswith(said)
    assert raised(hass, "other_time_zone")


async def test_home_assistants_own_zone_set_right_ends_the_repair(
    home: Home, world: OwnerWorld
) -> None:
    """As its text says; and one set wrong raises it."""
    hass = home.hass
    zone = home.entry.runtime_data.coordinator.data.owner.time_zone
    await hass.config.async_update(time_zone=zone)
    await until(lambda: raised(hass, "other_time_zone") is None)
    await hass.config.async_update(time_zone="US/Pacific")
    await until(lambda: raised(hass, "other_time_zone"))
    await hass.config.async_update(time_zone=zone)
    await until(lambda: raised(hass, "other_time_zone") is None)


@pytest.mark.parametrize(("ours", "key"), [(2, "api_too_old"), (0, "api_too_new")])
async def test_an_api_of_another_version_is_a_repair_that_says_which_side_to_update(
    ours: int, key: str, home: Home, world: OwnerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is looked at whenever it is made anew."""
    await home.reaches("binary_sensor", world.owner_id, "stream", "on")
    monkeypatch.setattr(account_issues, "API_VERSION", ours)
    await home.hass.config_entries.async_reload(home.entry.entry_id)
    issue = await until(lambda: raised(home.hass, key))
    assert (issue.translation_placeholders or {})["theirs"] == "1"
    monkeypatch.undo()
    assert await AccountCheck(home.hass, home.entry.runtime_data.coordinator).async_look()
    assert raised(home.hass, key) is None


async def test_changed_terms_are_shown_and_agreed_to_from_the_repair(
    home: Home, world: OwnerWorld, vehicle_id: str, hass_client: Any
) -> None:
    """An owner agrees to what they have read, never to what somebody put in its place.

    The park is the newest of many: the list does not end with its first page.
    """
    await world.add_parks_until_the_last()
    await world.join(vehicle_id)
    await world.agent.store.write(
        lambda tx: parks.set_terms(
            tx, park_id=world.park.party_id, terms_text="Deals may last up to six hours."
        )
    )
    await home.entry.runtime_data.coordinator.async_refresh()
    issue = await until(lambda: raised(home.hass, "terms_changed"))
    assert issue.translation_placeholders == {"park": "Far Park", "old": "1", "new": "2"}
    form, answer = await submit(home.hass, hass_client, issue)
    assert form["description_placeholders"]["terms"] == r"Deals may last up to six hours\."
    assert answer["type"] == "create_entry", answer
    items = (await world.phone.get("/v1/agreements"))["items"]
    (active,) = [each for each in items if each["state"] == "active"]
    assert (active["terms_version"], active["vehicle_ids"]) == (2, [vehicle_id])
    await home.entry.runtime_data.coordinator.async_refresh()
    assert raised(home.hass, "terms_changed") is None


@pytest.mark.parametrize("left", [1, 0], ids=["one car is left", "none is left"])
async def test_new_terms_are_agreed_to_for_the_cars_that_are_left(
    home: Home, world: OwnerWorld, vehicle_id: str, hass_client: Any, left: int
) -> None:
    """A car that was deleted since ended the agreement for the other one, and made none."""
    other = await world.add_vehicle()
    park_id, cars = world.park.party_id, [vehicle_id, other]
    await world.phone.post(
        "/v1/agreements", {"park_id": park_id, "terms_version": 1, "vehicle_ids": cars}
    )
    for each in cars[left:]:
        path = f"/v1/vehicles/{each}"
        etag = (await world.phone.get(path))["revision"]
        assert (await world.phone.call("DELETE", path, etag=etag))[0] == 204
    await changed_terms(home, world, "Deals may last up to six hours.")
    issue = await until(lambda: raised(home.hass, "terms_changed"))
    _, answer = await submit(home.hass, hass_client, issue)
    assert answer["type"] == "create_entry", answer
    items = (await world.phone.get("/v1/agreements"))["items"]
    active = [each for each in items if each["state"] == "active"]
    assert [(each["terms_version"], each["vehicle_ids"]) for each in active] == (
        [(2, cars[:left])] if left else []
    )


async def changed_terms(home: Home, world: OwnerWorld, text: str) -> None:
    """Let the park change its terms, and this home read them."""
    park_id = world.park.party_id
    await world.agent.store.write(lambda tx: parks.set_terms(tx, park_id=park_id, terms_text=text))
    await home.entry.runtime_data.coordinator.async_refresh()


async def test_terms_that_changed_again_under_the_owners_eyes_are_not_agreed_to(
    home: Home, world: OwnerWorld, vehicle_id: str, hass_client: Any
) -> None:
    """What was read is not what would be signed: the old agreement stays."""
    await world.join(vehicle_id)
    await changed_terms(home, world, "Deals may last up to six hours.")
    issue = await until(lambda: raised(home.hass, "terms_changed"))

    async def change() -> None:
        await changed_terms(home, world, "Deals may last all night.")

    form, answer = await submit(home.hass, hass_client, issue, change)
    assert form["description_placeholders"]["terms"] == r"Deals may last up to six hours\."
    assert (answer["type"], answer["reason"]) == ("abort", "still_wrong")
    items = (await world.phone.get("/v1/agreements"))["items"]
    assert [each["terms_version"] for each in items if each["state"] == "active"] == [1]
    assert raised(home.hass, "terms_changed") is not None


async def test_a_park_hides_no_words_of_its_terms_from_who_agrees_to_them(
    home: Home, world: OwnerWorld, vehicle_id: str, hass_client: Any
) -> None:
    """A repair is read as Markdown, in which comments and the definitions of links vanish."""
    await world.join(vehicle_id)
    named = "UPDATE park SET display_name = ?"
    await world.agent.store.write(lambda tx: tx.run(named, "![](//spy) Park"))
    hidden = "1. Fine.\n    [//]: # (2. You pay.)\n<!-- You pay. -->"
    await changed_terms(home, world, hidden)
    issue = await until(lambda: raised(home.hass, "terms_changed"))
    form, _ = await submit(home.hass, hass_client, issue)
    assert form["description_placeholders"]["park"] == r"\!\[\]\(\/\/spy\) Park"
    assert form["description_placeholders"]["terms"] == (
        "1\\. Fine\\.\n"
        "\u00a0\u00a0\u00a0\u00a0\\[\\/\\/\\]\\: \\# \\(2\\. You pay\\.\\)\n"
        "\\<\\!\\-\\- You pay\\. \\-\\-\\>"
    )


async def test_an_agreement_that_was_withdrawn_meanwhile_is_not_made_anew(
    home: Home, world: OwnerWorld, vehicle_id: str, hass_client: Any
) -> None:
    """The owner's last word about that park, on the phone, was no."""
    await world.join(vehicle_id)
    await changed_terms(home, world, "Deals may last up to six hours.")
    issue = await until(lambda: raised(home.hass, "terms_changed"))

    async def withdraw() -> None:
        (active,) = (await world.phone.get("/v1/agreements"))["items"]
        await world.phone.post(f"/v1/agreements/{active['agreement_id']}/withdrawal")
        await home.entry.runtime_data.coordinator.async_refresh()

    _, answer = await submit(home.hass, hass_client, issue, withdraw)
    assert answer["type"] == "create_entry", answer
    items = (await world.phone.get("/v1/agreements"))["items"]
    assert [each for each in items if each["state"] == "active"] == []
    assert raised(home.hass, "terms_changed") is None


@pytest.mark.parametrize("key", ["clock_skew", "terms_changed"])
async def test_no_repair_is_settled_while_the_account_is_not_connected_or_gone(
    key: str, home: Home, world: OwnerWorld, vehicle_id: str, hass_client: Any
) -> None:
    """Nothing could be asked then; and of a deleted account nothing is left to settle."""
    await world.join(vehicle_id)
    await world.agent.store.write(
        lambda tx: parks.set_terms(tx, park_id=world.park.party_id, terms_text="New.")
    )
    await home.entry.runtime_data.coordinator.async_refresh()
    world.clock.ahead = timedelta(seconds=95)
    await AccountCheck(home.hass, home.entry.runtime_data.coordinator).async_look()
    issue = await until(lambda: raised(home.hass, key))
    await world.stop_server()
    _, answer = await submit(home.hass, hass_client, issue)
    assert (answer["type"], answer["reason"]) == ("abort", "not_loaded")
    await home.hass.config_entries.async_unload(home.entry.entry_id)
    _, answer = await submit(home.hass, hass_client, issue)
    assert (answer["type"], answer["reason"]) == ("abort", "not_loaded")
    # A form that was open meanwhile.
    flow: Any = await async_create_fix_flow(home.hass, issue.issue_id, issue.data)
    flow.hass = home.hass
    await home.hass.config_entries.async_remove(home.entry.entry_id)
    assert (await flow.async_step_confirm({}))["type"] == "create_entry"
    assert raised(home.hass, key) is None
    await world.start_server()


# --- devices


@pytest.mark.parametrize("kind", ["vehicle", "charger"])
async def test_a_device_deleted_at_the_api_is_a_repair_that_unlinks_it(
    hass: HomeAssistant,
    world: OwnerWorld,
    home: Home,
    charger_home: None,
    hass_client: Any,
    vehicle_id: str,
    charger_id: str,
    kind: str,
) -> None:
    """Else it would stand there unavailable for good; the other one stays as it is."""
    gone = {"vehicle": vehicle_id, "charger": charger_id}[kind]
    left = {"vehicle": charger_id, "charger": vehicle_id}[kind]
    assert raised(hass, "device_unknown") is None
    path = f"/v1/{kind}s/{gone}"
    revision = (await world.phone.get(path))["revision"]
    assert (await world.phone.call("DELETE", path, etag=revision))[0] == 204
    issue = await until(lambda: raised(hass, "device_unknown"))
    title = {"vehicle": "Blue car", "charger": "Garage"}[kind]
    assert issue.translation_placeholders == {"name": title}
    # Nothing is unlinked in silence, not by a restart either.
    assert await hass.config_entries.async_reload(home.entry.entry_id)
    await hass.async_block_till_done()
    issue = await until(lambda: raised(hass, "device_unknown"))
    _, answer = await submit(hass, hass_client, issue)
    assert answer["type"] == "create_entry"
    assert [each.unique_id for each in home.entry.subentries.values()] == [left]
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), home.entry.entry_id)
    named = {identifier for device in devices for _, identifier in device.identifiers}
    assert named == {world.owner_id, left}
    assert raised(hass, "device_unknown") is None


async def test_a_deleted_device_that_is_unlinked_by_hand_leaves_no_repair_behind(
    hass: HomeAssistant, world: OwnerWorld, home: Home, vehicle_id: str, hass_client: Any
) -> None:
    """Also not one whose form was open meanwhile."""
    path = f"/v1/vehicles/{vehicle_id}"
    revision = (await world.phone.get(path))["revision"]
    await world.phone.call("DELETE", path, etag=revision)
    issue = await until(lambda: raised(hass, "device_unknown"))

    async def unlink() -> None:
        (subentry_id,) = home.entry.subentries
        hass.config_entries.async_remove_subentry(home.entry, subentry_id)
        await hass.async_block_till_done()
        assert raised(hass, "device_unknown") is None

    _, answer = await submit(hass, hass_client, issue, unlink)
    assert answer["type"] == "create_entry"


async def test_a_removed_account_and_an_unlinked_device_leave_no_repair_behind(
    hass: HomeAssistant, world: OwnerWorld, home: Home, vehicle_id: str
) -> None:
    """Nobody could act on them; those of another account stay."""
    (subentry_id,) = home.entry.subentries
    for kind, data in (
        ("of_the_car", {"entry_id": home.entry.entry_id, "subentry_id": subentry_id}),
        ("of_another", {"entry_id": "another", "subentry_id": "another"}),
    ):
        ir.async_create_issue(
            hass,
            DOMAIN,
            kind,
            data=dict(data),
            is_fixable=True,
            severity=ir.IssueSeverity.WARNING,
            translation_key=kind,
        )
    await world.phone.patch("/v1/me", {"time_zone": "UTC"})
    await hass.config.async_update(time_zone="Asia/Shanghai")
    await until(lambda: raised(hass, "other_time_zone"))
    await hass.config_entries.async_reload(home.entry.entry_id)
    assert raised(hass, "of_the_car")
    hass.config_entries.async_remove_subentry(home.entry, subentry_id)
    await hass.async_block_till_done()
    assert raised(hass, "of_the_car") is None
    assert raised(hass, "other_time_zone")
    await hass.config_entries.async_remove(home.entry.entry_id)
    await hass.async_block_till_done()
    assert raised(hass, "other_time_zone") is None
    assert raised(hass, "of_another")


# --- words


def test_every_repair_is_told_on_the_owners_page_by_its_title() -> None:
    """Neither more nor less; … stands for what is named."""
    texts = json.loads(
        (Path(account_issues.__file__).parent / "translations/en.json").read_text(encoding="utf-8")
    )["issues"]
    section = PAGE.partition("\n### Repairs\n")[2].partition("\n## ")[0].partition("\n### ")[0]
    told = {
        line.strip("|").split("|")[0].strip()
        for line in section.splitlines()
        if line.startswith("| ") and not line.startswith("| Repair")
    }
    shown = {re.sub(r"\{\w+\}", "…", each["title"]) for each in texts.values()}
    assert told >= shown


async def test_a_repair_confirmed_while_the_account_loads_anew_is_tried(
    home: Home, world: OwnerWorld, hass_client: Any
) -> None:
    """A vehicle that is added or changed at the same time makes it load anew."""
    world.clock.ahead = timedelta(seconds=95)
    await AccountCheck(home.hass, home.entry.runtime_data.coordinator).async_look()
    issue = await until(lambda: raised(home.hass, "clock_skew"))

    async def load_anew() -> None:
        home.hass.config_entries.async_schedule_reload(home.entry.entry_id)

    _, answer = await submit(home.hass, hass_client, issue, load_anew)
    assert (answer["type"], answer["reason"]) == ("abort", "still_wrong")
