"""Criterion 4: what is wrong is a 4xx problem that names field and limit, and stores nothing."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any
import uuid

from probatio import Required
import pytest

from owner_api.server.owner import ROUTES as OWNER_ROUTES
from owner_api.server.park import ROUTES as PARK_ROUTES

from .bad_input_stage import NAMES, Stage, Target, dump, send, send_json, stage
from .domain_world import code

__all__ = ["stage"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

NOBODY = "0" * 32


def walk(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every member and item."""
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for name, item in members:
        yield (*path, name)
        if isinstance(item, dict | list):
            yield from walk(item, (*path, name))


def changed(body: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """Return a copy with one member replaced, or with it taken away for ``...``."""
    copy = deepcopy(body)
    node: Any = copy
    for name in path[:-1]:
        node = node[name]
    if value is ...:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return copy


def pointer(path: tuple[str | int, ...]) -> str:
    return "".join(f"/{part}" for part in path)


def at(body: Any, path: tuple[str | int, ...]) -> Any:
    for name in path:
        body = body[name]
    return body


def wrong_values(value: Any) -> list[Any]:
    """Return what no field that accepts ``value`` may accept."""
    if isinstance(value, bool):
        return ["true", 1, []]
    if isinstance(value, int | float):
        return ["1", True, [], {}, -(10**16), 10**16]
    if isinstance(value, str):
        return [5, False, [], "", "x" * 1000, "\x00", "0001-01-01", "9999-12-31T23:59:59Z"]
    return ["x", 3, True]


def mutations(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (pointer of what is wrong, body): each field of a wrong type or out of range."""
    yield "/surprise", body | {"surprise": 1}
    for path in walk(body):
        value = at(body, path)
        if isinstance(value, dict):
            yield f"{pointer(path)}/surprise", changed(body, path, value | {"surprise": 1})
        for wrong in wrong_values(value):
            yield pointer(path), changed(body, path, wrong)


def free_text(path: str) -> bool:
    """Tell whether any printable text passes there, so that only its length can be wrong."""
    return path.rsplit("/", maxsplit=1)[-1] in {
        "display_name",
        "name",
        "evse_id",
        "evse_code",
        "order_reference",
    }


async def refused(stage: Stage, target: Target, where: str, body: Any) -> None:
    answer = await send_json(target, body)
    assert answer.status == 422, (where, answer.status, answer.body)
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    named = [error for error in answer.body["errors"] if error["pointer"].startswith(where)]
    assert named, (where, answer.body["errors"])
    assert all(error["limit"] and error["code"] for error in named)


@pytest.mark.parametrize("name", NAMES)
async def test_wrong_types_ranges_and_unknown_fields_are_named_and_store_nothing(
    stage: Stage, name: str
) -> None:
    target = stage.targets[name]
    before = await dump(stage.world)
    for where, body in mutations(target.body):
        value = at(body, tuple(_parts(body, where)))
        if (
            isinstance(value, str)
            and free_text(where)
            and 4 <= len(value) <= 64
            and value.isprintable()
        ):
            continue
        await refused(stage, target, where, body)
    assert await dump(stage.world) == before


def _parts(body: Any, where: str) -> list[str | int]:
    parts: list[str | int] = []
    for part in where.split("/")[1:]:
        node = at(body, tuple(parts))
        parts.append(int(part) if isinstance(node, list) else part)
    return parts


@pytest.mark.parametrize("name", NAMES)
async def test_a_missing_required_field_is_named(stage: Stage, name: str) -> None:
    target = stage.targets[name]
    before = await dump(stage.world)
    for key in _required(target):
        await refused(stage, target, f"/{key}", changed(target.body, (key,), ...))
    assert await dump(stage.world) == before


def _required(target: Target) -> list[str]:
    wanted = target.path.split("/")
    for route in (*OWNER_ROUTES, *PARK_ROUTES):
        parts = route.path.split("/")
        same = len(parts) == len(wanted) and all(
            part.startswith("{") or part == found for part, found in zip(parts, wanted, strict=True)
        )
        if same and route.method == target.method and route.request:
            return [str(key) for key in route.request if isinstance(key, Required)]
    raise AssertionError(target.path)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"",
        b"[]",
        b"null",
        b'"text"',
        b'{"soc_pct": NaN}',
        b'{"soc_pct": Infinity}',
        b'{"a": 1e999}',
        b"\xff\xfe",
        b'{"a": "\xed\xa0\x80"}',
        b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"a": 123456789012345678901234567890}',
    ],
    ids=[
        "open brace",
        "nothing",
        "list",
        "null",
        "text",
        "NaN",
        "Infinity",
        "1e999",
        "not UTF-8",
        "lone surrogate",
        "deep",
        "huge integer",
    ],
)
async def test_what_is_no_json_object_is_a_problem(stage: Stage, name: str, raw: bytes) -> None:
    before = await dump(stage.world)
    target = stage.targets[name]
    if not raw and not _required(target):
        # An empty body counts as an empty object, which such a command takes.
        return
    answer = await send(target, raw)
    assert answer.status in {400, 422}, answer.body
    assert answer.body["code"] in {"malformed_json", "invalid_body"}
    assert answer.body["detail"]
    assert await dump(stage.world) == before


async def test_a_body_bigger_than_allowed_is_refused_with_the_limit(stage: Stage) -> None:
    before = await dump(stage.world)
    for name in NAMES:
        answer = await send(stage.targets[name], b'{"a": "' + b"x" * 70_000 + b'"}')
        assert code(answer) == (413, "payload_too_large")
        assert "65536" in answer.body["detail"]
    assert await dump(stage.world) == before


async def test_another_media_type_is_refused(stage: Stage) -> None:
    answer = await send(stage.targets["offer"], b"a=1", "application/x-www-form-urlencoded")
    assert code(answer) == (415, "unsupported_media_type")
    assert "application/json" in answer.body["detail"]


def with_terms(stage: Stage, **changes: Any) -> dict[str, Any]:
    body = deepcopy(stage.targets["offer"].body)
    body["terms"] |= changes
    return body


@pytest.mark.parametrize(
    ("where", "problem", "changes"),
    [
        ("/terms/end_at", "window_in_past", {"start_at": -7200, "end_at": -3600}),
        ("/terms/end_at", "window_invalid", {"end_at": 1800}),
        ("/terms/end_at", "window_invalid", {"end_at": 1800 + 86_401}),
        ("/terms/end_at", "window_invalid", {"start_at": 604_000, "end_at": 604_801}),
        ("/terms/requested_energy_wh", "invalid_body", {"min_energy_wh": 6001}),
        ("/terms/requested_energy_wh", "invalid_body", {"max_energy_wh": 5999}),
        ("/terms/lease_s", "invalid_body", {"lease_s": 121}),
    ],
)
async def test_terms_that_contradict_themselves_or_the_clock_are_refused_by_name(
    stage: Stage, where: str, problem: str, changes: dict[str, int]
) -> None:
    before = await dump(stage.world)
    world = stage.world
    terms = {
        name: world.at(value) if name.endswith("_at") else value for name, value in changes.items()
    }
    answer = await send_json(stage.targets["offer"], with_terms(stage, **terms))
    assert code(answer) == (422, problem)
    assert answer.body["errors"][0]["pointer"] == where
    assert answer.body["errors"][0]["limit"]
    assert await dump(world) == before


@pytest.mark.parametrize("after_s", [0, -60, 5401])
async def test_a_deadline_outside_now_and_the_end_is_refused(stage: Stage, after_s: int) -> None:
    before = await dump(stage.world)
    body = stage.targets["offer"].body | {"respond_by": stage.world.at(after_s)}
    answer = await send_json(stage.targets["offer"], body)
    assert code(answer) == (422, "respond_by_invalid")
    assert answer.body["errors"][0]["pointer"] == "/respond_by"
    assert await dump(stage.world) == before


@pytest.mark.parametrize(
    ("field", "value"),
    [("price_per_kwh", "-0.1"), ("fixed_minor", -1), ("cap_minor", -1), ("price_per_kwh", "1e3")],
)
async def test_negative_money_is_refused(stage: Stage, field: str, value: Any) -> None:
    before = await dump(stage.world)
    body = with_terms(stage)
    body["terms"]["reward"][field] = value
    await refused(stage, stage.targets["offer"], f"/terms/reward/{field}", body)
    assert await dump(stage.world) == before


@pytest.mark.parametrize("name", ["session", "offer"])
async def test_a_recharge_that_ends_before_it_begins_is_refused(stage: Stage, name: str) -> None:
    before = await dump(stage.world)
    body = deepcopy(stage.targets[name].body)
    place = body["terms"] if name == "offer" else body
    place["recharge"]["by"] = place["recharge"]["start_at"]
    answer = await send_json(stage.targets[name], body)
    assert code(answer) == (422, "window_invalid")
    assert answer.body["errors"][0]["pointer"].endswith("/recharge/by")
    assert await dump(stage.world) == before


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"soc_floor_pct": 100.1}, "/soc_floor_pct"),
        ({"soc_ceiling_pct": -0.1}, "/soc_ceiling_pct"),
        ({"soc_floor_pct": 95}, "/soc_floor_pct"),
        ({"soc_min_departure_pct": 10}, "/soc_min_departure_pct"),
        ({"soc_target_departure_pct": 40}, "/soc_target_departure_pct"),
        ({"max_discharge_wh_per_day": -1}, "/max_discharge_wh_per_day"),
        ({"min_price_per_kwh": "-1"}, "/min_price_per_kwh"),
        ({"consent_mode": "always"}, "/consent_mode"),
        ({"quiet_hours": [{"start": "24:00", "end": "07:00"}]}, "/quiet_hours/0/start"),
    ],
)
async def test_preferences_out_of_range_or_against_each_other_are_refused_by_name(
    stage: Stage, changes: dict[str, Any], where: str
) -> None:
    before = await dump(stage.world)
    await refused(stage, stage.targets["preferences"], where, changes)
    assert await dump(stage.world) == before


@pytest.mark.parametrize(
    ("name", "field", "prefix"),
    [
        ("offer", "session_id", "ses"),
        ("availability", "session_id", "ses"),
        ("session", "member_ref", "mbr"),
        ("decision", "offer_id", "off"),
        ("stop", "commitment_id", "com"),
        ("stop", "vehicle_id", "veh"),
        ("agreement", "park_id", "prk"),
        ("check-in", "vehicle_id", "veh"),
    ],
)
async def test_an_id_that_is_foreign_or_missing_is_not_found_in_the_same_words(
    stage: Stage, name: str, field: str, prefix: str
) -> None:
    before = await dump(stage.world)
    target = stage.targets[name]
    body = {k: v for k, v in target.body.items() if k != "commitment_id"}
    answer = await send_json(target, body | {field: f"{prefix}_{NOBODY}"})
    assert code(answer) == (404, "not_found")
    other = await send_json(stage.targets["stop"], {"vehicle_id": f"veh_{'1' * 32}"})
    assert answer.body["detail"] == other.body["detail"]
    assert await dump(stage.world) == before


async def test_an_owners_token_opens_nothing_of_a_park_and_the_other_way_round(
    stage: Stage,
) -> None:
    before = await dump(stage.world)
    for target in stage.targets.values():
        other = stage.deal.park if target.caller is stage.deal.owner else stage.deal.owner
        swapped = Target(
            name=target.name,
            caller=other,
            method=target.method,
            path=target.path,
            body=target.body,
        )
        assert (await send_json(swapped, target.body)).status in {403, 404}
    assert await dump(stage.world) == before


async def test_without_a_key_nothing_is_done(stage: Stage) -> None:
    before = await dump(stage.world)
    for target in stage.targets.values():
        if target.method != "POST":
            continue
        headers = {"Authorization": f"Bearer {target.caller.token}"}
        async with stage.world.http.post(
            stage.world.url + target.path, json=target.body, headers=headers
        ) as response:
            assert response.status == 400
            assert (await response.json())["code"] == "idempotency_key_missing"
    assert await dump(stage.world) == before


async def test_a_key_used_for_something_else_is_refused_and_repeats_have_one_effect(
    stage: Stage,
) -> None:
    target = stage.targets["charger"]
    key = uuid.uuid4().hex
    first = await target.caller.call("POST", target.path, target.body, key=key)
    after_first = await dump(stage.world)
    again = await target.caller.call("POST", target.path, target.body, key=key)
    assert (again.status, again.raw) == (first.status, first.raw)
    other = await target.caller.call("POST", target.path, {"display_name": "Other"}, key=key)
    assert code(other) == (422, "idempotency_key_reused")
    assert await dump(stage.world) == after_first
