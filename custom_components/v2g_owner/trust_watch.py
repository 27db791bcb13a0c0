"""Hold the operator to its log: check every checkpoint, keep receipts, say when it is bent."""

import asyncio
from collections.abc import Callable
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback

from .api import Json, OwnerApi
from .api_errors import OwnerApiError
from .const import CONF_OWNER_ID, CONF_RECEIPT_KEY, CONF_SERVER_ID, LOGGER
from .models_deal import Commitment
from .snapshot import StreamEvent
from .trust_consent import Consent, consent_in
from .trust_issues import async_clear_contradiction, async_tell_contradiction, async_tell_epoch
from .trust_keys import TrustError
from .trust_log import Trusted, judge
from .trust_proofs import LogContradictionError
from .trust_receipt import read_receipt
from .trust_receipts import ReceiptBook
from .trust_store import TrustStore


class LogWatch:
    """Checks one operator's log in the background; the stream and each new connection wake it."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry[Any], api: OwnerApi) -> None:
        """Prepare; ``async_run`` does the work."""
        self._hass = hass
        self._entry = entry
        self._api = api
        self._store = TrustStore(hass, entry.entry_id)
        self.receipts = ReceiptBook(api, self._store, entry.data[CONF_OWNER_ID])
        self.trusted: Trusted | None = None
        """What we go by; None until the files have been read."""
        self.contradicted = False
        self._wake = asyncio.Event()
        self._notes: list[str] = []
        self._connected = False
        self._shown: set[str] = set()
        """The kinds of contradiction that the server was told of since all was well."""
        self._checking = asyncio.Lock()
        self._consents: dict[tuple[str, str, str | None], Consent] = {}
        self._listeners: list[Callable[[], None]] = []

    @property
    def evidence(self) -> list[Json]:
        """The contradictions seen, each with both checkpoints."""
        return self._store.evidence

    @callback
    def async_listen(self, listener: Callable[[], None]) -> CALLBACK_TYPE:
        """Call ``listener`` whenever receipts may have come; returns the way out."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def consent(self, deal: Commitment) -> Consent | None:
        """Return the owner's yes to a deal, None while no receipt that we hold proves it."""
        said = deal.decision.decision_id if deal.decision else None
        if said is None or self.trusted is None:
            return None
        about = said, deal.offer_id, deal.vehicle_id
        if (known := self._consents.get(about)) is not None:
            return known
        if (document := self.receipts.about("decision", said)) is None:
            return None
        data = self._entry.data
        try:
            entry = read_receipt(
                document, self.trusted.keyring, data[CONF_SERVER_ID], data[CONF_OWNER_ID]
            )
        except TrustError:
            return None
        if (found := consent_in(entry, deal)) is not None:
            self._consents[about] = found
        return found

    @callback
    def async_connection_changed(self, *, connected: bool) -> None:
        """Look at the log's head whenever the stream has come back."""
        if connected and not self._connected:
            self._wake.set()
        self._connected = connected

    @callback
    def async_handle_event(self, event: StreamEvent) -> None:
        """Take what the stream says about the log."""
        if event.type == "checkpoint.new":
            # A newer one covers an older one that waits; the proof between them is the same.
            self._notes = [str(event.data.get("checkpoint"))]
            self._wake.set()
        elif event.type == "ledger.epoch":
            self._wake.set()

    async def async_run(self) -> None:
        """Check whatever wakes us until cancelled."""
        data = self._entry.data
        self.trusted = await self._store.async_load(data[CONF_SERVER_ID], data[CONF_RECEIPT_KEY])
        await self.receipts.async_load()
        self._async_tell()
        self._wake.set()
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                notes, self._notes = self._notes, []
                try:
                    await self.async_check(notes[0] if notes else None)
                except OwnerApiError as error:
                    # The next connection, or the next checkpoint, wakes us again.
                    LOGGER.debug("The log could not be checked: %s", error)
        finally:
            await asyncio.shield(self._store.async_save_receipts(self.receipts.content))

    async def async_check(self, note: str | None = None) -> None:
        """Check one checkpoint, by default the log's head, and fetch new receipts."""
        async with self._checking:
            assert self.trusted is not None
            try:
                await self._async_judge(self.trusted, note)
                try:
                    await self._async_show_and_fetch(self.trusted)
                finally:
                    self._async_tell()
            except LogContradictionError as contradiction:
                await self._async_contradicted(contradiction)
            else:
                self.contradicted = False
                self._shown.clear()
                async_clear_contradiction(self._hass, self._entry)

    async def _async_show_and_fetch(self, trusted: Trusted) -> None:
        """Show receipts again and fetch the new ones.

        One that cannot be shown again must cost no other yes; who is cancelled asks no more.
        """
        try:
            await self.receipts.async_replay()
        except Exception:
            await self.receipts.async_catch_up(trusted)
            raise
        await self.receipts.async_catch_up(trusted)

    @callback
    def _async_tell(self) -> None:
        """Let what hangs on receipts be looked at again."""
        for listener in tuple(self._listeners):
            listener()

    async def async_start_over(self) -> None:
        """Go by the log as it is now; what was held against it stays on disk as evidence."""
        async with self._checking:
            assert self.trusted is not None
            self.trusted = Trusted(server_id=self.trusted.server_id, keys=self.trusted.keys)
            await self._store.async_save(self.trusted)
        await self.async_check()

    async def _async_judge(self, trusted: Trusted, note: str | None) -> None:
        """Judge a checkpoint and keep what follows from it."""
        is_head = note is None
        if note is None:
            note = str((await self._api.get("/v1/ledger/checkpoint")).get("checkpoint"))
        self.trusted, opened = await judge(self._api, trusted, note, is_head=is_head)
        if self.trusted != trusted or opened:
            await self._store.async_save(self.trusted, opened)
        if opened is not None:
            lost = self.receipts.lose(opened)
            async_tell_epoch(self._hass, self._entry, opened, receipts=lost)

    async def _async_contradicted(self, contradiction: LogContradictionError) -> None:
        """Tell the owner, keep the proof, and show the server what it signed before."""
        assert self.trusted is not None
        held = self.trusted.held
        LOGGER.debug("The operator's log contradicts us: %s", contradiction)
        async_tell_contradiction(self._hass, self._entry, contradiction, held)
        await self._store.async_note(
            {
                "kind": contradiction.kind,
                "held": held.note if held else None,
                "shown": contradiction.shown,
            }
        )
        self.contradicted = True
        if held is not None and contradiction.kind not in self._shown:
            # Who signed what it does not hold must not go on as if nothing had happened.
            await self._api.witness(held.note)
            self._shown.add(contradiction.kind)
