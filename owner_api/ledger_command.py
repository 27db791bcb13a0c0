"""`owner-api ledger verify`: check a database's log offline."""

from dataclasses import asdict
from pathlib import Path
import sqlite3
from typing import Final

import click

from owner_api.audit.check import (
    WITHOUT_CHECKPOINT,
    WITHOUT_KEY,
    NoLogError,
    audit,
    open_read_only,
)
from owner_api.core.keyring import Keyring, SignatureError, read_keys
from owner_api.problems import Problem, ProblemCode
from owner_api.store.documents import to_json

from .cli_common import EXIT_CHECK_FAILED, bad_input, cannot_run, database_option, json_option

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
    when all holds, 1 when something does not, 2 for a bad key file, 3 when the file is no database.
    """
    pinned = None if public_key is None else read_public_keys(public_key, as_json=as_json)
    notes = [path.read_text(encoding="utf-8", errors="replace") for path in checkpoints]
    found = 0
    try:
        connection = open_read_only(database)
        try:
            connection.execute("BEGIN")
            for finding in audit(connection, pinned=pinned, shown=notes):
                found += 1
                click.echo(to_json(asdict(finding)))
        finally:
            connection.close()
    except (NoLogError, sqlite3.DatabaseError) as error:
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


def read_public_keys(path: Path, *, as_json: bool) -> Keyring:
    """Return the Ed25519 keys of a file; ends the program with exit code 2 when there is none."""
    try:
        return read_keys(path.read_text(encoding="utf-8"))
    except (SignatureError, UnicodeDecodeError) as error:
        bad_input(Problem(ProblemCode.INVALID_PARAMETER, f"{path}: {error}"), as_json=as_json)
