"""`owner-api db`, `backup` and `restore`: the file itself."""

from contextlib import closing
from dataclasses import asdict
from pathlib import Path
import sqlite3

import click

from owner_api.access.keys import KeyFileError, key_directory, receipt_keys
from owner_api.access.services import signed_by
from owner_api.audit.check import open_read_only
from owner_api.store import StoreError, Tx
from owner_api.store.copying import check, copy
from owner_api.store.upgrading import upgrade

from .cli_common import (
    EXIT_CHECK_FAILED,
    CannotRunError,
    cannot_run,
    database_option,
    json_option,
    say,
)
from .cli_operate import readable
from .ledger_command import new_epoch_request


@click.group("db")
def db() -> None:
    """Upgrade or check a database."""


@db.command("upgrade")
@database_option
@json_option
def db_upgrade(*, database: Path, as_json: bool) -> None:
    """Bring the schema to this program's; a copy of the older file is kept beside it.

    A missing file is made, which is said: there may be another where it was looked for.
    """
    made = not database.exists()
    try:
        revision = upgrade(database)
    except (StoreError, OSError) as error:
        cannot_run(str(error), as_json=as_json)
    new = "there was none, made a new one; " if made else ""
    say(
        {"revision": revision, "made": made},
        as_json=as_json,
        text=f"{database}: {new}schema {revision}",
    )


@db.command("check")
@database_option
@json_option
def db_check(*, database: Path, as_json: bool) -> None:
    """Check pages, references, schema and the books' sums; exit code 1 when something is wrong."""
    try:
        with readable(database) as file:
            health = check(file)
    except (StoreError, CannotRunError) as error:
        cannot_run(str(error), as_json=as_json)
    schema = f"{database}: schema {health.revision}"
    if health.is_newer:
        schema += f", newer than this program's {health.newest}; use a newer program"
    elif health.revision != health.newest:
        schema += f", this program knows {health.newest}; see db upgrade"
    text = "\n".join((schema, *(health.problems or ("no damage found",))))
    say(asdict(health) | {"sound": health.sound}, as_json=as_json, text=text)
    if not health.sound:
        raise click.exceptions.Exit(EXIT_CHECK_FAILED)


@click.command("backup")
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@database_option
@json_option
def backup(target: Path, *, database: Path, as_json: bool) -> None:
    """Copy the database to TARGET, a new file, while it is served or not.

    Keys are not in it: keep a copy of the key directory at another place.
    """
    try:
        with readable(database) as file:
            size = copy(file, target)
    except (StoreError, CannotRunError) as error:
        cannot_run(str(error), as_json=as_json)
    keys = str(key_directory(database))
    text = f"{size} bytes in {target}; the keys are not in it, keep {keys} elsewhere"
    say({"file": str(target), "bytes": size, "keys": keys}, as_json=as_json, text=text)


@click.command("restore")
@click.argument("source", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--reason", default="restored from a backup", show_default=True)
@click.option(
    "--checkpoint",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The last checkpoint that is known of the lost log.",
)
@database_option
@json_option
def restore(
    source: Path, *, reason: str, checkpoint: Path | None, database: Path, as_json: bool
) -> None:
    """Put the backup SOURCE back as the database; never overwrites one, nor restores a bad one.

    What was recorded after the backup is lost, and the next start says so to every party: the log
    goes on in a new, signed epoch. Erasures and revocations since then have to be done again, and
    no rule or automation says yes for a car until its owner has confirmed the limits of the backup.
    """
    try:
        health = check(source)
        if health.problems:
            cannot_run(f"{source}: not restored; {health.problems[0]}", as_json=as_json)
        if health.is_newer:
            newer = f"schema {health.revision} is newer than this program's {health.newest}"
            cannot_run(f"{source}: not restored; {newer}; use a newer program", as_json=as_json)
        # In the draft, before it gets its name: a history that is older must never pass for the
        # newest, not even when this is interrupted.
        ask = new_epoch_request(source, database, reason, checkpoint, as_json=as_json)
        reaches_to = _reaches_to(source)
        size = copy(source, database, ask)
    except StoreError as error:
        cannot_run(str(error), as_json=as_json)
    keys, has_its_key = key_directory(database), _has_its_key(database)
    text = f"{size} bytes in {database}"
    if not has_its_key:
        text += f"; put its keys back as {keys} before anything else"
    if reaches_to is not None:
        text += (
            f"\nIt reaches to {reaches_to}. Erase and revoke again what was erased and revoked"
            " after that; who paired or renewed access after that has to pair again."
            "\nNo rule or automation says yes for a car until its owner has confirmed its limits."
        )
    restored = {
        "file": str(database),
        "bytes": size,
        "keys_present": has_its_key,
        "reaches_to": reaches_to,
    }
    say(restored, as_json=as_json, text=text)


def _has_its_key(database: Path) -> bool:
    """Tell whether the key is here that signed the log; that of a fresh install did not."""
    try:
        with closing(open_read_only(database)) as connection:
            return signed_by(Tx(connection)) in receipt_keys(database)
    except KeyFileError, OSError, sqlite3.Error:
        return False


def _reaches_to(source: Path) -> str | None:
    """Return when the newest entry of a backup's log was made; None without one."""
    connection = open_read_only(source)
    try:
        row = connection.execute(
            "SELECT at FROM ledger_leaf ORDER BY position DESC LIMIT 1"
        ).fetchone()
    except sqlite3.Error:
        # An older schema that had no log yet, or none at all: the next start says which.
        return None
    finally:
        connection.close()
    return None if row is None else str(row[0])
