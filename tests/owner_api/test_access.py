"""Who may call: refresh tokens, parks, devices shut out, and what a stranger can find out."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus
import uuid

import pytest

from owner_api.commands import parks

from .access_server import Server, running


@pytest.fixture(name="server")
async def _server(tmp_path: Path) -> AsyncIterator[Server]:
    async with running(tmp_path / "owner.db") as server:
        yield server


async def alive(server: Server, token: str) -> bool:
    status = (await server.call("GET", "/v1/me", token=token)).status
    assert status in (200, 401)
    return status == 200


def basic(client_id: str, secret: str) -> dict[str, str]:
    """Return HTTP Basic as RFC 6749 §2.3.1 wants it: both halves form-encoded first."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


# Refresh tokens


async def test_a_refresh_token_is_traded_for_a_new_pair_and_rotates(server: Server) -> None:
    device = await server.device(await server.add_owner())
    token = device["refresh_token"]
    for _ in range(4):
        server.clock.move(900)
        answer = await server.refresh(token)
        assert answer.status == 200
        assert answer.body["expires_in"] == 900
        assert answer.body["refresh_token"] != token
        assert await alive(server, answer.body["access_token"])
        token = answer.body["refresh_token"]


async def test_a_lost_answer_within_ten_seconds_gets_a_valid_successor(server: Server) -> None:
    device = await server.device(await server.add_owner())
    await server.refresh(device["refresh_token"])
    server.clock.move(10)

    again = await server.refresh(device["refresh_token"])

    assert again.status == 200
    assert await alive(server, again.body["access_token"])
    server.clock.move(600)
    assert (await server.refresh(again.body["refresh_token"])).status == 200


@pytest.mark.parametrize("how", ["went on", "acted"])
async def test_reuse_once_the_answer_has_arrived_shuts_the_device_out_for_both_holders(
    server: Server, how: str
) -> None:
    """Who has the answer shows it by the next token, or by doing something with this one."""
    device = await server.device(await server.add_owner())
    thief = (await server.refresh(device["refresh_token"])).body
    server.clock.move(1)
    if how == "went on":
        thief = (await server.refresh(thief["refresh_token"])).body
    else:
        token, key = thief["access_token"], uuid.uuid4().hex
        coded = await server.call("POST", "/v1/pairing-codes", token=token, json={}, key=key)
        assert coded.status == 201
    server.clock.move(10.001)

    reused = await server.refresh(device["refresh_token"])

    assert (reused.status, reused.body["error"]) == (400, "invalid_grant")
    assert not await alive(server, thief["access_token"])
    assert not await alive(server, device["access_token"])
    assert (await server.refresh(thief["refresh_token"])).status == 400


async def test_promise_10_an_answer_that_was_lost_is_given_again_however_late(
    server: Server,
) -> None:
    """Promise 10: a home whose link broke or power failed in that moment need not pair anew."""
    device = await server.device(await server.add_owner())
    token = device["refresh_token"]
    lost = []
    for away_s in (11, 3_600, 3 * 86_400):
        lost.append((await server.refresh(token)).body["refresh_token"])
        server.clock.move(away_s)

    kept = (await server.refresh(token)).body

    assert await alive(server, kept["access_token"])
    server.clock.move(900)
    assert (await server.refresh(kept["refresh_token"])).status == 200
    server.clock.move(11)
    # Whoever picked one up on its way gets nothing for it, and is noticed.
    assert (await server.refresh(lost[-1])).status == 400
    assert not await alive(server, kept["access_token"])


async def test_what_was_sent_before_an_answer_was_lost_does_not_say_that_it_arrived(
    server: Server,
) -> None:
    """It was under way under the token before when a new one was asked for."""
    device = await server.device(await server.add_owner())
    server.clock.move(890)
    assert (await server.refresh(device["refresh_token"])).status == 200
    server.clock.move(1)
    token, key = device["access_token"], uuid.uuid4().hex
    made = await server.call("POST", "/v1/pairing-codes", token=token, json={}, key=key)
    assert made.status == 201
    server.clock.move(600)
    assert (await server.refresh(device["refresh_token"])).status == 200


async def test_the_grace_is_counted_from_the_first_use_and_cannot_be_stretched(
    server: Server,
) -> None:
    token = (await server.device(await server.add_owner()))["refresh_token"]
    arrived = await server.refresh(token)
    assert (await server.refresh(arrived.body["refresh_token"])).status == 200
    server.clock.move(6)
    assert (await server.refresh(token)).status == 200
    server.clock.move(6)
    assert (await server.refresh(token)).status == 400


async def test_of_two_successors_made_in_the_grace_the_first_used_ends_the_other(
    server: Server,
) -> None:
    device = await server.device(await server.add_owner())
    lost = (await server.refresh(device["refresh_token"])).body
    kept = (await server.refresh(device["refresh_token"])).body
    server.clock.move(900)
    later = (await server.refresh(kept["refresh_token"])).body
    server.clock.move(60)
    # Whoever picked up the lost answer shows it now: one of the two is not the device.
    assert (await server.refresh(lost["refresh_token"])).status == 400
    assert not await alive(server, later["access_token"])


async def test_two_refreshes_at_once_both_leave_the_device_alive(server: Server) -> None:
    device = await server.device(await server.add_owner())
    answers = await asyncio.gather(*(server.refresh(device["refresh_token"]) for _ in range(5)))
    assert [each.status for each in answers] == [200] * 5
    assert len({each.body["refresh_token"] for each in answers}) == 5
    assert await alive(server, answers[0].body["access_token"])


async def test_a_refresh_token_nobody_used_for_its_whole_life_ends(tmp_path: Path) -> None:
    async with running(tmp_path / "owner.db", refresh_token_s=3600) as server:
        device = await server.device(await server.add_owner())
        server.clock.move(3600)
        assert (await server.refresh(device["refresh_token"])).status == 400


async def test_one_devices_stolen_token_leaves_the_owners_other_devices_alone(
    server: Server,
) -> None:
    owner_id = await server.add_owner()
    robbed, other = await server.device(owner_id), await server.device(owner_id)
    await server.refresh(robbed["refresh_token"])
    server.clock.move(60)
    await server.refresh(robbed["refresh_token"])
    assert await alive(server, other["access_token"])
    assert (await server.refresh(other["refresh_token"])).status == 200


@pytest.mark.parametrize("token", ["", "x", "v2grt_" + "A" * 43])
async def test_a_made_up_refresh_token_is_an_invalid_grant(server: Server, token: str) -> None:
    answer = await server.refresh(token)
    assert answer.status in (400, 422)
    assert answer.body["code"] in ("invalid_grant", "invalid_body")


# Parks


async def test_a_park_gets_a_token_of_an_hour_for_its_secret(server: Server) -> None:
    park = await server.add_park()
    answer = await server.call(
        "POST",
        "/v1/token",
        form={"grant_type": "client_credentials"},
        headers=basic(park.park_id, park.client_secret),
    )

    assert answer.status == 200
    assert set(answer.body) == {"access_token", "token_type", "expires_in"}
    assert answer.body["expires_in"] == 3600
    me = await server.call("GET", "/v1/me", token=answer.body["access_token"])
    assert (me.body["kind"], me.body["party_id"]) == ("park", park.park_id)
    assert me.body["display_name"] == "East Gate Park"
    server.clock.move(3600)
    assert not await alive(server, answer.body["access_token"])


async def test_a_wrong_client_is_refused_in_the_words_of_oauth(server: Server) -> None:
    park = await server.add_park()
    other = await server.add_park("West Gate")
    for client_id, secret in (
        (park.park_id, "v2gcs_wrong"),
        (park.park_id, ""),
        (park.park_id, other.client_secret),
        ("prk_" + "0" * 32, park.client_secret),
        ("x' OR '1'='1", "x"),
    ):
        answer = await server.call(
            "POST",
            "/v1/token",
            form={"grant_type": "client_credentials"},
            headers=basic(client_id, secret),
        )
        assert (answer.status, answer.body["code"]) == (401, "invalid_client")
        assert answer.body["error"] == "invalid_client"
        assert "Basic" in answer.headers["WWW-Authenticate"]
        assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("form", "code", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type", "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, "bad_request", "invalid_request"),
        ({"grant_type": "client_credentials"}, "bad_request", "invalid_request"),
    ],
)
async def test_a_token_request_that_lacks_something_says_what(
    server: Server, form: dict[str, str], code: str, error: str
) -> None:
    answer = await server.call("POST", "/v1/token", form=form)
    assert (answer.status, answer.body["code"], answer.body["error"]) == (400, code, error)


async def test_a_client_that_authenticates_in_two_ways_is_refused(server: Server) -> None:
    park = await server.add_park()
    answer = await server.call(
        "POST",
        "/v1/token",
        form={"grant_type": "client_credentials", "client_id": park.park_id},
        headers=basic(park.park_id, park.client_secret),
    )
    assert (answer.status, answer.body["error"]) == (400, "invalid_request")


async def test_the_token_endpoint_takes_forms_only(server: Server) -> None:
    answer = await server.call("POST", "/v1/token", json={"grant_type": "refresh_token"})
    assert answer.status == 415


async def test_a_new_park_secret_ends_the_old_one_and_its_tokens_at_once(server: Server) -> None:
    park = await server.add_park()
    token = await server.park_token(park)
    assert await alive(server, token)

    renewed = await server.store.write(lambda tx: parks.renew_secret(tx, park_id=park.park_id))

    assert not await alive(server, token)
    form = {"grant_type": "client_credentials", "client_id": park.park_id}
    old = await server.call("POST", "/v1/token", form=form | {"client_secret": park.client_secret})
    new = await server.call("POST", "/v1/token", form=form | {"client_secret": renewed})
    assert (old.status, new.status) == (401, 200)
    assert await alive(server, new.body["access_token"])


# Devices


async def test_a_revoked_device_is_dead_at_its_next_request(server: Server) -> None:
    owner_id = await server.add_owner()
    lost, kept = await server.device(owner_id), await server.device(owner_id)
    assert await alive(server, lost["access_token"])  # its token is in the cache of verified ones

    path = f"/v1/devices/{lost['device_id']}"
    answer = await server.call("DELETE", path, token=kept["access_token"])

    assert (answer.status, answer.raw) == (204, b"")
    assert not await alive(server, lost["access_token"])
    assert (await server.refresh(lost["refresh_token"])).status == 400
    post = await server.call(
        "POST", "/v1/pairing-codes", token=lost["access_token"], json={}, key="k"
    )
    assert post.status == 401
    assert await alive(server, kept["access_token"])


async def test_a_revoked_device_cannot_replay_its_earlier_answers(server: Server) -> None:
    device = await server.device(await server.add_owner())
    token = device["access_token"]
    asked: dict[str, Any] = {"token": token, "json": {}, "key": "k"}
    assert (await server.call("POST", "/v1/pairing-codes", **asked)).status == 201
    await server.call("DELETE", f"/v1/devices/{device['device_id']}", token=token)
    assert (await server.call("POST", "/v1/pairing-codes", **asked)).status == 401


async def test_a_revoked_devices_stream_ends_within_a_second(server: Server) -> None:
    owner_id = await server.add_owner()
    lost, kept = await server.device(owner_id), await server.device(owner_id)
    headers = {"Authorization": f"Bearer {lost['access_token']}"}
    async with server.http.get(f"{server.url}/v1/events", headers=headers) as stream:
        assert stream.status == 200
        await stream.content.readline()
        path = f"/v1/devices/{lost['device_id']}"
        await server.call("DELETE", path, token=kept["access_token"])
        async with asyncio.timeout(1):
            rest = await stream.content.read()
    assert b"data:" not in rest
    async with server.http.get(f"{server.url}/v1/events", headers=headers) as again:
        assert again.status == 401


async def test_the_owners_other_devices_hear_of_pairing_and_revocation(server: Server) -> None:
    owner_id = await server.add_owner()
    first = await server.device(owner_id)
    second = await server.device(owner_id)
    await server.call("DELETE", f"/v1/devices/{second['device_id']}", token=first["access_token"])
    rows = await server.store.read(
        lambda tx: tx.all("SELECT type, data FROM outbox WHERE party_id = ?", owner_id)
    )
    assert [row["type"] for row in rows] == ["device.paired", "device.paired", "device.revoked"]
    assert all("token" not in row["data"] for row in rows)


async def test_a_foreign_device_and_a_missing_one_look_the_same(server: Server) -> None:
    mine = await server.device(await server.add_owner())
    theirs = await server.device(await server.add_owner("Someone else"))
    answers = []
    for device_id in (theirs["device_id"], "dev_" + "0" * 32, "dev_x", "%27%20OR%201=1"):
        path = f"/v1/devices/{device_id}"
        answer = await server.call("DELETE", path, token=mine["access_token"])
        instance = answer.body["instance"]
        headers = {k: v for k, v in answer.headers.items() if k != "Date"}
        answers.append((answer.status, answer.raw.replace(instance.encode(), b""), headers))
    assert answers[0][0] == 404
    assert all(answer == answers[0] for answer in answers)
    assert await alive(server, theirs["access_token"])


async def test_an_owner_sees_only_their_own_devices(server: Server) -> None:
    mine = await server.device(await server.add_owner())
    await server.device(await server.add_owner("Someone else"))
    listed = await server.call("GET", "/v1/devices", token=mine["access_token"])
    assert [each["device_id"] for each in listed.body["items"]] == [mine["device_id"]]


# The owner, and the parks to choose from


async def test_an_owner_changes_their_clock_only_on_the_revision_they_read(server: Server) -> None:
    token = (await server.device(await server.add_owner()))["access_token"]
    me = await server.call("GET", "/v1/me", token=token)
    assert me.headers["ETag"] == '"1"'

    missing = await server.call("PATCH", "/v1/me", token=token, json={"time_zone": "UTC"})
    changed = await server.call(
        "PATCH",
        "/v1/me",
        token=token,
        json={"time_zone": "Asia/Shanghai", "language": "zh-Hans"},
        headers={"If-Match": '"1"'},
    )
    stale = await server.call(
        "PATCH", "/v1/me", token=token, json={"time_zone": "UTC"}, headers={"If-Match": '"1"'}
    )

    assert missing.status == 428
    assert (changed.status, changed.headers["ETag"]) == (200, '"2"')
    assert (changed.body["time_zone"], changed.body["language"]) == ("Asia/Shanghai", "zh-Hans")
    assert (stale.status, stale.body["current"]["revision"]) == (412, 2)


@pytest.mark.parametrize(
    "change", [{"time_zone": "Mars/Base"}, {"language": "xx"}, {"currency": "yuan"}, {"id": 1}]
)
async def test_a_bad_change_of_the_owner_is_refused(server: Server, change: dict[str, Any]) -> None:
    token = (await server.device(await server.add_owner()))["access_token"]
    answer = await server.call(
        "PATCH", "/v1/me", token=token, json=change, headers={"If-Match": '"1"'}
    )
    assert (answer.status, answer.body["code"]) == (422, "invalid_body")
    assert answer.body["errors"][0]["pointer"] == f"/{next(iter(change))}"


async def test_an_owner_reads_the_terms_of_every_park(server: Server) -> None:
    token = (await server.device(await server.add_owner()))["access_token"]
    first, second = await server.add_park(), await server.add_park("West Gate")
    await server.store.write(
        lambda tx: parks.set_terms(tx, park_id=second.park_id, terms_text="New words")
    )
    listed = await server.call("GET", "/v1/parks?limit=1", token=token)
    rest = await server.call("GET", f"/v1/parks?cursor={listed.body['next_cursor']}", token=token)
    found = [*listed.body["items"], *rest.body["items"]]
    assert [each["park_id"] for each in found] == [first.park_id, second.park_id]
    assert found[0]["terms_text"] == parks.DEFAULT_TERMS
    assert (found[1]["terms_version"], found[1]["terms_text"]) == (2, "New words")
    assert all("secret" not in each for each in found)
