"""Asks a real server every route as every caller and names each door that stands open."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
import re
from typing import Any, Final
import uuid

from aiohttp import web

from owner_api.ids import new_id
from owner_api.store.tx import Tx

from .deal_world import Caller, World, active, scheduled
from .domain_world import settled, stop
from .route_rows import EVSE_CODE, NOW, ROWS, Row

type Key = tuple[str, str]

_SLOT: Final = re.compile(r"[{$](\w+)\}?")
# Ids of things that belong to somebody; a park's id is in a directory anybody may read.
_OWNED: Final = {
    "vehicle_id": "veh",
    "charger_id": "chg",
    "agreement_id": "agr",
    "session_id": "ses",
    "offer_id": "off",
    "commitment_id": "com",
    "settlement_id": "stl",
    "reward_id": "rwd",
    "device_id": "dev",
    "member_ref": "mbr",
}
_EVENT: Final = re.compile(rb"^id: (\d+)$", re.MULTILINE)
_REFUSED: Final = frozenset({400, 401, 403, 404, 405, 415, 422, 428})


@dataclass(kw_only=True, slots=True)
class Side:
    """An owner and the park they deal with, with an object of every kind."""

    callers: dict[str, Caller]
    objects: dict[str, str]
    receipts: dict[str, str] = field(default_factory=dict)
    documents: dict[str, Any] = field(default_factory=dict)
    # What nobody but these two may read, and what the park may not read either.
    secrets: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)

    def values(self, role: str) -> dict[str, Any]:
        """Return what fills the slots of this side's requests."""
        own = {"receipt_id": self.receipts[role], "month": "2026-12", "terms_sha256": "0" * 64}
        return own | {"receipt": self.documents[role]} | self.objects


@dataclass(kw_only=True, slots=True)
class Cast:
    """Two sides that must not see each other."""

    world: World
    a: Side
    b: Side


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """An answer without what differs between any two requests."""

    status: int
    body: bytes
    headers: Mapping[str, str]


async def build(world: World) -> Cast:
    """Make two owners and two parks; A's deal is settled, B's is scheduled."""
    done = await active(world)
    await world.instruct(done.park, done.commitment_id)
    await world.move(20)
    world.exported_wh += 39
    await world.meter(done.park, done.session_id, -7000)
    await stop(done)
    bill = await settled(done)
    asked = await world.offer(done.park, done.session_id)
    assert asked["state"] == "presented", asked
    other = await scheduled(world)
    a = await _side(world, done.owner, done.park, done.vehicle_id)
    b = await _side(world, other.owner, other.park, other.vehicle_id)
    named = ("session_id", "offer_id", "commitment_id")
    for side, deal in ((a, done), (b, other)):
        ids = (deal.session_id, deal.offer["offer_id"], deal.commitment_id)
        side.objects |= dict(zip(named, ids, strict=True))
    a.objects |= {"settlement_id": bill["settlement_id"], "offer_id": asked["offer_id"]}
    a.objects["reward_id"] = await _claimed(world, a)
    claim = {"evse_id": "E88", "plugged_in_at": world.at(0), "evse_code": EVSE_CODE}
    await done.park.post("/v1/park/sessions", claim)
    a.secrets |= {a.objects[name] for name in _OWNED} | a.hidden | set(a.receipts.values())
    world.clock.at = world.clock.at.fromisoformat(NOW)
    for caller in (*a.callers.values(), *b.callers.values()):
        await caller.renew()
    return Cast(world=world, a=a, b=b)


async def _claimed(world: World, side: Side) -> str:
    """Have a restore lost a deal that its owner's receipt proves; return what the park owes."""
    reward_id = new_id("rwd")
    lost = {
        "reward_id": reward_id,
        "receipt_id": side.receipts["park"],
        "settlement_id": new_id("stl"),
        "version": 1,
        "commitment_id": new_id("com"),
        "owner_id": side.callers["owner"].party_id,
        "park_id": side.callers["park"].party_id,
        "part": 0,
        "kind": "cash",
        "currency": "CNY",
        "price_per_kwh": "1.2000",
        "delivered_wh": 500,
        "amount_minor": 60,
        "already_paid_minor": 0,
        "settled_at": world.clock.now(),
        "claimed_at": world.clock.now(),
    }
    await world.agent.store.write(lambda tx: tx.insert("claim", **lost))
    return reward_id


async def _side(world: World, owner: Caller, park: Caller, vehicle_id: str) -> Side:
    mark = uuid.uuid4().hex
    await owner.patch("/v1/me", {"display_name": f"Name {mark}"})
    await owner.patch(f"/v1/vehicles/{vehicle_id}", {"display_name": f"Car {mark}"})
    charger = await owner.post("/v1/chargers", {"display_name": f"Wallbox {mark}"})
    first = (await owner.get("/v1/devices"))["items"][0]["device_id"]
    code = await owner.post("/v1/pairing-codes", {})
    tablet = {"code": code["code"], "device_name": f"Tablet {mark}", "kind": "home_assistant"}
    device = await owner.post("/v1/pair", tablet)
    objects = {
        "vehicle_id": vehicle_id,
        "charger_id": charger["charger_id"],
        "agreement_id": (await owner.get("/v1/agreements"))["items"][0]["agreement_id"],
        "device_id": device["device_id"],
        "member_ref": (await park.get("/v1/park/members"))["items"][0]["member_ref"],
        "park_id": park.party_id,
    }
    callers = {"owner": owner, "park": park}
    lists = {role: (await each.get("/v1/receipts"))["items"] for role, each in callers.items()}
    last = {role: items[-1]["receipt_id"] for role, items in lists.items()}
    documents = {
        role: await each.get(f"/v1/receipts/{last[role]}") for role, each in callers.items()
    }
    hidden = {mark, owner.party_id, vehicle_id, charger["charger_id"], first, device["device_id"]}
    return Side(
        callers=callers,
        objects=objects,
        receipts=last,
        documents={
            role: {name: each[name] for name in ("jws", "proof", "checkpoint")}
            for role, each in documents.items()
        },
        hidden=hidden,
    )


def routes_of(app: web.Application) -> set[Key]:
    """Return method and path of every route a server has."""
    return {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None
    }


def uncovered(app: web.Application) -> set[Key]:
    """Return the routes without a row and the rows without a route."""
    return routes_of(app) ^ set(ROWS)


def _pairs(app: web.Application) -> Iterator[tuple[Key, Row]]:
    known = [(key, row) for key in sorted(routes_of(app) & set(ROWS)) for row in ROWS[key]]
    # What ends something comes last, so that everything else still has something to find.
    yield from sorted(known, key=lambda each: each[1].ends)


def _filled(template: Any, values: Mapping[str, Any]) -> Any:
    match template:
        case "$receipt":
            return values["receipt"]
        case str():
            return _SLOT.sub(lambda found: values[found[1]], template)
        case dict():
            return {name: _filled(part, values) for name, part in template.items()}
        case list():
            return [_filled(part, values) for part in template]
        case _:
            return template


def _slots(key: Key, row: Row) -> set[str]:
    return set(_SLOT.findall(f"{key[1]}{row.query}" + re.sub(r"[{}]", "", repr(row.body))))


def _missing(name: str) -> str:
    return f"rcp_{2**40:032x}" if name == "receipt_id" else new_id(_OWNED[name])


async def ask(
    world: World, key: Key, row: Row, caller: Caller | None, values: Mapping[str, Any]
) -> Said:
    """Send one row's request as ``caller``, or as nobody."""
    method, path = key
    headers = {} if caller is None else {"Authorization": f"Bearer {caller.token}"}
    if method == "POST" and not row.form:
        headers["Idempotency-Key"] = uuid.uuid4().hex
    if method in ("PATCH", "DELETE"):
        headers["If-Match"] = "*"
    body = {} if method == "POST" and row.body is None else _filled(row.body, values)
    sent = {"data" if row.form else "json": body} if body is not None else {}
    url = world.url + _filled(path, values) + _filled(row.query, values)
    async with world.http.request(method, url, headers=headers, **sent) as response:
        if response.content_type == "text/event-stream":
            raw = await _until(response.content, await _events_all_have(world))
        else:
            raw = await response.read()
        dropped = ("Date", "Content-Length") if response.status < 300 else ("Date",)
        kept = {name: each for name, each in response.headers.items() if name not in dropped}
        return Said(
            status=response.status,
            body=re.sub(rb"urn:request:[0-9a-f]+", b"urn:request:", raw),
            headers=kept,
        )


async def _events_all_have(world: World) -> int:
    found = await world.agent.store.read(lambda tx: tx.one("SELECT MIN(seq) AS n FROM stream_head"))
    assert found is not None
    return int(found["n"])


async def _until(content: Any, seq: int) -> bytes:
    raw = b""
    while not any(int(each) >= seq for each in _EVENT.findall(raw)):
        raw += await content.readany()
    return raw


def holdings(tx: Tx, side: Side) -> dict[str, list[str]]:
    """Return every row that names one of a side's parties, for telling whether one changed."""
    parties = [caller.party_id for caller in side.callers.values()]
    found = {}
    for table in tx.all("SELECT name FROM sqlite_schema WHERE type = 'table'"):
        name = table["name"]
        listed = tx.all("SELECT name FROM pragma_table_info(?)", name)
        columns = {each["name"] for each in listed}
        for column in columns & {"owner_id", "park_id", "party_id"}:
            sql = f"SELECT * FROM {name} WHERE {column} IN (?, ?)"  # noqa: S608 - both from the schema
            found[f"{name}.{column}"] = sorted(repr(row) for row in tx.all(sql, *parties))
    return found


async def judge(cast: Cast) -> list[tuple[Key, str]]:
    """Return every way in which a route lets somebody see or do what is not theirs."""
    findings: list[tuple[Key, str]] = []
    for key, row in _pairs(cast.world.agent.app):
        findings += [(key, what) async for what in _wrong_role(cast, key, row)]
        for role in ("owner", "park"):
            if row.role in (role, "any"):
                findings += [(key, what) async for what in _foreign(cast, key, row, role)]
    return findings


async def _wrong_role(cast: Cast, key: Key, row: Row) -> Any:
    """Nobody is asked for a token, the other role is refused, whatever is named."""
    callers: dict[str, Caller | None] = {"nobody": None}
    callers |= {f"owner {name}": side.callers["owner"] for name, side in _sides(cast)}
    callers |= {f"park {name}": side.callers["park"] for name, side in _sides(cast)}
    open_to_all = set()
    for who, caller in callers.items():
        refused = 401 if caller is None else 403
        if row.role == "public":
            said = await ask(cast.world, key, row, caller, {})
            open_to_all.add((said.status, said.body))
            if said.status in (401, 403, 429):
                yield f"{who}: {said.status} from a public route"
        elif caller is None or row.role not in ("any", who.split()[0]):
            for _, side in _sides(cast):
                values = _whole(side.values("owner"))
                said = await ask(cast.world, key, row, caller, values)
                if said.status != refused:
                    yield f"{who}: {said.status} instead of {refused}"
    if len(open_to_all) > 1:
        yield "a public route answers some differently"


def _sides(cast: Cast) -> tuple[tuple[str, Side], ...]:
    return (("A", cast.a), ("B", cast.b))


def _whole(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _missing(name) for name in _OWNED} | dict(values)


async def _foreign(cast: Cast, key: Key, row: Row, role: str) -> Any:
    """B naming what is A's hears what a wrong id hears, reads nothing of A's, changes nothing."""
    caller, own = cast.b.callers[role], _whole(cast.b.values(role))
    # Owners find every park in the directory; no park is told of another.
    secrets = cast.a.secrets | ({cast.a.objects["park_id"]} if role == "park" else set())
    named = sorted(_slots(key, row) & {*_OWNED, "receipt_id"})
    victims = [(name, cast.a.values(role)[name]) for name in named]
    if "receipt_id" in named:
        other = "park" if role == "owner" else "owner"
        victims += [("receipt_id", side.receipts[other]) for _, side in _sides(cast)]
    before = await cast.world.agent.store.read(lambda tx: holdings(tx, cast.a))
    for name, theirs in victims:
        missing = await ask(cast.world, key, row, caller, own | {name: _missing(name)})
        said = await ask(cast.world, key, row, caller, own | {name: theirs})
        if said != missing:
            yield f"{role} B can tell {name} of others ({said.status}) from a wrong one"
        if name not in row.query and said.status != web.HTTPNotFound.status_code:
            yield f"{role} B: {said.status} instead of 404 for {name} of others"
        if _reads(said, secrets):
            yield f"{role} B reads what is A's by naming {name}"
    if not victims:
        said = await ask(cast.world, key, row, caller, own)
        if said.status in _REFUSED or said.status >= 500:
            yield f"{role} B: {said.status} for a request of their own"
        if _reads(said, secrets):
            yield f"{role} B reads what is A's"
    if before != await cast.world.agent.store.read(lambda tx: holdings(tx, cast.a)):
        yield f"{role} B changes what is A's"


def _reads(said: Said, secrets: set[str]) -> bool:
    return any(secret.encode() in said.body for secret in secrets)


async def refused_owners(cast: Cast) -> list[tuple[Key, str]]:
    """Return the requests about A's own things that A is not let in with, and what a park sees."""
    findings: list[tuple[Key, str]] = []
    for key, row in _pairs(cast.world.agent.app):
        for role, caller in cast.a.callers.items():
            if row.role not in (role, "any"):
                continue
            said = await ask(cast.world, key, row, caller, cast.a.values(role))
            if said.status in _REFUSED or said.status >= 500:
                findings.append((key, f"{role} A: {said.status} {said.body.decode()[:300]}"))
            if role == "park" and _reads(said, cast.a.hidden):
                findings.append((key, "the park reads who the owner is"))
    return findings
