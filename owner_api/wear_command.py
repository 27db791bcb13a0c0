"""`owner-api wear`: years of one repeated day in, capacity left and equivalent full cycles out."""

from typing import Any, BinaryIO, Final

import click
import orjson

from owner_api.command_problem import refuse
from owner_api.planning.wear import LifeWear, life
from owner_api.planning.wear_day import DAY_S, SocDay, WearInputError
from owner_api.planning.wear_models import wear_model

MEMBERS: Final = ("model", "temperature_c", "step_s", "soc", "years")
# One value a second for a day, each as long as a float prints, is 2 MB.
MAX_INPUT_BYTES: Final = 4_000_000
MAX_YEARS_ASKED: Final = 1000


@click.command("wear")
@click.argument("file", type=click.File("rb"))
@click.option("--json", "_json", is_flag=True, help="Print JSON, which this command always does.")
def wear(file: BinaryIO, *, _json: bool) -> None:
    """Print the wear of a battery that lives one day again and again.

    FILE (or -) holds {"model", "temperature_c", "step_s", "soc", "years"}: soc is fractions of one
    repeated day, one more than there are steps, the last at 24:00. Prints {"capacity_left", "efc"},
    one value per year asked. Bad input is a problem (RFC 9457) on standard output and exit code 2.
    """
    text = file.read(MAX_INPUT_BYTES + 1)
    try:
        answer = _answer(text)
    except WearInputError as error:
        refuse(str(error))
    click.echo(orjson.dumps(answer).decode())


def _answer(text: bytes) -> LifeWear:
    if len(text) > MAX_INPUT_BYTES:
        raise WearInputError(f"the input is over {MAX_INPUT_BYTES} bytes: one day is needed")
    try:
        request: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise WearInputError(f"the input is no JSON: {error}") from None
    if not isinstance(request, dict) or set(request) != set(MEMBERS):
        raise WearInputError(f"exactly the members {', '.join(MEMBERS)} are needed")
    model = request["model"]
    step_s = request["step_s"]
    if type(model) is not str:
        raise WearInputError("model is no string: the name of a wear model is needed")
    if type(step_s) is not int:
        raise WearInputError("step_s is no whole number: seconds are needed")
    day = SocDay.of(
        _numbers("soc", request["soc"], DAY_S + 1),
        step_s=step_s,
        temperature_c=_number("temperature_c", request["temperature_c"]),
    )
    return life(wear_model(model), day, _numbers("years", request["years"], MAX_YEARS_ASKED))


def _number(name: str, value: object) -> float:
    # bool is an int in Python, but no number in JSON.
    if type(value) not in {int, float}:
        raise WearInputError(f"{name} holds {value!r}: a number is needed")
    return float(value)  # type: ignore[arg-type]  # checked just above, where mypy cannot see it


def _numbers(name: str, values: object, most: int) -> list[float]:
    if not isinstance(values, list) or not 1 <= len(values) <= most:
        raise WearInputError(f"{name} is no list of 1 to {most} numbers: that is needed")
    return [_number(name, value) for value in values]
