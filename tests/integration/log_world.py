"""An operator's log in memory, signed for real, whose every answer a test may bend."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.v2g_owner.api_errors import OwnerApiProblem
from custom_components.v2g_owner.const import (
    CONF_OWNER_ID,
    CONF_RECEIPT_KEY,
    CONF_SERVER_ID,
    DOMAIN,
)
from custom_components.v2g_owner.trust_keys import public_text
from custom_components.v2g_owner.trust_watch import LogWatch
from owner_api.core import checkpoint, keyring, merkle, receipt

OWNER = "own_1"
SERVER = "srv_1"
AT = "2026-10-01T10:00:00Z"
SALT = bytes(range(16))

type Json = dict[str, Any]


def away(code: str, status: int = 400) -> OwnerApiProblem:
    """Return the API's no, by its code."""
    return OwnerApiProblem(status, {"code": code, "detail": f"said {code}"})


@dataclass(kw_only=True)
class Log:
    """What an operator keeps and answers; ``bent`` answers go before the true ones."""

    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    server_id: str = SERVER
    epoch: int = 1
    entries: list[receipt.Entry] = field(default_factory=list)
    epochs: list[Json] = field(default_factory=list)
    keys: list[Json] = field(default_factory=list)
    bent: dict[str, Any] = field(default_factory=dict)
    """By the path's beginning: another answer, or the error that takes its place."""
    asked: list[str] = field(default_factory=list)
    shown: list[Json] = field(default_factory=list)
    """The receipts that were shown to it again."""
    witnessed: list[str] = field(default_factory=list)

    def say(self, kind: str = "stop", body: Any = None, **about: Any) -> int:
        """Write an entry, by default the owner's; returns its place."""
        whose = {"party_id": OWNER, "subject_id": None} | about
        self.entries.append(receipt.Entry(kind=kind, at=AT, body=body or {}, **whose))
        return len(self.entries) - 1

    def open_epoch(self, *, keep: int, size: int | None = None, **changes: Any) -> Json:
        """Lose what came after the first ``keep`` entries, and say so in a signed entry.

        ``size`` is what the log is said to have been, ``changes`` what else is said than the truth.
        """
        note = self.note(keep) if keep else None
        size = len(self.entries) if size is None else size
        lost = {"checkpoint": self.note(size), "size": size}
        self.entries = self.entries[:keep]
        self.epoch += 1
        said = {
            "epoch": self.epoch,
            "reason": "the disk broke",
            "kept": None if note is None else {"checkpoint": note, "size": keep},
            "lost": lost,
        } | changes
        item = {**said, "at": AT, "salt": SALT.hex()}
        item["position"] = self.say("epoch", said, party_id=None)
        self.epochs.append(item)
        return item

    def change_key(self, *, vouched: bool = True) -> None:
        """Sign with another key from now on, vouched for by the former one or by nobody."""
        former, self.private = self.private, Ed25519PrivateKey.generate()
        public = self.private.public_key()
        statement = keyring.vouch(
            public,
            issuer=receipt.issuer(SERVER),
            at=0,
            old=former if vouched else Ed25519PrivateKey.generate(),
        )
        x = keyring.public_jwk(public)["x"]
        said = {"key_id": keyring.key_id(public), "x": x, "statement": statement}
        item = {**said, "at": AT, "salt": SALT.hex()}
        item["position"] = self.say("key", said, party_id=None)
        self.keys.append(item)

    def tree(self) -> dict[tuple[int, int], bytes]:
        """Return every node of the log."""
        frontier, nodes = merkle.Frontier(), {}
        for entry in self.entries:
            digest = receipt.content_digest(SALT, entry.content)
            leaf = merkle.leaf_hash(receipt.leaf_bytes(entry.kind, entry.at, digest))
            frontier, made = frontier.append(leaf)
            nodes |= {(node.level, node.number): node.hash for node in made}
        return nodes

    def note(self, size: int | None = None) -> str:
        """Return the signed checkpoint over the first ``size`` entries, by default all."""
        nodes = self.tree()
        size = len(self.entries) if size is None else size
        root = merkle.frontier_at(size, lambda level, number: nodes[level, number]).root()
        origin = checkpoint.origin(self.server_id, self.epoch)
        return checkpoint.Checkpoint(origin=origin, size=size, root=root).sign(self.private)

    def jws(self, position: int) -> str:
        """Return the signed entry of one place."""
        iss = receipt.issuer(self.server_id)
        entry = self.entries[position]
        return receipt.sign(
            entry, position=position, salt=SALT, iss=iss, iat=0, private=self.private
        )

    def document(self, position: int) -> Json:
        """Return the true receipt for one place."""
        size = len(self.entries)
        return {
            "jws": self.jws(position),
            "proof": {"size": size, "path": self.inclusion(position, size)},
            "checkpoint": self.note(),
            "key_statements": [],
        }

    def inclusion(self, position: int, size: int) -> list[str]:
        """Return the audit path of one place."""
        nodes = self.tree()
        path = merkle.inclusion_proof(position, size, lambda level, number: nodes[level, number])
        return [part.hex() for part in path]

    def consistency(self, old: int, new: int) -> list[str]:
        """Return the proof that the log of one size begins with that of the other."""
        nodes = self.tree()
        path = merkle.consistency_proof(old, new, lambda level, number: nodes[level, number])
        return [part.hex() for part in path]

    async def get(self, path: str) -> Any:
        """Answer as the API does, unless a test bends it."""
        self.asked.append(path)
        for start, answer in self.bent.items():
            if path.startswith(start):
                if isinstance(answer, Exception):
                    raise answer
                return answer
        place, _, query = path.removeprefix("/v1/").partition("?")
        wanted = dict(parse_qsl(query))
        match place.split("/"):
            case ["ledger", "checkpoint"]:
                answer = {"checkpoint": self.note(), "size": len(self.entries)}
            case ["ledger", "epochs" | "keys" as which]:
                answer = {"items": self.epochs if which == "epochs" else self.keys}
            case ["ledger", "proofs", "inclusion"]:
                answer = {"path": self.inclusion(int(wanted["position"]), int(wanted["size"]))}
            case ["ledger", "proofs", "consistency"]:
                answer = {"path": self.consistency(int(wanted["from"]), int(wanted["to"]))}
            case ["receipts", name]:
                answer = self.document(int(name.removeprefix("rcp_"), 16))
            case _:
                assert place == "receipts", path
                answer = self._page(wanted.get("cursor", ""))
        return answer

    def _page(self, after: str) -> Json:
        """Return up to two names of receipts after one."""
        names = [
            {"receipt_id": receipt.receipt_id(position), "kind": entry.kind}
            for position, entry in enumerate(self.entries)
            if entry.party_id == OWNER and receipt.receipt_id(position) > after
        ]
        more = len(names) > 2
        return {
            "items": names[:2],
            "next_cursor": names[1]["receipt_id"] if more else None,
        }

    async def post(self, path: str, body: Json) -> Any:
        """Take a receipt that is shown again: recorded under the next place, unless bent."""
        assert path == "/v1/ledger/receipts"
        self.shown.append(body)
        answer = self.bent.get("replay")
        if isinstance(answer, Exception):
            raise answer
        return answer or {"serving": True, "receipt_id": f"rcp_{len(self.shown)}"}

    async def witness(self, note: str) -> Json:
        """Take a checkpoint that somebody else holds."""
        self.witnessed.append(note)
        return {}


@dataclass(kw_only=True)
class Watched:
    """A home that holds an operator to its log."""

    hass: HomeAssistant
    entry: MockConfigEntry
    log: Log
    watch: LogWatch

    @property
    def repair(self) -> tuple[str, str] | None:
        """Which repair about the log the owner sees, and what it says is wrong."""
        name = f"log_contradiction_{self.entry.entry_id}"
        issue = ir.async_get(self.hass).async_get_issue(DOMAIN, name)
        if issue is None:
            return None
        return str(issue.translation_key), (issue.translation_placeholders or {})["detail"]

    @property
    def held_size(self) -> int | None:
        """The size of the checkpoint we go by."""
        trusted = self.watch.trusted
        return trusted.held.size if trusted and trusted.held else None

    @property
    def kept(self) -> list[str]:
        """The ids of the receipts that are kept."""
        return [document["receipt_id"] for document in self.watch.receipts.documents]


@asynccontextmanager
async def watched(hass: HomeAssistant, log: Log, *, entries: int = 3) -> AsyncIterator[Watched]:
    """Have a home watch a log that is true so far, its first entries the owner's stops."""
    for number in range(entries):
        log.say(body={"number": number})
    pinned = public_text(log.private.public_key())
    data = {CONF_SERVER_ID: SERVER, CONF_OWNER_ID: OWNER, CONF_RECEIPT_KEY: pinned}
    entry = MockConfigEntry(domain=DOMAIN, title="Li Wei", data=data)
    entry.add_to_hass(hass)
    api: Any = log
    watch = LogWatch(hass, entry, api)
    running = asyncio.create_task(watch.async_run())
    made = Watched(hass=hass, entry=entry, log=log, watch=watch)
    try:
        async with asyncio.timeout(10):
            while made.held_size != entries or len(made.kept) != entries:
                assert not running.done(), running.exception()
                await asyncio.sleep(0)
        assert made.repair is None
        yield made
        # However the log answered, it goes on being watched.
        assert not running.done(), running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
