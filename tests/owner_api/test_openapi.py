"""The contract: everything served is described, and everything described is well formed."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
import re
import tomllib
from typing import Any

import aiohttp
import jsonschema_rs
import pytest

from owner_api import __version__
from owner_api.config import Config
from owner_api.problems import ProblemCode
from owner_api.schemas.events import EVENTS
from owner_api.schemas.meanings import MEANINGS
from owner_api.server import owner, park
from owner_api.server.agent import Agent, build_agent
from owner_api.server.openapi import example
from owner_api.store import Store
from tests.owner_api.conftest import StillClock
from tests.owner_api.http_bench import bench

# More than --fast has time for.
pytestmark = pytest.mark.slow

DRAFT = "https://json-schema.org/draft/2020-12/schema"

type Operation = tuple[str, str, dict[str, Any]]


@pytest.fixture
async def agent(tmp_path: Path, clock: StillClock) -> AsyncIterator[Agent]:
    """Return a whole server's parts, not listening."""
    async with await build_agent(tmp_path / "owner.db", clock, Config()) as built:
        yield built


@pytest.fixture
async def document(agent: Agent) -> Any:
    """Return the contract of a whole server as a client fetches it."""
    port = await agent.start("127.0.0.1", 0)
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"http://127.0.0.1:{port}/openapi.json") as response,
    ):
        assert response.content_type == "application/json"
        return await response.json()


def described(document: Any) -> Iterator[Operation]:
    """Yield every operation of a contract."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def schemas(node: Any) -> Iterator[Any]:
    """Yield every schema in a contract, wherever it stands."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "schema":
                yield value
            else:
                yield from schemas(value)
    elif isinstance(node, list):
        for value in node:
            yield from schemas(value)


def parameters(operation: dict[str, Any], place: str) -> dict[str, Any]:
    """Return an operation's parameters in one place by name."""
    return {each["name"]: each for each in operation["parameters"] if each["in"] == place}


async def test_every_route_that_is_served_is_described_and_no_other(
    agent: Agent, document: Any
) -> None:
    served = {
        (route.method, route.resource.canonical)
        for route in agent.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    assert served == {(method, path) for method, path, _ in described(document)}
    assert len(served) > 50


async def test_every_schema_is_valid_json_schema_2020_12(document: Any) -> None:
    found = [*schemas(document["paths"]), *document["components"]["schemas"].values()]
    assert len(found) > 200
    for schema in found:
        jsonschema_rs.meta.validate(schema | {"$schema": DRAFT})


async def test_operations_have_names_of_their_own_and_path_parameters(document: Any) -> None:
    operations = list(described(document))
    assert len({operation["operationId"] for _, _, operation in operations}) == len(operations)
    for _, path, operation in operations:
        assert set(parameters(operation, "path")) == set(re.findall(r"\{(\w+)\}", path))


async def test_every_post_with_effects_asks_for_an_idempotency_key(document: Any) -> None:
    """RFC 6749 knows no such key; a checkpoint that is shown twice is shown once."""
    without = {
        path
        for method, path, operation in described(document)
        if method == "POST" and "Idempotency-Key" not in parameters(operation, "header")
    }
    questions = {route.path for route in (*owner.ROUTES, *park.ROUTES) if route.kind == "query"}
    assert without - questions == {"/v1/token", "/v1/ledger/witness"}


async def test_every_put_and_patch_asks_for_the_revision_that_was_read(document: Any) -> None:
    for method, path, operation in described(document):
        if method in ("PUT", "PATCH"):
            assert parameters(operation, "header")["If-Match"]["required"], path
            assert {"412", "428"} <= set(operation["responses"]), path


async def test_every_operation_says_who_may_call_it(document: Any) -> None:
    public = {path for _, path, operation in described(document) if not operation["security"]}
    assert public == {
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/v1/server",
        "/v1/pair",
        "/v1/token",
        "/v1/jwks.json",
        "/v1/ledger/witness",
    }
    for _, path, operation in described(document):
        schemes = {name for each in operation["security"] for name in each}
        assert schemes <= {"owner", "park"}
        if path.startswith("/v1/park/"):
            assert schemes == {"park"}
        if schemes:
            assert {"401", "429"} <= set(operation["responses"]), path


async def test_every_no_is_described_as_a_problem_with_its_codes(document: Any) -> None:
    named: set[str] = set()
    for _, path, operation in described(document):
        for status, response in operation["responses"].items():
            if int(status) < 400:
                continue
            assert list(response["content"]) == ["application/problem+json"], path
            reference, narrowed = response["content"]["application/problem+json"]["schema"]["allOf"]
            assert reference == {"$ref": "#/components/schemas/Problem"}
            codes = narrowed["properties"]["code"]["enum"]
            assert {ProblemCode(code).status for code in codes} == {int(status)}
            named |= set(codes)
    # What stands outside any operation: no such path, no such method.
    assert {code.value for code in ProblemCode} - named <= {
        "method_not_allowed",
        "not_acceptable",
        "bad_request",
        "conflict",
        "no_lease",
        "preferences_conflict",
    }


@pytest.mark.parametrize("code", list(ProblemCode))
async def test_each_problem_matches_the_schema_of_problems(
    document: Any, code: ProblemCode
) -> None:
    schema = document["components"]["schemas"]["Problem"]
    jsonschema_rs.Draft202012Validator(schema).validate(example(code))


async def test_the_contract_carries_the_packages_version(document: Any) -> None:
    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    assert document["info"]["version"] == __version__ == project["project"]["version"]
    assert document["openapi"] == "3.1.0"


async def test_request_bodies_are_closed_to_unknown_fields(document: Any) -> None:
    for _, path, operation in described(document):
        for media in operation.get("requestBody", {"content": {}})["content"].values():
            assert media["schema"]["additionalProperties"] is False, path


async def test_the_stream_names_each_roles_events_and_says_what_their_data_is(
    document: Any,
) -> None:
    operation = document["paths"]["/v1/events"]["get"]
    media = operation["responses"]["200"]["content"]["text/event-stream"]
    assert {role: set(names) for role, names in media["x-events"].items()} == {
        role: set(names) for role, names in EVENTS.items()
    }
    for names in media["x-events"].values():
        for name, told in names.items():
            assert told["description"]
            assert name in media["schema"]["description"]
            component = told["data"]["$ref"].removeprefix("#/components/schemas/")
            assert document["components"]["schemas"][component]["type"] == "object"
    stopped = media["x-events"]["park"]["stop.requested"]["data"]["$ref"].rpartition("/")[2]
    assert "stop_reason" in document["components"]["schemas"][stopped]["required"]
    assert "nothing is replayed" in parameters(operation, "query")["after"]["schema"]["description"]


def fields(node: Any) -> Iterator[tuple[str, Any]]:
    """Yield every field of every schema in a part of a contract, with its name."""
    if isinstance(node, dict):
        yield from node.get("properties", {}).items()
        for value in node.values():
            yield from fields(value)
    elif isinstance(node, list):
        for value in node:
            yield from fields(value)


async def test_each_field_with_a_meaning_says_it_wherever_it_stands(document: Any) -> None:
    """A meaning whose field is gone would stay in the table; the query's fields count too."""
    found = [*fields(document)]
    found += [
        (each["name"], each["schema"])
        for _, _, operation in described(document)
        for each in operation["parameters"]
        if each["in"] == "query"
    ]
    assert set(MEANINGS) <= {name for name, _ in found}
    for name, schema in found:
        assert schema.get("description") or name not in MEANINGS, name


async def test_what_is_left_to_the_owner_is_not_described_as_what_the_park_owes(
    document: Any,
) -> None:
    answers = {
        "/v1/offers/{offer_id}": ("evaluation",),
        "/v1/settlements/{settlement_id}": ("breakdown",),
        "/v1/vehicles/{vehicle_id}/rule-preview": ("items",),
    }
    for path, inside in answers.items():
        (operation,) = document["paths"][path].values()
        good = next(each for code, each in operation["responses"].items() if code[0] == "2")
        found = [good["content"]["application/json"]["schema"]]
        for name in inside:
            found = [part for each in found for key, part in fields(each) if key == name]
        told = {
            part["description"]
            for each in found
            for key, part in fields(each)
            if key == "net_minor"
        }
        assert told
        assert not any("park owes" in each for each in told), path
        assert all("own currency" in each for each in told), path


async def test_a_park_reads_in_the_contract_what_it_could_not_guess(document: Any) -> None:
    told = {}
    for _, path, operation in described(document):
        if path.startswith("/v1/park/"):
            told |= dict(fields(operation.get("requestBody", {})))
    for name, word in {
        "power_setpoint_w": "negative",
        "power_w": "+ into the car",
        "evse_code": "checks in",
        "member_ref": "bound when",
        "terms_sha256": "Copy it",
        "seq": "newest",
        "lease_s": "setpoint",
        "respond_by": "is a no",
        "min_energy_wh": "nothing is agreed",
        "confirmed_at": "stop",
    }.items():
        assert word in told[name]["description"], name


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("GET", "/v1/things", {"caller": None}),
        ("GET", "/v1/things", {"caller": "park:prk_a"}),
        ("GET", "/v1/things?surprise=1", {}),
        ("GET", "/v1/things/{thing_id}", {}),
        ("PATCH", "/v1/things/{thing_id}", {}),
        ("PATCH", "/v1/things/{thing_id}", {"headers": {"If-Match": "nonsense"}}),
        ("POST", "/v1/things", {"json": {"name": "one"}}),
        ("POST", "/v1/things", {"data": b"{", "headers": {"Content-Type": "application/json"}}),
        ("POST", "/v1/things", {"data": b"{", "headers": {"Content-Type": "text/plain"}}),
        ("POST", "/v1/things", {"json": {"name": "broken"}, "headers": {"Idempotency-Key": "k"}}),
    ],
)
async def test_what_is_answered_is_what_is_described(
    store: Store, clock: StillClock, method: str, path: str, more: dict[str, Any]
) -> None:
    async with bench(store, clock) as api:
        contract = (await api.send("GET", "/openapi.json", caller=None)).json
        answer = await api.send(method, path.replace("{thing_id}", "evt_1"), **more)
        operation = contract["paths"][path.partition("?")[0]][method.lower()]
        response = operation["responses"][str(answer.status)]
        schema = response["content"]["application/problem+json"]["schema"]
        narrowed = schema["allOf"][1]
        jsonschema_rs.Draft202012Validator(narrowed).validate(answer.json)
