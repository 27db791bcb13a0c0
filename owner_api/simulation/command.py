"""``owner-api simulate``: the reference day, the base-station event, or recorded sessions."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
import shutil
import sqlite3
import sys
import tempfile
import time
from typing import Final

import click
import orjson

from owner_api.sessions_csv import SessionsCsvError, SessionsRead, read_sessions

from . import backup_event, noisy_command, recorded, reference_day, report
from .faults import Faults, Protection
from .noisy import Leave
from .recorded import Recording
from .replaying import Progress
from .stage import Stage
from .tally import Result

EXIT_VIOLATED: Final = 1
EXIT_BAD_INPUT: Final = 2
EXIT_CANNOT_RUN: Final = 3
_TELL_EVERY_S: Final = 10.0
_DATABASE: Final = "simulation.db"


@click.command("simulate")
@click.option("--seed", type=int, default=1, show_default=True, help="What is drawn is drawn here.")
@click.option(
    "--scene",
    type=click.Choice(("day", "backup", "all")),
    default="all",
    show_default=True,
    help="Which scene to play; ignored with --sessions.",
)
@click.option(
    "--sessions",
    "sessions_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Play recorded plug-in sessions from a CSV file instead.",
)
@click.option(
    "--first",
    type=click.IntRange(min=1),
    help="With --sessions: only the first so many usable sessions.",
)
@click.option(
    "--noise",
    type=click.Choice(noisy_command.NOISES),
    is_flag=False,
    flag_value="drawn",
    help="With --sessions and --prices: cars whose word is late, coarse and biased, and whose "
    "efficiencies are not those of their papers; ``worst`` gives every car the worst of it.",
)
@click.option(
    "--prices",
    "prices_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --noise: hourly market prices, start_local,eur_per_mwh.",
)
@click.option(
    "--leave",
    type=click.Choice([each.value for each in Leave]),
    default=Leave.TOLD.value,
    show_default=True,
    help="With --noise: leave times are told, or forecast at this quantile.",
)
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    help="With --noise: only so many sessions, drawn by the seed (whole users for forecasts).",
)
@click.option(
    "--margin",
    type=click.FloatRange(0, 10),
    help="With --noise: the margin (points) owners keep for readings, instead of the default.",
)
@click.option(
    "--keep",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the run's database: one closed SQLite file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option(
    "--without",
    type=click.Choice([each.value for each in Protection]),
    hidden=True,
    help="Test only: take one protection away, to see the counter count.",
)
def simulate(
    *,
    seed: int,
    scene: str,
    sessions_file: Path | None,
    first: int | None,
    noise: str | None,
    prices_file: Path | None,
    leave: str,
    sample: int | None,
    margin: float | None,
    keep: Path | None,
    as_json: bool,
    without: str | None,
) -> None:
    """Drive the real owner API over HTTP with simulated cars, owners and a park.

    Counts broken promises inside the cars, from their true state. Exit code 1 when there is one.
    """
    if keep and not keep.absolute().parent.is_dir():
        raise click.BadParameter(f"{keep.parent} is no directory", param_hint="--keep")
    if noise:
        if not (sessions_file and prices_file):
            raise click.UsageError("--noise needs --sessions and --prices.")
        request = noisy_command.Noisy(
            sessions=_read(sessions_file),
            prices_file=prices_file,
            leave=Leave(leave),
            seed=seed,
            worst=noise == "worst",
            margin_pct=margin,
            sample=sample,
        )
        noisy_command.run(request, _progress(), as_json=as_json)
        return
    faults = Faults(Protection(without) if without else None)
    read = _read(sessions_file) if sessions_file else None
    with tempfile.TemporaryDirectory(prefix="owner-api-simulation-") as folder:
        database = Path(folder) / _DATABASE
        began = time.monotonic()
        if read is None:
            result = asyncio.run(_play(database, seed, scene, faults))
        else:
            result = asyncio.run(_replay(database, seed, read, first, faults))
        seconds = time.monotonic() - began
        if keep:
            _keep(database, keep)
    _print(result, seconds, as_json=as_json)
    if result.violations_total:
        raise click.exceptions.Exit(EXIT_VIOLATED)


simulate_command = simulate


async def _play(database: Path, seed: int, scene: str, faults: Faults) -> Result:
    """Play the scenes one after the other on one database; the cars come again on day two."""
    result = Result(seed=seed)
    async with Stage(
        database=database, start_at=reference_day.at(7), seed=seed, faults=faults
    ) as stage:
        plans = await reference_day.prepare(stage)
        if scene in ("day", "all"):
            click.echo("Playing the reference day ...", err=True)
            await reference_day.run(stage, plans)
            played = await stage.result(reference_day.SCENE)
            played.notes = reference_day.notes(plans)
            result.absorb(played)
            stage.clear()
        if scene in ("backup", "all"):
            click.echo("Playing the base-station event ...", err=True)
            outage = await backup_event.run(stage)
            played = await stage.result(backup_event.SCENE, stage.guests[: backup_event.CARS])
            played.notes = backup_event.notes(outage)
            result.absorb(played)
    return result


async def _replay(
    database: Path, seed: int, read: SessionsRead, first: int | None, faults: Faults
) -> Result:
    """Play recorded sessions; what could not be read is counted by reason."""
    sessions = read.sessions[:first]
    if not sessions:
        raise click.UsageError("The file holds no usable session.")
    async with Stage(
        database=database,
        start_at=sessions[0].plugged_in_at,
        seed=seed,
        faults=faults,
        zone=read.timezone or "UTC",
    ) as stage:
        await Recording(stage, sessions, _progress()).run()
        result = await stage.result(recorded.SCENE)
    result.skipped.update({str(reason): count for reason, count in read.skipped.items()})
    if len(sessions) < len(read.sessions):
        result.skipped["not_asked_for"] = len(read.sessions) - len(sessions)
    return result


def _read(path: Path) -> SessionsRead:
    try:
        return read_sessions(path)
    except SessionsCsvError as error:
        click.echo(f"{path}: {error}", err=True)
        raise click.exceptions.Exit(EXIT_BAD_INPUT) from None
    except OSError as error:
        click.echo(f"{path}: {error.strerror}", err=True)
        raise click.exceptions.Exit(EXIT_CANNOT_RUN) from None


def _progress() -> Callable[[Progress], None]:
    """Return a teller of progress on standard error, every ten seconds of real time."""
    began = told = time.monotonic()

    def tell(progress: Progress) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told < _TELL_EVERY_S and progress.done < progress.total:
            return
        told = now
        rate = progress.done / (now - began)
        left_s = (progress.total - progress.done) / rate
        click.echo(
            f"{progress.done}/{progress.total} sessions, {progress.now:%Y-%m-%d}, "
            f"{now - began:.0f} s, about {left_s:.0f} s left",
            err=True,
        )

    return tell


def _keep(database: Path, target: Path) -> None:
    """Copy the closed database to one file that needs nothing beside it."""
    try:
        shutil.copyfile(database, target)
        with closing(sqlite3.connect(target)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
    except OSError as error:
        click.echo(f"{target}: {error.strerror}", err=True)
        raise click.exceptions.Exit(EXIT_CANNOT_RUN) from None


def _print(result: Result, seconds: float, *, as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps(result.document()))
        for each in (*result.details, *result.disagreements):
            click.echo(each, err=True)
        return
    scenes = dict.fromkeys(row.scene for row in result.cars)
    for scene in scenes:
        click.echo(f"{_TITLES[scene]}\n\n{report.table(result, scene)}\n")
    click.echo(report.summary(result))
    click.echo(f"{result.requests} requests in {seconds:.0f} s of real time.")
    sys.stdout.flush()


_TITLES: Final = {
    reference_day.SCENE: "The reference day: sun in the morning, a dear grid from 14:00",
    backup_event.SCENE: "The base-station event: ten cars carry it for three hours",
    recorded.SCENE: "Recorded sessions: one offer in each stay of an hour or more",
}
