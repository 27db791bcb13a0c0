"""How a command of ours refuses bad input: a problem (RFC 9457) on standard output, exit code 2."""

from typing import Final, NoReturn

import click
import orjson

from .problems import Problem, ProblemCode

EXIT_BAD_INPUT: Final = 2


def refuse(detail: str, *, code: ProblemCode = ProblemCode.INVALID_BODY) -> NoReturn:
    """Print the problem and end the command; `detail` says which limit was hit and what passes."""
    document = Problem(code, detail).document("")
    # A command has no request id, and RFC 9457 makes the member optional.
    del document["instance"]
    click.echo(orjson.dumps(document).decode())
    raise click.exceptions.Exit(EXIT_BAD_INPUT)
