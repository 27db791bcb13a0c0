"""Fetch, check and keep the owner's receipts: proof that needs no operator."""

from http import HTTPStatus
from typing import Any, Final

from .api import Json, OwnerApi
from .api_errors import OwnerApiAnswerError, OwnerApiAuthError, OwnerApiError, OwnerApiProblem
from .const import LOGGER
from .trust_epoch import NewEpoch
from .trust_keys import TrustError, UnknownKeyError
from .trust_log import Trusted
from .trust_note import Checkpoint
from .trust_proofs import LogContradictionError, prove_entry, readable
from .trust_receipt import Entry, check_place, read_receipt, receipt_name
from .trust_replay import REPLAYED, async_replay, is_waiting
from .trust_store import TrustStore

# What an owner may have to prove: a yes or no, a stop, an agreement, what is owed and paid.
_KEPT: Final = ("decision", "stop", "agreement.", "settlement.", "reward.", REPLAYED)
# A few kB each: the newest of about two years of daily deals.
MOST_RECEIPTS: Final = 2_000
_PAGE: Final = 200
# A server that fails at so many at once is in trouble: the rest is asked for later.
_MOST_FAILURES: Final = 10
_NO_TIME: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


class ReceiptBook:
    """One owner's receipts on disk, by epoch and id; those a restore lost are never dropped."""

    def __init__(self, api: OwnerApi, store: TrustStore, owner_id: str) -> None:
        """Prepare; nothing is read yet."""
        self._api = api
        self._store = store
        self._owner_id = owner_id
        self._cursor = ""
        self._kept: dict[str, Json] = {}
        self._missing: dict[str, str] = {}
        """Receipts to ask for again, the longest not asked for first, and what was wrong with them;
        nothing where the API had none for us."""

    async def async_load(self) -> None:
        """Read what is on disk."""
        content = await self._store.async_load_receipts()
        self._cursor = str(content.get("cursor", ""))
        self._kept = dict(content.get("receipts", {}))
        self._missing = dict(content.get("missing", {}))

    @property
    def documents(self) -> list[Json]:
        """The kept receipts, oldest first, as ``owner-api receipt verify`` takes them."""
        return list(self._kept.values())

    def about(self, kind: str, subject_id: str) -> Json | None:
        """Return the newest kept receipt of a kind about something, None without one."""
        found = (
            each
            for each in reversed(self._kept.values())
            if (each["kind"], each["subject_id"]) == (kind, subject_id)
        )
        return next(found, None)

    @staticmethod
    def is_wanted(kind: object) -> bool:
        """Tell whether receipts of a kind are kept."""
        return str(kind).startswith(_KEPT)

    async def async_catch_up(self, trusted: Trusted) -> None:
        """Fetch and check what is new.

        One that cannot be had, or does not hold, costs no other: later ones are fetched as well.
        Raises LogContradictionError as long as one does not hold, OwnerApiError when the API could
        not be asked; what was fetched until then stays.
        """
        names: list[tuple[str, object]] = []
        cursor = self._cursor
        while True:
            after = f"&cursor={cursor}" if cursor else ""
            answer = await self._api.get(f"/v1/receipts?limit={_PAGE}{after}")
            with readable("the list of receipts"):
                names += [(str(each["receipt_id"]), each["kind"]) for each in answer["items"]]
            if answer.get("next_cursor") is None:
                break
            cursor = str(answer["next_cursor"])
        wanted = [name for name, kind in names if self.is_wanted(kind)][-MOST_RECEIPTS:]
        again = list(self._missing)[:_MOST_FAILURES]
        failed: list[str] = []
        try:
            for name in wanted:
                if not await self._async_fetch(name, trusted):
                    failed.append(name)
                self._cursor = name
                if len(failed) == _MOST_FAILURES:
                    break
            else:
                if names:
                    self._cursor, _ = names[-1]
            for name in again:
                await self._async_fetch(name, trusted)
        finally:
            if names or again:
                self._store.async_save_receipts_soon(self.content)
        if (wrong := next((why for why in self._missing.values() if why), None)) is not None:
            raise LogContradictionError("receipt", wrong)

    async def _async_fetch(self, name: str, trusted: Trusted) -> bool:
        """Fetch one receipt and keep it if it holds; else it is asked for again, after others.

        Returns False where the API has none for us. Raises OwnerApiError where it is not there, or
        has no time; a log that contradicts what we hold raises LogContradictionError.
        """
        held = trusted.held
        assert held is not None
        was_wrong = self._missing.pop(name, "")
        try:
            document = await self._api.get(f"/v1/receipts/{name}")
            await self._async_keep(name, document, trusted, held)
        except OwnerApiError as error:
            self._miss(name, was_wrong)
            if not _is_about_one(error):
                raise
            LOGGER.debug("A receipt could not be fetched: %s", error)
            return False
        except LogContradictionError as contradiction:
            self._miss(name, str(contradiction))
            if contradiction.kind != "receipt":
                raise
        return True

    def _miss(self, name: str, wrong: str) -> None:
        """Remember to ask for a receipt again, and what was wrong with it if it was shown."""
        self._missing[name] = wrong
        for oldest in list(self._missing)[:-MOST_RECEIPTS]:
            del self._missing[oldest]

    async def _async_keep(
        self, name: str, document: Json, trusted: Trusted, held: Checkpoint
    ) -> None:
        """Keep a receipt that holds, under the name it was asked for by."""
        try:
            entry = read_receipt(document, trusted.keyring, trusted.server_id, self._owner_id)
            try:
                covering = check_place(document, entry, trusted.keyring)
            except UnknownKeyError:
                # From before we paired, under a former key: the log we hold must have it too.
                covering = held
                document = await self._under(document, entry, held)
        except TrustError as error:
            raise LogContradictionError("receipt", str(error)) from error
        if entry.receipt_id != name:
            raise LogContradictionError("receipt", "the receipt of another entry")
        shown: dict[str, Any] = {
            "receipt_id": entry.receipt_id,
            "position": entry.position,
            "kind": entry.kind,
            "at": entry.at,
            "subject_id": entry.subject_id,
        }
        proof = ("jws", "proof", "checkpoint", "key_statements")
        shown |= {name: document[name] for name in proof if name in document}
        self._kept[f"{covering.epoch}/{entry.receipt_id}"] = shown | {"epoch": covering.epoch}
        self._drop_oldest()

    async def _under(self, document: Json, entry: Entry, held: Checkpoint) -> Json:
        """Return a receipt with the proof that it is under the checkpoint we hold."""
        path = await prove_entry(self._api, entry.leaf, entry.position, held)
        proof = {"size": held.size, "path": [part.hex() for part in path]}
        return {**document, "proof": proof, "checkpoint": held.note}

    def lose(self, opened: NewEpoch) -> int:
        """Mark receipts of entries that a restore lost; return how many.

        Their places in the log are taken again by other entries, so reading begins there anew.
        What an earlier restore lost is marked again wherever it stood: the record of its being
        shown may be what is lost now, and shown twice it is recorded once.
        """
        before = [receipt for receipt in self._kept.values() if receipt["epoch"] < opened.epoch]
        lost = [receipt for receipt in before if receipt["position"] >= opened.kept_size]
        missing = [receipt for receipt in before if "missing_since_epoch" in receipt]
        for receipt in (*lost, *missing):
            receipt["missing_since_epoch"] = opened.epoch
        self._cursor = min(self._cursor, receipt_name(max(opened.kept_size - 1, 0)))
        first_lost = receipt_name(opened.kept_size)
        self._missing = {name: why for name, why in self._missing.items() if name < first_lost}
        self._store.async_save_receipts_soon(self.content)
        return len(lost)

    async def async_replay(self) -> None:
        """Show the server what a restore lost; raises OwnerApiError with the rest still waiting."""
        waiting = [receipt for receipt in self._kept.values() if is_waiting(receipt)]
        try:
            for receipt in waiting:
                await async_replay(self._api, receipt)
        finally:
            if waiting:
                self._store.async_save_receipts_soon(self.content)

    @property
    def content(self) -> Json:
        """What goes to disk."""
        return {"cursor": self._cursor, "receipts": self._kept, "missing": self._missing}

    def _drop_oldest(self) -> None:
        """Keep the file bounded."""
        spare = [key for key, kept in self._kept.items() if "missing_since_epoch" not in kept]
        for key in spare[: max(0, len(spare) - MOST_RECEIPTS)]:
            del self._kept[key]


def _is_about_one(error: OwnerApiError) -> bool:
    """Tell whether an error is an answer about one receipt, and not that nobody answers now."""
    if isinstance(error, OwnerApiProblem):
        return not isinstance(error, OwnerApiAuthError) and error.status not in _NO_TIME
    return isinstance(error, OwnerApiAnswerError)
