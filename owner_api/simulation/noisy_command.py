"""``owner-api simulate --noise``: one run, its verdict, exit code 1 when a line does not hold."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
import random
import tempfile
from typing import Final
from zoneinfo import ZoneInfo

import click
import orjson

from owner_api.sessions_csv import Session, SessionsRead

from .market import DayAhead, PricesCsvError, read_prices
from .noisy import SCENE, Draws, Leave, NoisyRun
from .replaying import Progress
from .stage import Stage
from .verdict import Verdict

NOISES: Final = ("drawn", "worst")
EXIT_FAILED: Final = 1
EXIT_BAD_INPUT: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Noisy:
    """What to run: the file's sessions (about ``sample`` of them), prices, noise, leave times."""

    sessions: SessionsRead
    prices_file: Path
    leave: Leave
    seed: int
    worst: bool = False
    margin_pct: float | None = None
    sample: int | None = None
    draws: Draws = field(default_factory=Draws)


def run(asked: Noisy, tell: Callable[[Progress], None], *, as_json: bool) -> None:
    """Play, print, and leave with exit code 1 when the run does not hold."""
    try:
        verdict = play(asked, tell)
    except PricesCsvError as error:
        click.echo(f"{asked.prices_file}: {error}", err=True)
        raise click.exceptions.Exit(EXIT_BAD_INPUT) from None
    if as_json:
        click.echo(orjson.dumps(verdict.document(), option=orjson.OPT_INDENT_2))
        for detail in verdict.details:
            click.echo(detail, err=True)
    else:
        click.echo(verdict.text())
    if not verdict.holds:
        raise click.exceptions.Exit(EXIT_FAILED)


def play(asked: Noisy, tell: Callable[[Progress], None] | None = None) -> Verdict:
    """Play one run in a database that is thrown away.

    Raises PricesCsvError, OSError and, when there is no session, click.UsageError.
    """
    zone = asked.sessions.timezone or "UTC"
    market = read_prices(asked.prices_file, ZoneInfo(zone))
    sessions = sampled(
        asked.sessions.sessions,
        asked.sample,
        asked.seed,
        whole_users=asked.leave is not Leave.TOLD,
    )
    if not sessions:
        raise click.UsageError("The file holds no usable session.")
    with tempfile.TemporaryDirectory(prefix="owner-api-simulation-") as folder:
        database = Path(folder) / "simulation.db"
        return asyncio.run(_play(asked, sessions, market, zone, database, tell))


async def _play(
    asked: Noisy,
    sessions: tuple[Session, ...],
    market: DayAhead,
    zone: str,
    database: Path,
    tell: Callable[[Progress], None] | None,
) -> Verdict:
    first = sessions[0].plugged_in_at
    async with Stage(database=database, start_at=first, seed=asked.seed, zone=zone) as stage:
        played = NoisyRun(
            stage,
            sessions,
            market,
            asked.leave,
            draws=asked.draws,
            worst=asked.worst,
            margin_pct=asked.margin_pct,
            progress=tell,
        )
        await played.run()
        result = await stage.result(SCENE)
    verdict = Verdict(
        leave=asked.leave,
        seed=asked.seed,
        noise="worst" if asked.worst else "drawn",
        sessions=len(sessions),
        violations={number: result.violations[number] for number in (1, 2, 3, 4)},
        details=[*result.details, *result.disagreements],
    )
    for trade in played.trades:
        verdict.count(trade)
    verdict.look_at_cars(played.trades)
    return verdict


def sampled(
    sessions: tuple[Session, ...], about: int | None, seed: int, *, whole_users: bool
) -> tuple[Session, ...]:
    """Return ``about`` sessions drawn by the seed, in order of time.

    With ``whole_users`` all sessions of as many users as make them, the last one's cut: a forecast
    needs a past.
    """
    if about is None or about >= len(sessions):
        return sessions
    rng = random.Random(f"{seed}/sample")
    if not whole_users:
        return _in_order(rng.sample(sessions, about))
    users = sorted({session.user_id for session in sessions})
    rng.shuffle(users)
    rank = {user: place for place, user in enumerate(users)}
    return _in_order(sorted(sessions, key=lambda each: rank[each.user_id])[:about])


def _in_order(sessions: list[Session]) -> tuple[Session, ...]:
    return tuple(sorted(sessions, key=lambda each: (each.plugged_in_at, each.session_id)))
