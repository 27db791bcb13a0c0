"""Keep on disk what holds the operator to its word: the last checkpoint and the receipts."""

from typing import Any, Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store

from .api import Json
from .const import DOMAIN
from .trust_epoch import NewEpoch
from .trust_log import Trusted
from .trust_note import read_kept_note

# Of contradictions that were shown, the newest are kept: each is proof by itself.
_MOST_EVIDENCE: Final = 10
# A burst of receipts is written once; what a crash loses is fetched again.
_RECEIPTS_DELAY_S: Final = 15


class TrustStore:
    """The files of one config entry: a small one, written at once, and the receipts."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Prepare; nothing is read yet."""
        self._log: Store[Json] = Store(
            hass, 1, f"{DOMAIN}.{entry_id}.log", private=True, atomic_writes=True
        )
        self._receipts: Store[Json] = Store(
            hass, 1, f"{DOMAIN}.{entry_id}.receipts", private=True, atomic_writes=True
        )
        self._kept: Json = {}

    async def async_load(self, server_id: str, pinned: str) -> Trusted:
        """Return what to go by: the pinned key, what it vouched for, and what was held last.

        After a new pairing with the same server, its new key begins a new chain of trust, but the
        checkpoint we hold still stands.
        """
        self._kept = await self._log.async_load() or {}
        keys = tuple(self._kept.get("keys", ()))
        note = self._kept.get("checkpoint")
        same_server = self._kept.get("server_id") == server_id
        return Trusted(
            server_id=server_id,
            keys=keys if same_server and keys[:1] == (pinned,) else (pinned,),
            held=read_kept_note(note) if note and same_server else None,
        )

    @property
    def evidence(self) -> list[Json]:
        """The contradictions seen, each with both checkpoints, oldest first."""
        return list(self._kept.get("evidence", ()))

    @property
    def epochs(self) -> list[Json]:
        """The losses that the operator said openly, oldest first."""
        return list(self._kept.get("epochs", ()))

    async def async_save(self, trusted: Trusted, opened: NewEpoch | None = None) -> None:
        """Write what we go by now, and a new epoch where one began."""
        self._kept = {
            **self._kept,
            "server_id": trusted.server_id,
            "keys": list(trusted.keys),
            "checkpoint": trusted.held.note if trusted.held else None,
        }
        if opened is not None:
            told = {
                "epoch": opened.epoch,
                "reason": opened.reason,
                "kept_size": opened.kept_size,
                "held_size": opened.held_size,
            }
            self._kept["epochs"] = [*self.epochs, told]
        await self._log.async_save(self._kept)

    async def async_note(self, evidence: Json) -> None:
        """Write down a contradiction, once, whatever we hold by then."""
        told = {(each["kind"], each["shown"]) for each in self.evidence}
        if (evidence["kind"], evidence["shown"]) not in told:
            self._kept["evidence"] = [*self.evidence, evidence][-_MOST_EVIDENCE:]
            await self._log.async_save(self._kept)

    async def async_load_receipts(self) -> Json:
        """Return the kept receipts' file."""
        return await self._receipts.async_load() or {}

    @callback
    def async_save_receipts_soon(self, content: dict[str, Any]) -> None:
        """Write the receipts after the burst."""
        self._receipts.async_delay_save(lambda: content, _RECEIPTS_DELAY_S)

    async def async_save_receipts(self, content: dict[str, Any]) -> None:
        """Write the receipts now."""
        await self._receipts.async_save(content)

    async def async_remove(self) -> None:
        """Forget everything."""
        await self._log.async_remove()
        await self._receipts.async_remove()
