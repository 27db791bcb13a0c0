"""The log: one JSON line per request, and nothing in it that opens a door."""

import io
import logging

import orjson
import pytest

from owner_api.server.logs import JsonLines
from owner_api.store import Store
from tests.owner_api.conftest import StillClock
from tests.owner_api.http_bench import bench


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
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.addHandler(handler)
    level = root.level
    root.setLevel(logging.DEBUG)
    try:
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
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    text = stream.getvalue()
    assert "inner detail" in text  # the operator sees the failure with its trace
    assert secret not in text
    for line in text.splitlines():
        orjson.loads(line)
