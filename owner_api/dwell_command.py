"""`owner-api dwell`: how good the departure forecast is, and where its shipped prior came from."""

from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import click
import orjson

from owner_api.command_problem import refuse
from owner_api.planning.dwell import DwellInputError, Stay, StayHistory
from owner_api.planning.dwell_evaluation import UserStay
from owner_api.planning.dwell_prior import derive_prior_bands
from owner_api.planning.dwell_report import document, evaluate, tables
from owner_api.sessions_csv import SessionsCsvError, SessionsRead, read_sessions

EXIT_CHECK_FAILED: Final = 1

_SESSIONS = click.argument("sessions", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_TIMEZONE = click.option(
    "--timezone",
    metavar="IANA",
    help="Zone of the drivers' clocks; by default the file's own, else UTC.",
)


@click.group("dwell")
def dwell() -> None:
    """Departure forecast: evaluate it, derive its population prior."""


@dwell.command("evaluate")
@_SESSIONS
@_TIMEZONE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--check", is_flag=True, help="Exit 1 unless the forecast is calibrated.")
def evaluate_command(sessions: Path, timezone: str | None, *, as_json: bool, check: bool) -> None:
    """Print pinball loss, coverage and the decision table of the forecast and its baselines.

    SESSIONS is a CSV file with the columns session_id, user_id, plugged_in_at, unplugged_at,
    energy_wh, or the Trondheim data set as published.
    """
    read = _read(sessions)
    stays = [
        UserStay(user_id=one.user_id, plugged_in_at=one.plugged_in_at, dwell_h=one.dwell_h)
        for one in read.sessions
    ]
    zone = _zone(timezone, read)
    try:
        report = evaluate(stays, zone)
    except DwellInputError as error:
        refuse(str(error))
    skipped = {reason.value: count for reason, count in sorted(read.skipped.items())}
    if as_json:
        whole = document(report) | {"timezone": zone.key, "skipped_rows": skipped}
        click.echo(orjson.dumps(whole).decode())
    else:
        counts = ", ".join(f"{reason} {count}" for reason, count in skipped.items()) or "none"
        click.echo(f"clocks in {zone.key}; rows skipped: {counts}\n{tables(report)}")
    if check and not report.calibrated:
        raise click.exceptions.Exit(EXIT_CHECK_FAILED)


@dwell.command("prior")
@_SESSIONS
@_TIMEZONE
@click.option("--source", required=True, help="What the sessions are, and their licence.")
def prior_command(sessions: Path, timezone: str | None, source: str) -> None:
    """Print the population prior of SESSIONS, the file that ships as dwell_prior.json."""
    read = _read(sessions)
    table = StayHistory.of(
        (Stay(plugged_in_at=one.plugged_in_at, dwell_h=one.dwell_h) for one in read.sessions),
        _zone(timezone, read),
    )
    bands = derive_prior_bands(table, [one.user_id for one in read.sessions])
    if not bands:
        refuse("no band has 20 stays of 5 users: more sessions are needed")
    whole = {"schema": "v2g.dwell-prior/1", "source": source, "bands": bands}
    click.echo(orjson.dumps(whole).decode())


def _read(path: Path) -> SessionsRead:
    try:
        return read_sessions(path)
    except SessionsCsvError as error:
        refuse(str(error))


def _zone(name: str | None, read: SessionsRead) -> ZoneInfo:
    chosen = name or read.timezone or "UTC"
    try:
        return ZoneInfo(chosen)
    except KeyError, ValueError, OSError:
        refuse(f"timezone {chosen!r} is not known: an IANA name such as Europe/Oslo is needed")
