"""`owner-api quote`: one request in, the exact answer out; or one of each per line."""

from typing import Any, BinaryIO, Final

import click
import orjson

from owner_api.command_problem import EXIT_BAD_INPUT
from owner_api.planning.quote import QuoteRequestError, answer_to_json, parse_request, quote
from owner_api.problems import FieldError, Problem, ProblemCode

# A year of quarter-hour prices is about 3 MB.
MAX_INPUT_BYTES: Final = 8_000_000


@click.command("quote")
@click.argument("file", type=click.File("rb"), default="-")
@click.option("--jsonl", is_flag=True, help="One request per line in, one answer per line out.")
@click.option("--json", "_json", is_flag=True, help="Print JSON, which this command always does.")
def quote_command(file: BinaryIO, *, jsonl: bool, _json: bool) -> None:
    """Judge an offer: what fits, what it costs, accept or not, why, and the nearest yes.

    FILE (or - for standard input) holds a v2g.quote-request/1 object; a v2g.quote/1 object is
    printed. Bad input is a problem (RFC 9457) on standard output and exit code 2; with --jsonl
    it is {"error": problem} in its line's place, and the exit code is 0.
    """
    if jsonl:
        while line := file.readline(MAX_INPUT_BYTES + 1):
            _skip_rest(file, line)
            try:
                answer = _answer(line)
            except Problem as problem:
                answer = {"error": _document(problem)}
            click.echo(orjson.dumps(answer))
        return
    try:
        click.echo(orjson.dumps(_answer(file.read(MAX_INPUT_BYTES + 1))))
    except Problem as problem:
        click.echo(orjson.dumps(_document(problem)))
        raise click.exceptions.Exit(EXIT_BAD_INPUT) from None


def _answer(text: bytes) -> dict[str, object]:
    """Return the answer to one request; raise Problem on a bad one."""
    if len(text) > MAX_INPUT_BYTES:
        detail = f"The request is over {MAX_INPUT_BYTES} bytes."
        raise Problem(ProblemCode.PAYLOAD_TOO_LARGE, detail)
    try:
        message: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Problem(ProblemCode.MALFORMED_JSON, str(error)) from None
    try:
        return answer_to_json(quote(parse_request(message)))
    except QuoteRequestError as error:
        field = FieldError(pointer=error.pointer, code=error.code, limit=error.limit)
        raise Problem(ProblemCode.INVALID_BODY, str(error), errors=(field,)) from None


def _document(problem: Problem) -> dict[str, Any]:
    document = problem.document("")
    # A command has no request id, and RFC 9457 makes the member optional.
    del document["instance"]
    return document


def _skip_rest(file: BinaryIO, line: bytes) -> None:
    """Read past the rest of a line that is too long to be a request."""
    while line and not line.endswith(b"\n"):
        line = file.readline(MAX_INPUT_BYTES)
