"""`owner-api quote`: one request in, the exact answer out; or one of each per line."""

from typing import Any, BinaryIO, Final

import click
import orjson

from owner_api.command_problem import EXIT_BAD_INPUT, document
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
                answer = _answer(_parsed(line))
            except Problem as problem:
                answer = {"error": document(problem)}
            click.echo(orjson.dumps(answer))
        return
    try:
        click.echo(orjson.dumps(_answer(read_json(file))))
    except Problem as problem:
        click.echo(orjson.dumps(document(problem)))
        raise click.exceptions.Exit(EXIT_BAD_INPUT) from None


def read_json(file: BinaryIO) -> Any:  # noqa: ANN401 - any JSON may arrive
    """Return what a file of at most MAX_INPUT_BYTES holds; raise Problem when it is not JSON."""
    return _parsed(file.read(MAX_INPUT_BYTES + 1))


def _parsed(text: bytes) -> Any:  # noqa: ANN401 - any JSON may arrive
    if len(text) > MAX_INPUT_BYTES:
        detail = f"The request is over {MAX_INPUT_BYTES} bytes."
        raise Problem(ProblemCode.PAYLOAD_TOO_LARGE, detail)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Problem(ProblemCode.MALFORMED_JSON, str(error)) from None


def _answer(message: Any) -> dict[str, object]:  # noqa: ANN401 - any JSON may arrive
    """Return the answer to one request; raise Problem on a bad one."""
    try:
        return answer_to_json(quote(parse_request(message)))
    except QuoteRequestError as error:
        field = FieldError(pointer=error.pointer, code=error.code, limit=error.limit)
        raise Problem(ProblemCode.INVALID_BODY, str(error), errors=(field,)) from None


def _skip_rest(file: BinaryIO, line: bytes) -> None:
    """Read past the rest of a line that is too long to be a request."""
    while line and not line.endswith(b"\n"):
        line = file.readline(MAX_INPUT_BYTES)
