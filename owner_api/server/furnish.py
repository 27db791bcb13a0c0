"""Lays out what commands need, in the server or in the process that writes for it."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
import sys

from owner_api.access.keys import load_keys
from owner_api.access.services import Access
from owner_api.access.tokens import Tokens
from owner_api.commands import freshness
from owner_api.commands.notary import attach, open_notary
from owner_api.config import Config
from owner_api.store import Store, Tx, clerk

# Errands arrive in words that this import makes understood.
from . import desk, errand as _errand, logs  # noqa: F401
from .desk import Desk
from .idempotency import learn
from .process import settle_process


async def open_desk(
    store: Store, database: Path, access: Access, config: Config, now: datetime
) -> Desk:
    """Let every batch of ``store`` be sealed from now on; raises KeyFileError or StoreError."""
    if store.apart is None:
        notary = await attach(store, database, access, now)
    else:
        key = access.receipt_key
        notary = await asyncio.to_thread(open_notary, database, access.server_id, key)
        store.apart.heard = notary.hear
        furnish = Furnish(database, access.server_id, config, now, logs.are_configured())
        await store.write(furnish)
    # Before anybody is served: a stop may be the first request.
    await store.write(learn)
    await store.write(partial(freshness.note, config=config))
    return Desk(access=access, notary=notary, config=config)


@dataclass(frozen=True, slots=True)
class Furnish:
    """The command that opens keys and log in the process that writes, as the server has them."""

    database: Path
    server_id: str
    config: Config
    now: datetime
    logs_json: bool

    def __call__(self, tx: Tx) -> None:
        """Make the desk of that process; raises KeyFileError."""
        if self.logs_json:
            logs.configure(sys.stderr)
        writing = clerk.here()
        keys = load_keys(self.database)
        # Commands make tokens; only the server reads any, and knows until when a former key counts.
        access = Access(server_id=self.server_id, keys=keys, tokens=Tokens(keys, self.server_id))
        notary = open_notary(self.database, self.server_id, access.receipt_key)
        desk.sit(Desk(access=access, notary=notary, config=self.config))
        writing.batches.before_commit = notary.seal
        writing.word = lambda: notary.refusing
        notary.open(tx, self.now)
        settle_process()
