"""The contract: everything served is described, and everything described is well formed."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
import re
import tomllib
from typing import Any

import aiohttp
import jsonschema_rs
import pytest
import pytest_asyncio

from owner_api import __version__
from owner_api.config import Config
from owner_api.problems import ProblemCode
from owner_api.schemas.events import EVENTS
from owner_api.schemas.meanings import MEANINGS
from owner_api.schemas.names import NAMES
from owner_api.server import owner, park
from owner_api.server.agent import Agent, build_agent
from owner_api.server.openapi import PROBLEM_SCHEMA, example
from owner_api.server.openapi_shared import PLACE
from owner_api.store import Store
from tests.fresh_database import lay
from tests.owner_api.conftest import StillClock
from tests.owner_api.http_bench import bench

# More than --fast has time for.
pytestmark = pytest.mark.slow

DRAFT = "https://json-schema.org/draft/2020-12/schema"

type Operation = tuple[str, str, dict[str, Any]]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def agent(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Agent]:
    """Return a whole server's parts, not listening; one for the file, whose tests only read."""
    database = lay(tmp_path_factory.mktemp("contract") / "owner.db")
    async with await build_agent(database, StillClock(), Config()) as built:
        yield built


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def fetched(agent: Agent) -> Any:
    """Return the contract of a whole server as a client fetches it."""
    port = await agent.start("127.0.0.1", 0)
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"http://127.0.0.1:{port}/openapi.json") as response,
    ):
        assert response.content_type == "application/json"
        return await response.json()


@pytest.fixture(scope="module")
def document(fetched: Any) -> Any:
    """Return the contract with what each reference points at in its place."""
    return inlined(fetched, fetched["components"]["schemas"])


def inlined(node: Any, components: dict[str, Any]) -> Any:
    """Return a part of a contract without references; what stands beside one narrows it."""
    if isinstance(node, list):
        return [inlined(each, components) for each in node]
    if not isinstance(node, dict):
        return node
    found = {key: inlined(value, components) for key, value in node.items() if key != "$ref"}
    if "$ref" not in node:
        return found
    named = inlined(components[node["$ref"].removeprefix(PLACE)], components)
    together = {key: named[key] | found[key] for key in named.keys() & found if key == "properties"}
    return named | found | together


def references(node: Any) -> Iterator[str]:
    """Yield the name of every component that a part of a contract refers to."""
    if isinstance(node, list):
        for each in node:
            yield from references(each)
    elif isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"].removeprefix(PLACE)
        for value in node.values():
            yield from references(value)


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


async def test_every_component_is_referred_to_and_written_once(fetched: Any) -> None:
    """A generated client has one type for one thing, and none that nothing is made of."""
    components = fetched["components"]["schemas"]
    told = str(fetched["paths"]["/v1/events"])
    named = {*references(fetched), *re.findall(rf"{PLACE}(\w+)", told)}
    assert named == set(components)
    assert set(NAMES) <= named
    inline = [str(schema) for name, schema in components.items() if name in NAMES]
    assert len(set(inline)) == len(inline)


@pytest.mark.parametrize(
    ("path", "component"),
    [
        ("/v1/park/sessions", "ParkSession"),
        ("/v1/park/offers", "ParkOffer"),
        ("/v1/park/commitments", "ParkCommitment"),
        ("/v1/park/settlements", "ParkSettlement"),
    ],
)
async def test_a_thing_has_one_type_in_a_list_alone_and_in_an_event(
    fetched: Any, path: str, component: str
) -> None:
    def answer(path: str) -> Any:
        return fetched["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]

    reference = {"$ref": f"{PLACE}{component}"}
    assert answer(path)["schema"]["properties"]["items"]["items"] == reference
    (one,) = (each for each in fetched["paths"] if re.fullmatch(rf"{path}/{{\w+}}", each))
    assert answer(one)["schema"] == reference
    media = fetched["paths"]["/v1/events"]["get"]["responses"]["200"]["content"]
    events = media["text/event-stream"]["x-events"]["park"].values()
    assert reference in [event["data"] for event in events]


async def test_every_no_is_described_as_a_problem_with_its_codes(document: Any) -> None:
    named: set[str] = set()
    for _, path, operation in described(document):
        for status, response in operation["responses"].items():
            if int(status) < 400:
                continue
            assert list(response["content"]) == ["application/problem+json"], path
            schema = response["content"]["application/problem+json"]["schema"]
            assert schema["required"] == PROBLEM_SCHEMA["required"]
            codes = schema["properties"]["code"]["enum"]
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


async def test_every_no_to_wait_after_says_for_how_long(document: Any) -> None:
    for _, path, operation in described(document):
        for response in operation["responses"].values():
            content = response.get("content", {}).get("application/problem+json", {})
            codes = content.get("schema", {"properties": {}})["properties"].get("code", {})
            if {"rate_limited", "unavailable", "idempotency_in_flight"} & {*codes.get("enum", ())}:
                assert response["headers"]["Retry-After"]["schema"]["type"] == "integer", path


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


def ends(node: Any) -> Iterator[bool]:
    """Yield of every object in a part of a contract whether it has room for other fields."""
    if isinstance(node, list):
        for each in node:
            yield from ends(each)
    elif isinstance(node, dict):
        if "properties" in node:
            yield node.get("additionalProperties") is not False
        for value in node.values():
            yield from ends(value)


async def test_what_is_sent_is_closed_through_and_through_and_what_is_answered_is_open(
    document: Any,
) -> None:
    """Who made a client from the contract must not fail on the field that a later version adds.

    Their guide tells parks to pass over what they do not know: a stop would be among it.
    """
    for _, path, operation in described(document):
        sent = operation.get("requestBody", {"content": {}})["content"]
        assert not any(ends(sent)), path
        assert all(ends(operation["responses"])), path
    envelope = document["components"]["schemas"]["Event"]
    assert all(ends(envelope))
    # Nor on the name of an event.
    assert "enum" not in envelope["properties"]["type"]


async def test_the_stream_names_each_roles_events_and_says_what_their_data_is(
    fetched: Any,
) -> None:
    document = fetched
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
        described = inlined(schema, contract["components"]["schemas"])
        jsonschema_rs.Draft202012Validator(described).validate(answer.json)
