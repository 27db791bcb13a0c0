"""`owner-api owner`, `park`, `pair` and `device`: who may speak to the server."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import IO, Any, NoReturn

import click
from probatio import Invalid, Schema
import segno

from owner_api.commands.export import Export
from owner_api.problems import Problem, ProblemCode
from owner_api.schemas.owner import NAME, OWNER_PATCH
from owner_api.store.documents import to_json
from owner_api.store.upgrading import kept_copies

from .cli_common import (
    EXIT_BAD_INPUT,
    EXIT_CANNOT_RUN,
    EXIT_CHECK_FAILED,
    bad_input,
    cannot_run,
    database_option,
    json_option,
    say,
    table,
)
from .cli_operate import exporting, operate


@click.group("owner")
def owner() -> None:
    """People whose cars this server speaks for."""


@owner.command("add")
@click.argument("name")
@click.option("--time-zone", default="UTC", show_default=True, metavar="IANA")
@click.option(
    "--language", type=click.Choice(["en", "zh-Hans", "zh-Hant"]), default="en", show_default=True
)
@click.option("--currency", default="CNY", show_default=True)
@database_option
@json_option
def owner_add(
    name: str, time_zone: str, language: str, currency: str, *, database: Path, as_json: bool
) -> None:
    """Add an owner; makes the database when it is missing."""
    arguments = {
        "display_name": name,
        "time_zone": time_zone,
        "language": language,
        "currency": currency,
    }
    _check(arguments, as_json=as_json)
    added = operate(database, "owner add", arguments, as_json=as_json, create=True)
    say(added, as_json=as_json, text=added["owner_id"])
    if not as_json:
        # Beside the id, which a script may want alone.
        click.echo(
            f"Leave times count in {added['time_zone']}, money in {added['currency']}. The owner"
            " changes both with PATCH /v1/me; Home Assistant offers to set its own time zone.",
            err=True,
        )


@owner.command("list")
@database_option
@json_option
def owner_list(*, database: Path, as_json: bool) -> None:
    """List the owners."""
    found = operate(database, "owner list", {}, as_json=as_json)
    columns = ("owner_id", "display_name", "time_zone", "currency")
    say(found, as_json=as_json, text=table(found["items"], columns))


@owner.command("export")
@click.argument("owner_id", metavar="OWNER")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the document to a new file; without it, to standard output.",
)
@database_option
@json_option
def owner_export(owner_id: str, output: Path | None, *, database: Path, as_json: bool) -> None:
    """Write everything the database holds about OWNER as one JSON document."""
    with exporting(database, owner_id, as_json=as_json) as document:
        if output is None:
            with click.open_file("-", "wb") as stream:
                _write(document, stream)
                stream.write(b"\n")
            return
        try:
            with _new_file(output) as file:
                _write(document, file)
        except OSError as error:
            cannot_run(f"{output}: {error.strerror}", as_json=as_json)
    written = {"file": str(output), "rows": document.rows}
    say(written, as_json=as_json, text=f"{document.rows} rows in {output}")


def _write(document: Export, file: IO[bytes]) -> None:
    while piece := document.next():
        file.write(piece)


@contextmanager
def _new_file(path: Path) -> Iterator[IO[bytes]]:
    """Give a file that was not there, and take it away again when it does not get whole."""
    with path.open("xb") as file:
        try:
            yield file
        except BaseException:
            path.unlink()
            raise


@owner.command("erase")
@click.argument("owner_id", metavar="OWNER")
@click.option("--yes", is_flag=True, help="Do not ask.")
@database_option
@json_option
def owner_erase(owner_id: str, *, yes: bool, database: Path, as_json: bool) -> None:
    """Withdraw OWNER's agreements, stop what runs, and forget the person; the books stay.

    Exit code 1 while a deal is not settled for good: repeat the command once it is. Copies that an
    upgrade left beside the database are named: whoever is erased is still in them, and in backups.
    """
    if not yes and not _agreed(f"Forget {owner_id} for good?"):
        # Not 1: that is a deal which is not settled, for which the command is repeated.
        cannot_run(f"{owner_id}: not erased; nobody said yes", as_json=as_json)
    done = operate(database, "owner erase", {"owner_id": owner_id}, as_json=as_json)
    waits = ", ".join(done["waits_for"])
    text = f"{owner_id} erased" if done["erased"] else f"withdrawn; still to be settled: {waits}"
    copies = [str(each) for each in kept_copies(database)] if done["erased"] else []
    if copies:
        text += f"; still in copies from before an upgrade, delete them: {', '.join(copies)}"
    say(done | {"still_in": copies}, as_json=as_json, text=text)
    if not done["erased"]:
        raise click.exceptions.Exit(EXIT_CHECK_FAILED)


def _agreed(question: str) -> bool:
    """Ask, on standard error; nobody there to answer is a no."""
    try:
        return click.confirm(question, err=True)
    except click.Abort:
        click.echo(err=True)
        return False


def _check(arguments: dict[str, Any], *, as_json: bool) -> None:
    try:
        Schema(OWNER_PATCH)(arguments)
    except Invalid as error:
        bad_input(Problem(ProblemCode.INVALID_PARAMETER, str(error)), as_json=as_json)


@click.group("park")
def park() -> None:
    """Parks that may send offers to owners who agreed."""


@park.command("add")
@click.argument("name")
@click.option(
    "--terms",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A text file with the park's terms; short default terms without it.",
)
@database_option
@json_option
def park_add(name: str, terms: Path | None, *, database: Path, as_json: bool) -> None:
    """Add a park; prints its client id, this once its secret, and the log's public key."""
    try:
        NAME(name)
    except Invalid as error:
        bad_input(Problem(ProblemCode.INVALID_PARAMETER, f"NAME: {error}"), as_json=as_json)
    arguments = {"display_name": name} | _terms(terms, as_json=as_json)
    added = operate(database, "park add", arguments, as_json=as_json, create=True)
    key = to_json(added["receipt_key"]).decode()
    text = f"client_id {added['client_id']}\nclient_secret {added['client_secret']}"
    text += f"\nreceipt_key {key}"
    say(added, as_json=as_json, text=text)


@park.command("list")
@database_option
@json_option
def park_list(*, database: Path, as_json: bool) -> None:
    """List the parks and the version of their terms."""
    found = operate(database, "park list", {}, as_json=as_json)
    columns = ("park_id", "display_name", "terms_version")
    say(found, as_json=as_json, text=table(found["items"], columns))


@park.command("terms")
@click.argument("park_id")
@click.argument("terms", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@database_option
@json_option
def park_terms(park_id: str, terms: Path, *, database: Path, as_json: bool) -> None:
    """Put new terms in force; agreements already made keep the version they name."""
    arguments = {"park_id": park_id} | _terms(terms, as_json=as_json)
    changed = operate(database, "park terms", arguments, as_json=as_json)
    say(changed, as_json=as_json, text=f"terms_version {changed['terms_version']}")


@park.command("secret")
@click.argument("park_id")
@database_option
@json_option
def park_secret(park_id: str, *, database: Path, as_json: bool) -> None:
    """Give a park a new secret; the old one and its tokens stop working at once."""
    renewed = operate(database, "park secret", {"park_id": park_id}, as_json=as_json)
    text = f"client_id {renewed['client_id']}\nclient_secret {renewed['client_secret']}"
    say(renewed, as_json=as_json, text=text)


def _terms(file: Path | None, *, as_json: bool) -> dict[str, str]:
    if file is None:
        return {}
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        bad_input(Problem(ProblemCode.INVALID_PARAMETER, f"{file}: {error}"), as_json=as_json)
    if not 1 <= len(text) <= 100_000:
        limit = f"{file}: terms have 1 to 100000 characters"
        bad_input(Problem(ProblemCode.INVALID_PARAMETER, limit), as_json=as_json)
    return {"terms_text": text}


@click.command("pair")
@click.argument("owner_id", metavar="OWNER")
@click.option("--qr", is_flag=True, help="Also draw the code in the terminal.")
@click.option(
    "--svg",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the QR code to a file.",
)
@database_option
@json_option
def pair(owner_id: str, svg: Path | None, *, qr: bool, database: Path, as_json: bool) -> None:
    """Make the one-time code that pairs OWNER's next device; it lives ten minutes."""
    minted = operate(database, "pair", {"owner_id": owner_id}, as_json=as_json)
    uri = minted["uri"]
    lines = [minted["code"]]
    if uri is not None:
        lines.append(uri)
        if qr:
            drawn = StringIO()
            segno.make(uri, error="m").terminal(drawn, compact=True)
            lines.append(drawn.getvalue().rstrip("\n"))
    # The code is made by now: whatever becomes of its picture, it is told.
    say(minted, as_json=as_json, text="\n".join(lines))
    if (qr or svg) and uri is None:
        unknown = "no QR code: the server's address is known once it was started; the code is good"
        _also(unknown, EXIT_BAD_INPUT)
    if svg is not None:
        try:
            segno.make(uri, error="m").save(str(svg), kind="svg", scale=4)
        except OSError as error:
            _also(f"{svg}: {error.strerror}", EXIT_CANNOT_RUN)


def _also(reason: str, code: int) -> NoReturn:
    """End after a result was printed, saying what of it could not be done."""
    click.echo(f"owner-api: {reason}", err=True)
    raise click.exceptions.Exit(code)


@click.group("device")
def device() -> None:
    """List an owner's paired devices, or shut one out."""


@device.command("list")
@click.argument("owner_id", metavar="OWNER")
@database_option
@json_option
def device_list(owner_id: str, *, database: Path, as_json: bool) -> None:
    """List an owner's devices that can still call."""
    found = operate(database, "device list", {"owner_id": owner_id}, as_json=as_json)
    columns = ("device_id", "display_name", "kind", "paired_at", "last_seen_at")
    say(found, as_json=as_json, text=table(found["items"], columns))


@device.command("revoke")
@click.argument("device_id", metavar="DEVICE")
@database_option
@json_option
def device_revoke(device_id: str, *, database: Path, as_json: bool) -> None:
    """Shut a device out; its tokens are dead at once."""
    revoked = operate(database, "device revoke", {"device_id": device_id}, as_json=as_json)
    say(revoked, as_json=as_json, text=f"{device_id} revoked at {revoked['revoked_at']}")
