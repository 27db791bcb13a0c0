"""An operator who lies: its books say that the car is to discharge, and no yes of the owner's does.

The agent is real; what an operator can do is done to its database. What holds is the home: it has
the owner's receipts, and gives what they prove and no more (ADR 39).
"""

from datetime import datetime, timedelta
import hashlib
from typing import Any

from homeassistant.helpers import issue_registry as ir
import pytest

from custom_components.v2g_owner.api import OwnerApi
from custom_components.v2g_owner.api_errors import OwnerApiProblem
from custom_components.v2g_owner.const import DOMAIN
from custom_components.v2g_owner.control_model import Reason
from custom_components.v2g_owner.models import Park
from custom_components.v2g_owner.models_deal import Commitment
from custom_components.v2g_owner.trust_consent import Consent, consent_in
from custom_components.v2g_owner.trust_keys import canonical
from custom_components.v2g_owner.trust_receipt import Entry
from owner_api.store import Tx
from owner_api.store.times import encode

from .power_stage import Stage

# More than --fast has time for.
pytestmark = pytest.mark.slow


async def lie(stage: Stage, *statements: str) -> None:
    """Let the operator write what it likes into its database."""

    def write(tx: Tx) -> None:
        for statement in statements:
            tx.run(statement)

    await stage.world.agent.store.write(write)


def unproven(stage: Stage) -> list[str]:
    """Return the deals of which the owner is told that nothing proves their yes."""
    issues = ir.async_get(stage.hass).issues.values()
    told = [each for each in issues if each.domain == DOMAIN and each.active]
    return [
        str((each.translation_placeholders or {})["deal"])
        for each in told
        if each.translation_key == "deal_unproven"
    ]


async def test_promise_1_a_deal_of_which_no_receipt_proves_the_yes_draws_nothing(
    stage: Stage,
) -> None:
    """Promise 1: the operator says that the owner said yes; it has nothing to show for it."""
    await stage.cut_network()
    await stage.sell()
    await lie(
        stage,
        "DELETE FROM receipt WHERE position IN"
        " (SELECT position FROM ledger_entry WHERE kind = 'decision')",
    )
    await stage.mend_network()
    rows = await stage.seconds(150)
    assert stage.granted is not None, "the park was given leases"
    assert stage.executor.memory.orders.lease is not None, "and the home was told of them"
    assert min(row.power_w for row in rows) >= -50
    assert stage.executor.verdict.reason is Reason.NO_CONSENT
    assert unproven(stage) == [stage.commitment_id]


async def test_promise_1_a_receipt_that_comes_late_lets_the_deal_begin(stage: Stage) -> None:
    """Promise 1: doubt means stop, and a yes that is proven a moment later is no doubt any more."""
    log = stage.entry.runtime_data.log  # type: ignore[union-attr]
    catch_up = log.receipts.async_catch_up

    async def late(_trusted: object) -> None:
        """Hear of no receipt yet."""

    log.receipts.async_catch_up = late
    await stage.sell()
    rows = await stage.seconds(130)
    assert min(row.power_w for row in rows) >= -50
    assert unproven(stage) == [stage.commitment_id]
    log.receipts.async_catch_up = catch_up
    await log.async_check()
    await stage.deliver()
    await stage.seconds(60)
    assert unproven(stage) == []
    stage.hold()


@pytest.mark.parametrize("status", [404, 410, 500, 200])
async def test_a_receipt_that_cannot_be_had_costs_no_deal_but_its_own(
    stage: Stage, status: int
) -> None:
    """What the home could not read once kept it from every yes that came after."""
    api = stage.entry.runtime_data.coordinator.api  # type: ignore[union-attr]
    get, bad = api.get, []

    async def first_is_bad(path: str) -> Any:
        """Have no receipt for whichever is asked for first: it is that of the agreement."""
        if not path.startswith("/v1/receipts/"):
            return await get(path)
        if not bad:
            bad.append(path)
        if path not in bad:
            return await get(path)
        if status == 200:
            return {"jws": "none"}
        raise OwnerApiProblem(status, {"code": "internal" if status == 500 else "not_found"})

    api.get = first_is_bad
    await stage.sell()
    await stage.deliver()
    assert bad
    assert unproven(stage) == []


async def test_the_repair_of_a_deal_ends_with_its_receipt_also_where_the_deal_is_over(
    stage: Stage,
) -> None:
    """It says that a receipt may be late: once it is there, nobody has to ask the operator."""
    log = stage.entry.runtime_data.log  # type: ignore[union-attr]
    catch_up = log.receipts.async_catch_up

    async def late(_trusted: object) -> None:
        """Hear of no receipt yet."""

    log.receipts.async_catch_up = late
    await stage.sell()
    await stage.seconds(130)
    assert unproven(stage) == [stage.commitment_id]
    await stage.world.phone.post("/v1/stops", {"commitment_id": stage.commitment_id})
    await stage.seconds(5)
    assert unproven(stage) == [stage.commitment_id]
    log.receipts.async_catch_up = catch_up
    await log.async_check()
    await stage.seconds(5)
    assert unproven(stage) == []


async def test_promise_3_no_more_power_flows_than_the_yes_was_for(stage: Stage) -> None:
    """Promise 3: the yes was to 3 kW; the operator's books say 6.9."""
    await stage.sell(max_discharge_w=3_000)
    await lie(stage, "UPDATE commitment SET terms = json_set(terms, '$.max_discharge_w', 7000)")
    rows = await stage.seconds(60)
    assert min(row.power_w for row in rows) >= -3_100
    assert min(row.power_w for row in rows) <= -2_900, "the deal itself goes on"


async def test_promise_3_not_much_more_energy_flows_than_the_yes_was_for(stage: Stage) -> None:
    """Promise 3: half a kilowatt-hour was sold; the operator's books say five."""
    await stage.sell(requested_energy_wh=500, max_energy_wh=500, min_energy_wh=0)
    await lie(
        stage,
        "UPDATE commitment SET consented_energy_wh = 5000, committed_energy_wh = 5000,"
        " energy_limit_wh = 5000",
    )
    rows = await stage.seconds(420)
    sold_wh = -sum(min(0.0, row.power_w) for row in rows) / 3_600
    assert 500 <= sold_wh <= 700
    assert stage.executor.verdict.reason is Reason.ALL_SOLD


async def test_promise_3_nothing_flows_before_the_window_that_the_yes_was_for(
    stage: Stage,
) -> None:
    """Promise 3: the yes was to the hour after next; the operator's books say now."""
    await stage.sell(start_s=7_200)
    at = encode(datetime.fromisoformat(stage.world.at(5)))
    await lie(stage, f"UPDATE commitment SET start_at = '{at}'")  # noqa: S608 - our own words
    await stage.entry.runtime_data.coordinator.async_refresh()  # type: ignore[union-attr]
    rows = await stage.seconds(60)
    assert stage.granted is not None, "the park was given leases"
    assert min(row.power_w for row in rows) >= -50
    assert stage.executor.verdict.reason is Reason.NO_CONSENT


async def test_promise_3_nothing_flows_after_the_window_that_the_yes_was_for(
    stage: Stage,
) -> None:
    """Promise 3: the yes was to a quarter of an hour; the operator's books say three hours."""
    ends = datetime.fromisoformat(stage.world.at(910))
    await stage.sell(hours=0.25)
    stage.renewing = False
    await stage.hop(ends - timedelta(seconds=40))
    later = encode(ends + timedelta(hours=3))
    await lie(
        stage,
        f"UPDATE commitment SET end_at = '{later}', terms = json_set(terms, '$.end_at', '{later}')",  # noqa: S608 - our own words
    )
    stage.renewed_at = None
    stage.renewing = True
    await stage.deliver(within_s=30)
    rows = await stage.seconds(90)
    assert stage.granted is not None, stage.refused
    assert stage.granted > ends, "the park was given leases that go on"
    rest = [row.power_w for row in rows if row.at > ends + timedelta(seconds=4)]
    assert min(rest) >= -50


@pytest.mark.parametrize("begun", [True, False], ids=["while it ran", "before it began"])
async def test_promise_4_a_yes_whose_deal_was_stopped_at_home_serves_no_other_deal(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, *, begun: bool
) -> None:
    """Promise 4: the operator gives the stopped deal another name, hears no stop, and goes on."""
    post = OwnerApi.post

    async def deaf(api: OwnerApi, path: str, *told: Any, **more: Any) -> Any:
        """Say of a stop that it was heard, and do nothing."""
        return {} if path == "/v1/stops" else await post(api, path, *told, **more)

    monkeypatch.setattr(OwnerApi, "post", deaf)
    await stage.sell()
    if begun:
        await stage.deliver()
    await stage.cut_network()
    await stage.stop_now()
    await stage.seconds(3)
    stage.executor.async_resume()
    other = "com_" + "7" * 32
    named = await stage.world.agent.store.read(
        lambda tx: tx.all(
            "SELECT m.name FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c"
            " WHERE m.type = 'table' AND c.name = 'commitment_id'"
        )
    )
    renamed = [f"UPDATE {each['name']} SET commitment_id = '{other}'" for each in named]  # noqa: S608 - names of our own tables
    await lie(stage, "PRAGMA defer_foreign_keys = ON", *renamed)
    stage.commitment_id, stage.renewed_at = other, None
    await stage.mend_network()
    assert stage.entry is not None
    await stage.hass.config_entries.async_reload(stage.entry.entry_id)
    rows = await stage.seconds(90)
    lease = stage.executor.memory.orders.lease
    assert lease is not None
    assert lease.commitment_id == other, "the home was told of it"
    assert min(row.power_w for row in rows[5:]) >= -50
    assert stage.executor.verdict.reason is Reason.STOPPED


TERMS = {
    "start_at": "2026-12-01T18:00:00Z",
    "end_at": "2026-12-01T19:00:00Z",
    "max_discharge_w": 7_000,
}
YES: dict[str, Any] = {
    "decision": "accept",
    "offer_id": "off_1",
    "vehicle_id": "veh_1",
    "consented_energy_wh": 5_000,
    "terms": TERMS,
    "terms_sha256": hashlib.sha256(canonical(TERMS)).hexdigest(),
}
NO_YES: dict[str, dict[str, Any]] = {
    "a no": {"decision": "decline"},
    "a counter": {"decision": "counter"},
    "to another offer": {"offer_id": "off_2"},
    "for another car": {"vehicle_id": "veh_2"},
    "to other terms than it names": {"terms": TERMS | {"max_discharge_w": 11_000}},
    "without terms": {"terms": None},
    "without its energy": {"consented_energy_wh": None},
    "without an end": {"terms": {key: TERMS[key] for key in ("start_at", "max_discharge_w")}},
}


def proven(body: dict[str, Any], kind: str = "decision") -> Consent | None:
    """Return what an entry of the log allows for the deal of one offer and one car."""
    deal = Commitment(
        commitment_id="com_1",
        offer_id="off_1",
        vehicle_id="veh_1",
        park=Park(park_id="prk_1", display_name="Park"),
        state="active",
        start_at=datetime.fromisoformat(TERMS["start_at"]),
        end_at=datetime.fromisoformat(TERMS["end_at"]),
        committed_energy_wh=5_000,
    )
    entry = Entry(
        receipt_id="rcp_1",
        position=1,
        kind=kind,
        at="2026-12-01T17:00:00Z",
        subject_id="dec_1",
        body=body,
        leaf=b"",
    )
    return consent_in(entry, deal)


@pytest.mark.parametrize("change", NO_YES.values(), ids=NO_YES)
def test_promise_1_an_entry_that_is_no_yes_to_just_this_deal_proves_none(
    change: dict[str, Any],
) -> None:
    """Promise 1: an operator may name any of its entries as the yes that a deal rests on."""
    body = YES | change
    if "terms" in change and change["terms"] and "max_discharge_w" not in change["terms"]:
        body["terms_sha256"] = hashlib.sha256(canonical(change["terms"])).hexdigest()
    assert proven(YES) is not None
    assert proven(body) is None
    assert proven(YES, kind="stop") is None
