"""How a command of ours refuses bad input: a problem (RFC 9457) on standard output, exit code 2."""

from typing import Any, Final, NoReturn

import click
import orjson

from .problems import Problem, ProblemCode

EXIT_BAD_INPUT: Final = 2


def document(problem: Problem) -> dict[str, Any]:
    """Return the problem as printed: RFC 9457 lets the request id go, a command has none."""
    shown = problem.document("")
    del shown["instance"]
    return shown


def refuse(detail: str, *, code: ProblemCode = ProblemCode.INVALID_BODY) -> NoReturn:
    """Print the problem and end the command; `detail` says which limit was hit and what passes."""
    click.echo(orjson.dumps(document(Problem(code, detail))).decode())
    raise click.exceptions.Exit(EXIT_BAD_INPUT)
