"""`owner-api ledger verify`: check a database's log offline."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
import sqlite3
from typing import Final

import click

from owner_api.access.keys import KeyFileError, receipt_keys
from owner_api.access.services import accept_new_key
from owner_api.audit.check import (
    WITHOUT_CHECKPOINT,
    WITHOUT_KEY,
    NoLogError,
    audit,
    open_read_only,
)
from owner_api.commands.epochs import ask_for, read_own
from owner_api.core.checkpoint import CheckpointError, kept_note
from owner_api.core.keyring import Keyring, SignatureError, read_keys
from owner_api.problems import Problem, ProblemCode
from owner_api.store import StoreError, Tx
from owner_api.store.documents import to_json
from owner_api.store.locking import FileLock

from .cli_common import (
    EXIT_CHECK_FAILED,
    CannotRunError,
    bad_input,
    cannot_run,
    database_option,
    json_option,
    say,
)
from .cli_operate import readable

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("ledger")
def ledger() -> None:
    """Check the log of everything that matters to either side."""


@ledger.command("verify")
@database_option
@click.option(
    "--checkpoint", "checkpoints", type=_FILE, multiple=True, help="A checkpoint somebody kept."
)
@click.option("--public-key", "public_key", type=_FILE, help="The pinned key: PEM, JWK or JWK set.")
@json_option
def verify(
    *,
    database: Path,
    checkpoints: tuple[Path, ...],
    public_key: Path | None,
    as_json: bool,
) -> None:
    """Check every column of the log, the receipts and the postings, on a file at rest or served.

    Prints one JSON line {table, row, column, what} for each thing that does not hold. Exit code 0
    when all holds, 1 when something does not, 2 for a file without a key or without a checkpoint,
    3 when the file is no database. A checkpoint may stand in the JSON that the API answers.
    """
    pinned = None if public_key is None else read_public_keys(public_key, as_json=as_json)
    notes = [_read_checkpoint(path, as_json=as_json) for path in checkpoints]
    found = 0
    try:
        with readable(database) as file, closing(open_read_only(file)) as connection:
            connection.execute("BEGIN")
            for finding in audit(connection, pinned=pinned, shown=notes):
                found += 1
                click.echo(to_json(asdict(finding)))
    except (NoLogError, StoreError, CannotRunError, sqlite3.DatabaseError) as error:
        cannot_run(f"{database}: {error}", as_json=as_json)
    limits = [] if checkpoints else [WITHOUT_CHECKPOINT]
    limits += [] if public_key else [WITHOUT_KEY]
    if as_json:
        click.echo(to_json({"findings": found, "not_excluded": limits}))
    else:
        for line in (*limits, f"{found} findings" if found else "The log is whole."):
            click.echo(f"owner-api: {line}", err=True)
    if found:
        raise click.exceptions.Exit(EXIT_CHECK_FAILED)


@ledger.command("new-epoch")
@click.option("--reason", required=True, help="Why leaves are missing; every party reads it.")
@click.option("--checkpoint", type=_FILE, help="The last checkpoint that is known of the lost log.")
@database_option
@json_option
def new_epoch(*, reason: str, checkpoint: Path | None, database: Path, as_json: bool) -> None:
    """Say openly that this log is an older history; the next start begins a new epoch.

    Needed after a database was put back by hand: a server that is shown a checkpoint it does not
    hold serves nobody until this is done. `owner-api restore` does it by itself.
    """
    ask = new_epoch_request(database, database, reason, checkpoint, as_json=as_json)
    lock = FileLock(database)
    try:
        lock.acquire()
        try:
            connection = sqlite3.connect(database)
            with connection:
                ask(Tx(connection))
            connection.close()
        finally:
            lock.release()
    except (StoreError, sqlite3.Error) as error:
        cannot_run(f"{database}: {error}", as_json=as_json)
    text = f"{database}: the next start opens a new epoch of the log"
    say({"database": str(database), "reason": reason}, as_json=as_json, text=text)


@ledger.command("new-key")
@database_option
@json_option
def new_key(*, database: Path, as_json: bool) -> None:
    """Make a new key for a log whose own is lost; without one no server starts.

    Where a key of another log lies beside it, as after a fresh install, that one is taken.
    First look for a copy of the key directory: nobody vouches for a new key, so that every Home
    Assistant warns its owner and has to be paired again, and every park needs the new one.
    """
    lock = FileLock(database)
    try:
        with closing(open_read_only(database)):
            lock.acquire()
        try:
            with closing(sqlite3.connect(database)) as connection, connection:
                path = accept_new_key(Tx(connection), database)
        finally:
            lock.release()
    except (NoLogError, StoreError, KeyFileError, OSError, sqlite3.Error) as error:
        cannot_run(f"{database}: {error}", as_json=as_json)
    text = f"{path}: the next start signs with it; keep a copy elsewhere"
    say({"database": str(database), "key": str(path)}, as_json=as_json, text=text)


def new_epoch_request(
    log: Path, database: Path, reason: str, checkpoint: Path | None, *, as_json: bool
) -> Callable[[Tx], None]:
    """Return what notes in a database at rest that its log goes on in a new epoch.

    All that was given is checked first, against ``log`` and the keys beside ``database``: ends the
    program when it will not do, with nothing written.
    """
    if not 1 <= len(reason) <= 200 or not reason.isprintable():
        limit = "--reason: 1 to 200 printable characters"
        bad_input(Problem(ProblemCode.INVALID_PARAMETER, limit), as_json=as_json)
    note = None if checkpoint is None else _read_checkpoint(checkpoint, as_json=as_json)
    try:
        connection = open_read_only(log)
        try:
            if note is not None:
                read_own(Tx(connection), note, receipt_keys(database))
        finally:
            connection.close()
    except CheckpointError as error:
        problem = Problem(ProblemCode.INVALID_PARAMETER, f"{checkpoint}: {error}")
        bad_input(problem, as_json=as_json)
    except (NoLogError, KeyFileError, OSError, sqlite3.Error) as error:
        cannot_run(f"{log}: {error}", as_json=as_json)
    return partial(ask_for, reason=reason, lost_note=note)


def _read_checkpoint(path: Path, *, as_json: bool) -> str:
    """Return the note that somebody kept in a file; ends the program with exit code 2 without."""
    try:
        return kept_note(path.read_text(encoding="utf-8"))
    except (CheckpointError, UnicodeDecodeError) as error:
        bad_input(Problem(ProblemCode.INVALID_PARAMETER, f"{path}: {error}"), as_json=as_json)


def read_public_keys(path: Path, *, as_json: bool) -> Keyring:
    """Return the Ed25519 keys of a file; ends the program with exit code 2 when there is none."""
    try:
        return read_keys(path.read_text(encoding="utf-8"))
    except (SignatureError, UnicodeDecodeError) as error:
        bad_input(Problem(ProblemCode.INVALID_PARAMETER, f"{path}: {error}"), as_json=as_json)
