"""`owner-api schedule`: when to charge before leaving; one request in, one schedule out."""

from typing import Any, BinaryIO

import click
import orjson

from owner_api.command_problem import EXIT_BAD_INPUT, document
from owner_api.planning.check import QuoteRequestError
from owner_api.planning.schedule import plan_charging
from owner_api.planning.schedule_json import schedule_to_json
from owner_api.planning.schedule_request_json import parse_schedule_request
from owner_api.problems import FieldError, Problem, ProblemCode
from owner_api.quote_command import read_json


@click.command("schedule")
@click.argument("file", type=click.File("rb"), default="-")
@click.option("--json", "_json", is_flag=True, help="Print JSON, which this command always does.")
def schedule_command(file: BinaryIO, *, _json: bool) -> None:
    """Plan the charging up to the leave time: cheapest, with a reserve, as SoC thresholds.

    FILE (or - for standard input) holds a v2g.schedule-request/1 object; a v2g.schedule/1 object
    is printed. Bad input is a problem (RFC 9457) on standard output and exit code 2.
    """
    try:
        click.echo(orjson.dumps(_answer(read_json(file))))
    except Problem as problem:
        click.echo(orjson.dumps(document(problem)))
        raise click.exceptions.Exit(EXIT_BAD_INPUT) from None


def _answer(message: Any) -> dict[str, object]:  # noqa: ANN401 - any JSON may arrive
    try:
        return schedule_to_json(plan_charging(parse_schedule_request(message)))
    except QuoteRequestError as error:
        field = FieldError(pointer=error.pointer, code=error.code, limit=error.limit)
        raise Problem(ProblemCode.INVALID_BODY, str(error), errors=(field,)) from None
