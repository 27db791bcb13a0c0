"""What every command shares: options, how it prints, and how it ends."""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from owner_api.problems import Problem
from owner_api.store.documents import to_json
from owner_api.store.times import render

EXIT_CHECK_FAILED: Final = 1
EXIT_BAD_INPUT: Final = 2
EXIT_CANNOT_RUN: Final = 3
DATABASE_VARIABLE: Final = "OWNER_API_DATABASE"

type Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

database_option: Final[Decorator] = click.option(
    "--database",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("owner-api.db"),
    show_default=True,
    envvar=DATABASE_VARIABLE,
    show_envvar=True,
    help="The SQLite file.",
)
json_option: Final[Decorator] = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document."
)


class CannotRunError(Exception):
    """The command cannot run here and now; the message says what would help."""


def say(document: Mapping[str, Any], *, as_json: bool, text: str) -> None:
    """Print a result: the document as JSON, or the text for a person."""
    click.echo(to_json(document).decode() if as_json else text)


def bad_input(problem: Problem, *, as_json: bool) -> NoReturn:
    """End with exit code 2, saying what was wrong with what was given."""
    document = problem.document("")
    # A command has no request id, and RFC 9457 makes the member optional.
    del document["instance"]
    _end(document, problem.detail, EXIT_BAD_INPUT, as_json=as_json)


def cannot_run(reason: str, *, as_json: bool) -> NoReturn:
    """End with exit code 3, saying what stands in the way."""
    _end({"code": "cannot_run", "detail": reason}, reason, EXIT_CANNOT_RUN, as_json=as_json)


def _end(document: Mapping[str, Any], text: str, code: int, *, as_json: bool) -> NoReturn:
    if as_json:
        click.echo(to_json(document).decode())
    else:
        click.echo(f"owner-api: {text}", err=True)
    raise click.exceptions.Exit(code)


def shown(value: object) -> str:
    """Return a value as a person reads it in a table."""
    if isinstance(value, datetime):
        return render(value)
    return "-" if value is None else str(value)


def visible(text: str) -> str:
    """Return what a stranger wrote on one line of a terminal, which then obeys none of it."""
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text)


def table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> str:
    """Return rows under their column names, aligned; says so when there is none."""
    if not rows:
        return "none"
    lines = [columns, *(tuple(shown(row[name]) for name in columns) for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
