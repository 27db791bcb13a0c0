"""Pairing over a real socket: one code, one device, ten minutes, five tries."""

from collections.abc import AsyncIterator
import math
from pathlib import Path
import re
import sqlite3
from typing import Any
from urllib.parse import urlsplit

from hypothesis import given, strategies as st
import pytest

from owner_api.access import codes

from .access_server import Answer, Server, running


@pytest.fixture(name="server")
async def _server(tmp_path: Path) -> AsyncIterator[Server]:
    async with running(tmp_path / "owner.db") as server:
        yield server


def wrong(code: str) -> str:
    """Return the code with its last secret letter changed."""
    return code[:-1] + ("B" if code[-1] != "B" else "C")


async def count(server: Server, table: str) -> int:
    sql = f"SELECT count(*) AS n FROM {table}"  # noqa: S608 - a name from the test
    row = await server.store.read(lambda tx: tx.one(sql))
    assert row is not None
    return int(row["n"])


def test_a_codes_secret_has_at_least_forty_bits_and_no_look_alikes() -> None:
    assert math.log2(len(codes.ALPHABET) ** codes.SECRET_LETTERS) >= 40
    assert not set(codes.ALPHABET) & set("01258AEIOUYabcdefghijklmnopqrstuvwxyz")
    assert len({str(codes.new_code()) for _ in range(200)}) == 200


@given(st.text(alphabet=codes.ALPHABET, min_size=15, max_size=15), st.randoms())
def test_a_code_is_read_however_a_person_types_it(letters: str, random: Any) -> None:
    typed = "".join(
        (each.lower() if random.random() < 0.5 else each) + random.choice(["", " ", "-", "\u2013"])
        for each in letters
    )
    read = codes.parse(typed)
    assert read is not None
    assert str(read).replace("-", "") == letters


@given(st.text(max_size=64))
def test_any_other_text_is_no_code_and_never_an_error(text: str) -> None:
    read = codes.parse(text)
    assert read is None or codes.parse(str(read)) == read


async def test_a_code_pairs_one_device_that_can_call(server: Server) -> None:
    owner_id = await server.add_owner()
    code = await server.mint(owner_id)
    assert re.fullmatch(r"[B-Z]{5}-[B-Z]{5}-[B-Z]{5}", code.code)

    answer = await server.pair(code.code)

    assert answer.status == 201
    assert answer.body["owner_id"] == owner_id
    assert answer.body["token_type"] == "Bearer"
    me = await server.call("GET", "/v1/me", token=answer.body["access_token"])
    assert me.body["party_id"] == owner_id
    assert me.body["device_id"] == answer.body["device_id"]
    assert me.body["server_id"] == answer.body["server_id"]


async def test_a_used_code_is_dead_for_everyone_else(server: Server) -> None:
    code = (await server.mint(await server.add_owner())).code
    assert (await server.pair(code)).status == 201
    second = await server.pair(code, name="Thief")
    assert (second.status, second.body["code"]) == (400, "pairing_code_invalid")
    assert await count(server, "device") == 1


async def test_a_code_lives_ten_minutes_and_not_longer(server: Server) -> None:
    owner_id = await server.add_owner()
    early, late = await server.mint(owner_id), await server.mint(owner_id)
    server.clock.move(599)
    assert (await server.pair(early.code)).status == 201
    server.clock.move(1)
    answer = await server.pair(late.code)
    assert (answer.status, answer.body["code"]) == (410, "pairing_code_expired")
    assert await count(server, "device") == 1


async def test_five_wrong_tries_kill_a_code_even_for_the_right_secret(server: Server) -> None:
    code = (await server.mint(await server.add_owner())).code
    answers = [await server.pair(wrong(code)) for _ in range(5)]
    assert [each.body["code"] for each in answers] == [
        *["pairing_code_invalid"] * 4,
        "pairing_code_exhausted",
    ]
    right = await server.pair(code)
    assert (right.status, right.body["code"]) == (429, "pairing_code_exhausted")
    assert await count(server, "device") == 0


async def test_four_wrong_tries_leave_the_fifth_to_the_right_secret(server: Server) -> None:
    code = (await server.mint(await server.add_owner())).code
    for _ in range(4):
        await server.pair(wrong(code))
    assert (await server.pair(code)).status == 201


async def test_wrong_tries_are_remembered_over_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path / "owner.db") as server:
        code = (await server.mint(await server.add_owner())).code
        for _ in range(4):
            await server.pair(wrong(code))
    async with running(tmp_path / "owner.db") as again:
        assert (await again.pair(wrong(code))).body["code"] == "pairing_code_exhausted"


async def test_guessing_codes_is_limited_per_address(tmp_path: Path) -> None:
    async with running(tmp_path / "o.db", failure_burst=10, failure_rate_per_s=0.1) as server:
        code = (await server.mint(await server.add_owner())).code
        guesses = [await server.pair(str(codes.new_code())) for _ in range(12)]
        assert [each.status for each in guesses] == [400] * 10 + [429] * 2
        assert guesses[-1].body["code"] == "rate_limited"
        assert int(guesses[-1].headers["Retry-After"]) >= 1
        # The right code has to wait too: the limit cannot be used to tell codes apart.
        assert (await server.pair(code)).status == 429
        server.clock.move(11)
        assert (await server.pair(code)).status == 201


async def test_no_code_wrong_secret_and_used_code_are_answered_alike(server: Server) -> None:
    owner_id = await server.add_owner()
    used, fresh = (await server.mint(owner_id)).code, (await server.mint(owner_id)).code
    await server.pair(used)
    codes_tried = ("not a code", str(codes.new_code()), used, wrong(used), wrong(fresh))
    answers = [(await server.pair(code)).body for code in codes_tried]
    for body in answers:
        del body["instance"]
    assert all(body == answers[0] for body in answers)


async def test_a_lost_answer_is_given_again_for_the_same_key_and_body(server: Server) -> None:
    code = (await server.mint(await server.add_owner())).code
    first = await server.pair(code, key="key-1")
    server.clock.move(300)

    again = await server.pair(code, key="key-1")

    assert (again.status, again.raw) == (201, first.raw)
    assert await count(server, "device") == 1
    assert (await server.call("GET", "/v1/me", token=again.body["access_token"])).status == 200
    assert (await server.refresh(again.body["refresh_token"])).status == 200


async def test_the_same_key_with_another_body_is_refused(server: Server) -> None:
    code = (await server.mint(await server.add_owner())).code
    await server.pair(code, key="key-1")
    other = await server.pair(code, key="key-1", name="Another name")
    assert (other.status, other.body["code"]) == (422, "idempotency_key_reused")


async def test_pairing_without_a_key_is_refused_and_uses_nothing_up(server: Server) -> None:
    code = (await server.mint(await server.add_owner())).code
    body = {"code": code, "device_name": "Kitchen", "kind": "phone"}
    answer = await server.call("POST", "/v1/pair", json=body)
    assert (answer.status, answer.body["code"]) == (400, "idempotency_key_missing")
    assert (await server.pair(code)).status == 201


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"kind": "toaster"}, "/kind"),
        ({"device_name": ""}, "/device_name"),
        ({"device_name": "x" * 101}, "/device_name"),
        ({"device_name": "two\nlines"}, "/device_name"),
        ({"code": "short"}, "/code"),
        ({"code": "x" * 65}, "/code"),
        ({"code": 12345678}, "/code"),
        ({"owner_id": "own_1"}, "/owner_id"),
    ],
)
async def test_a_bad_pairing_body_names_the_field_and_stores_nothing(
    server: Server, change: dict[str, Any], pointer: str
) -> None:
    code = (await server.mint(await server.add_owner())).code
    body = {"code": code, "device_name": "Kitchen", "kind": "phone"} | change
    answer = await server.call("POST", "/v1/pair", json=body, key="k")
    assert answer.status == 422
    assert [each["pointer"] for each in answer.body["errors"]] == [pointer]
    assert await count(server, "device") == 0
    assert (await server.pair(code)).status == 201


async def test_nothing_secret_lies_readable_in_the_database(server: Server) -> None:
    owner_id = await server.add_owner()
    code = (await server.mint(owner_id)).code
    device = (await server.pair(code, key="key-1")).body
    minted = await server.call(
        "POST", "/v1/pairing-codes", token=device["access_token"], json={}, key="key-2"
    )
    park = await server.add_park()
    renewed = (await server.refresh(device["refresh_token"])).body
    secrets = (
        device["access_token"],
        device["refresh_token"],
        renewed["refresh_token"],
        renewed["access_token"],
        park.client_secret,
        code[6:],
        code[6:].replace("-", ""),
        minted.body["code"][6:],
        minted.body["code"][6:].replace("-", ""),
    )
    connection = sqlite3.connect(server.database)
    everything = "\n".join(connection.iterdump())
    connection.close()
    raw = b"".join(
        path.read_bytes() for path in server.database.parent.glob("owner.db*") if path.is_file()
    )
    assert park.park_id in everything
    for secret in secrets:
        assert secret not in everything
        assert secret.encode() not in raw


async def test_a_paired_device_makes_the_code_for_the_next_one(server: Server) -> None:
    owner_id = await server.add_owner()
    first = await server.device(owner_id)

    minted = await server.call(
        "POST", "/v1/pairing-codes", token=first["access_token"], json={"label": "phone"}, key="k"
    )
    again = await server.call(
        "POST", "/v1/pairing-codes", token=first["access_token"], json={"label": "phone"}, key="k"
    )

    assert minted.status == 201
    assert minted.raw == again.raw
    assert minted.body["expires_at"] == "2026-12-01T05:40:00Z"
    second = await server.pair(minted.body["code"])
    assert second.body["owner_id"] == owner_id
    listed = await server.call("GET", "/v1/devices", token=first["access_token"])
    assert [(each["device_id"], each["current"]) for each in listed.body["items"]] == [
        (first["device_id"], True),
        (second.body["device_id"], False),
    ]


async def test_a_code_dies_with_the_device_that_made_it(server: Server) -> None:
    """A stolen phone that is shut out must not come back by a code of its own."""
    owner_id = await server.add_owner()
    stolen, mine = await server.device(owner_id), await server.device(owner_id)

    async def made(by: Any, key: str) -> str:
        minted = await server.call(
            "POST", "/v1/pairing-codes", token=by["access_token"], json={}, key=key
        )
        return str(minted.body["code"])

    used, kept_back, own = [await made(*by) for by in ((stolen, "a"), (stolen, "b"), (mine, "c"))]
    assert (await server.pair(used)).status == 201
    operators = (await server.mint(owner_id)).code
    path = f"/v1/devices/{stolen['device_id']}"
    assert (await server.call("DELETE", path, token=mine["access_token"])).status == 204
    refused = await server.pair(kept_back)
    assert (refused.status, refused.body["code"]) == (400, "pairing_code_invalid")
    assert (await server.pair(own)).status == 201
    assert (await server.pair(operators)).status == 201


async def test_a_park_cannot_make_pairing_codes(server: Server) -> None:
    token = await server.park_token(await server.add_park())
    answer = await server.call("POST", "/v1/pairing-codes", token=token, json={}, key="k")
    assert (answer.status, answer.body["code"]) == (403, "forbidden")


async def test_an_owner_has_at_most_the_configured_number_of_devices(tmp_path: Path) -> None:
    async with running(tmp_path / "owner.db", max_devices_per_owner=2) as server:
        owner_id = await server.add_owner()
        first = await server.device(owner_id)
        await server.device(owner_id)
        code = (await server.mint(owner_id)).code
        full = await server.pair(code)
        assert (full.status, full.body["code"]) == (409, "conflict")
        path = f"/v1/devices/{first['device_id']}"
        await server.call("DELETE", path, token=first["access_token"])
        assert (await server.pair(code)).status == 201


async def test_a_device_cannot_use_up_the_codes_of_all_owners(server: Server) -> None:
    """Codes are looked up by letters that run out; who looks for free ones holds everybody up."""
    owner_id = await server.add_owner()
    token = (await server.device(owner_id))["access_token"]

    async def made(key: str) -> Answer:
        return await server.call("POST", "/v1/pairing-codes", token=token, json={}, key=key)

    # One more was made for the device itself.
    assert {(await made(f"k{number}")).status for number in range(49)} == {201}
    refused = await made("one-too-many")
    assert (refused.status, refused.body["code"]) == (429, "rate_limited")
    assert refused.headers["Retry-After"] == "600"
    assert await count(server, "pairing_code") == 50
    # The operator still can, and so can every other owner; ten minutes later this one as well.
    assert (await server.pair((await server.mint(owner_id)).code)).status == 201
    other = (await server.device(await server.add_owner()))["access_token"]
    fine = await server.call("POST", "/v1/pairing-codes", token=other, json={}, key="k")
    assert fine.status == 201
    server.clock.move(600)
    assert (await made("one-too-many")).status == 201


async def test_a_qr_code_carries_address_code_and_pin_in_its_fragment_only(tmp_path: Path) -> None:
    url = "https://owners.example:8443"
    async with running(tmp_path / "owner.db", public_url=url) as server:
        code = await server.mint(await server.add_owner())
    assert code.uri is not None
    parts = urlsplit(code.uri)
    assert (parts.scheme, parts.netloc, parts.path, parts.query) == ("v2gowner", "", "pair", "")
    assert codes.parse_uri(code.uri) == codes.PairingUri(url=url, code=code.code)
    pinned = codes.PairingUri(url=url, code=code.code, pin="ab" * 32)
    assert codes.parse_uri(str(pinned)) == pinned
