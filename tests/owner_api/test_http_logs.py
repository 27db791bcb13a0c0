"""The log: one JSON line per request, and nothing in it that opens a door."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
import io
import logging
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from owner_api.config import Config
from owner_api.server.logs import JsonLines
from owner_api.store import Store
from tests.owner_api.conftest import StillClock
from tests.owner_api.deal_world import Caller, World, open_world
from tests.owner_api.http_bench import bench
from tests.owner_api.trust.test_erasure import COUNTER, MARK, REFILL, marked

_LIMITS: Final = Config(
    rate_per_s=1e6, rate_burst=10**7, public_rate_burst=10**6, failure_burst=10**6, metrics_port=0
)


@contextmanager
def everything_logged() -> Iterator[io.StringIO]:
    """Collect every record of this process as the lines it would leave."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.addHandler(handler)
    level = root.level
    root.setLevel(logging.DEBUG)
    try:
        yield stream
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


async def test_each_request_is_one_line_with_its_route_and_status(
    store: Store, clock: StillClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "owner_api.requests")
    async with bench(store, clock) as api:
        await api.send("GET", "/v1/things/evt_5")
        await api.send("GET", "/nowhere/at/all")
    lines = [orjson.loads(JsonLines().format(record)) for record in caplog.records]
    assert [(line["route"], line["status"]) for line in lines] == [
        ("/v1/things/{thing_id}", 404),
        ("unknown", 404),
    ]
    assert all(len(line["request_id"]) == 32 for line in lines)


async def test_no_secret_reaches_the_log_whatever_goes_wrong(
    store: Store, clock: StillClock
) -> None:
    with everything_logged() as stream:
        async with bench(store, clock) as api:
            secret = "canary-1f0c9a"
            key = {"Idempotency-Key": secret}
            await api.post("/v1/things", {"name": secret}, key=secret)
            await api.post("/v1/things", {"name": secret, "x": secret}, key=secret)
            await api.send("GET", f"/v1/things?cursor={secret}", caller=secret)
            await api.send("GET", f"/v1/things/{secret}")
            await api.send("POST", "/v1/things", data=secret.encode(), headers=key)
            await api.send("POST", "/v1/form", data={"grant_type": secret}, caller=None)
            await api.post("/v1/things", {"name": "broken"}, key=f"{secret}-2")
    text = stream.getvalue()
    assert "inner detail" in text  # the operator sees the failure with its trace
    assert secret not in text
    for line in text.splitlines():
        orjson.loads(line)


async def test_promise_7_no_word_of_a_person_and_no_credential_is_in_log_figures_or_a_refusal(
    tmp_path: Path,
) -> None:
    """The real agent, a deal with marks in all that is told, and each kind of bad request."""
    with everything_logged() as stream:
        async with open_world(tmp_path, _LIMITS) as world:
            deal = await marked(world)
            code = (await deal.owner.post("/v1/pairing-codes", {}))["code"]
            secrets = (
                deal.owner.token, deal.owner.grant["refresh_token"], code, code.split("/")[-1],
                deal.park.token, deal.park.grant["client_secret"],
            )  # fmt: skip
            refusals = [*await refused(world, deal.owner, deal.owner), *await refused(
                world, deal.park, deal.owner
            )]  # fmt: skip
            refusals += await refused_at_the_door(world, deal.owner, deal.park)
            figures = f"http://127.0.0.1:{world.agent.metrics_port}/metrics"
            async with world.http.get(figures) as answer:
                metrics = await answer.text()
    log = stream.getvalue()
    assert len(log.splitlines()) > 60
    assert len(refusals) > 25
    words = (MARK, "Kitchen", "Blue car", "East Gate", *secrets)
    for word in words:
        assert word not in log
        assert word not in metrics
        assert word not in "".join(refusals)
    # A price could stand in a figure by chance, and in the log only as somebody's.
    assert REFILL not in log
    assert COUNTER not in log


async def refused(world: World, caller: Caller, owner: Caller) -> list[str]:
    """Ask as a party in ways that fail, with marks and the owner's token; return the answers.

    A refusal names the fields that were sent, and repeats no value of theirs.
    """
    told = f"{MARK} and {owner.token}"
    requests: list[tuple[str, str, Any, dict[str, str]]] = [
        ("GET", f"/v1/vehicles/{MARK}", None, {}),
        ("GET", f"/v1/offers?cursor={MARK}&limit=x", None, {}),
        ("GET", f"/v1/receipts?subject_id={MARK}&token={owner.token}", None, {}),
        ("GET", "/v1/events", None, {"Last-Event-ID": MARK}),
        ("PATCH", "/v1/me", {"display_name": told, "x": told}, {"If-Match": '"1"'}),
        ("PATCH", "/v1/me", {"display_name": told}, {"If-Match": told}),
        ("PATCH", "/v1/me", {"display_name": "x"}, {"If-Match": '"999"'}),
        ("POST", "/v1/vehicles", {"display_name": told, "x": told}, {}),
        ("POST", "/v1/decisions", {"offer_id": told, "reason": told}, {}),
        ("POST", "/v1/park/offers", {"session_id": told, "terms": told}, {}),
        ("POST", "/v1/park/sessions", {"evse_id": "E07", "member_ref": told}, {}),
        ("POST", "/v1/ledger/witness", {"checkpoint": told}, {}),
        ("POST", "/v1/ledger/receipts", {"jws": told}, {}),
        ("POST", "/v1/stops", {"commitment_id": told}, {"Idempotency-Key": MARK + " x"}),
    ]
    found = []
    for number, (method, path, body, more) in enumerate(requests):
        headers = {"Authorization": f"Bearer {caller.token}", "Idempotency-Key": f"k-{number}"}
        async with world.http.request(
            method, world.url + path, json=body, headers=headers | more
        ) as answer:
            text = await answer.text()
            assert 400 <= answer.status < 500, (method, path, answer.status)
            # An owner's own value comes back to the owner who lost a race, and to nobody else.
            found.append("" if answer.status == 412 else text)
    return found


async def refused_at_the_door(world: World, owner: Caller, park: Caller) -> list[str]:
    """Show credentials that do not hold, or not like this; return the answers."""
    pair = f"{park.party_id}:{park.grant['client_secret']}x"
    basic = {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
    requests: list[tuple[str, dict[str, Any]]] = [
        ("/v1/token", {"data": owner.grant | {"refresh_token": f"{MARK}{owner.token}"}}),
        ("/v1/token", {"data": park.grant | {"client_secret": f"{MARK}{owner.token}"}}),
        ("/v1/token", {"data": {"grant_type": "client_credentials"}, "headers": basic}),
        ("/v1/token", {"data": {"grant_type": MARK}}),
        ("/v1/pair", {"json": {"code": MARK, "device_name": MARK, "kind": "phone"}}),
        ("/v1/stops", {"json": {}, "headers": {"Authorization": f"Bearer {owner.token}x"}}),
        ("/v1/stops", {"json": {}, "headers": {"Authorization": f"Bearer {owner.token}"}}),
    ]
    found = []
    for path, options in requests:
        async with world.http.post(world.url + path, **options) as answer:
            assert 400 <= answer.status < 500, (path, answer.status)
            found.append(await answer.text())
    return found
