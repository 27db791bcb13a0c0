"""What a park holds its operator to: the last checkpoint it was sent, and what contradicts it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from owner_api.core import checkpoint as notes
from owner_api.core.checkpoint import Checkpoint
from owner_api.core.keyring import Keyring

from .client import ApiError, Client
from .log_proofs import LogContradictedError, Loss, prove_epoch, prove_growth, read


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Evidence against the operator: two signed notes that no honest log can both have signed."""

    held: str
    shown: str
    detail: str


class KeptLog:
    """Keeps the last checkpoint, over a restart when it has a file, and checks each newer one.

    The file is the signed note itself, as ``owner-api ledger verify --checkpoint`` takes it.
    """

    def __init__(self, client: Client, keys: Keyring, file: Path | None = None) -> None:
        self.losses: list[Loss] = []
        self.contradictions: list[Contradiction] = []
        self.on_contradiction: Callable[[Contradiction], None] | None = None
        self.note = file.read_text(encoding="utf-8") if file and file.exists() else ""
        self._client = client
        self._keys = keys
        self._file = file
        self._told = ""
        self._news = asyncio.Event()

    @property
    def held(self) -> Checkpoint | None:
        """The checkpoint we go by, checked before it was kept; None before the first."""
        return notes.parse(self.note) if self.note else None

    def hear(self, note: str = "") -> None:
        """Take the news that the log has a newer checkpoint, or without one a new epoch."""
        # A newer one covers an older one that waits: the proof between them is the same.
        self._told = note
        self._news.set()

    async def watch(self) -> None:
        """Check the log's head, then whatever is heard of it, until cancelled."""
        self._news.set()
        while True:
            await self._news.wait()
            self._news.clear()
            told, self._told = self._told, ""
            try:
                await self.check(told)
            except LogContradictedError:
                # It has been noted and shown; the park goes on holding what it holds.
                continue
            except ApiError:
                # Nothing was shown, so nothing is contradicted; the next news wakes us again.
                continue

    async def check(self, note: str = "") -> None:
        """Judge a checkpoint, by default the log's head, and keep what is newest.

        Raises LogContradictedError when it contradicts the one that is held.
        """
        is_head = not note
        if is_head:
            note = str((await self._client.get("/v1/ledger/checkpoint"))["checkpoint"])
        try:
            await self._judge(note, is_head=is_head)
        except LogContradictedError as error:
            await self._tell(Contradiction(held=self.note, shown=note, detail=str(error)))
            raise

    async def _judge(self, note: str, *, is_head: bool) -> None:
        shown, self._keys = await read(self._client, note, self._keys)
        held = self.held
        if held is None:
            self._keep(note)
            return
        if shown.server_id != held.server_id:
            raise LogContradictedError("the log of another server")
        if shown.epoch > held.epoch:
            self.losses.append(await prove_epoch(self._client, held, shown, self._keys))
            self._keep(note)
        elif (shown.epoch, shown.size) >= (held.epoch, held.size):
            await prove_growth(self._client, held, shown)
            self._keep(note)
        elif is_head:
            raise LogContradictedError(f"{shown.size} entries where {held.size} were signed")
        elif shown.epoch == held.epoch:
            # Old news that came late must be a beginning of what is held all the same.
            await prove_growth(self._client, shown, held)

    def _keep(self, note: str) -> None:
        self.note = note
        if self._file:
            fresh = self._file.with_suffix(".new")
            fresh.write_text(note, encoding="utf-8")
            fresh.replace(self._file)

    async def _tell(self, found: Contradiction) -> None:
        """Note the evidence once, and show the server what it signed before."""
        if found in self.contradictions:
            return
        self.contradictions.append(found)
        if self.on_contradiction:
            self.on_contradiction(found)
        if found.held:
            # Who signed what it does not hold must not go on as if nothing had happened.
            await self._client.post("/v1/ledger/witness", {"checkpoint": found.held})
