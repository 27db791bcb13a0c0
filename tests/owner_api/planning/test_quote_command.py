"""`owner-api quote`: what goes in, what comes out, and with which exit code."""

import json
from pathlib import Path

from click.testing import CliRunner
import pytest

from owner_api.quote_command import MAX_INPUT_BYTES, quote_command

from .requests import EXAMPLE, changed, example


def test_one_request_in_one_answer_out(tmp_path: Path) -> None:
    """From a file and from standard input alike."""
    path = tmp_path / "request.json"
    path.write_text(json.dumps(EXAMPLE))
    from_file = CliRunner().invoke(quote_command, [str(path)])
    from_stdin = CliRunner().invoke(quote_command, [], input=json.dumps(EXAMPLE))
    from_dash = CliRunner().invoke(quote_command, ["-"], input=json.dumps(EXAMPLE))
    assert from_file.exit_code == from_stdin.exit_code == from_dash.exit_code == 0
    assert from_file.output == from_stdin.output == from_dash.output
    assert json.loads(from_file.output) == example()


def test_the_example_that_the_readme_names_is_judged_as_it_stands() -> None:
    """The owner may say yes to all of it, and the file is the tests' own example."""
    path = "docs/examples/quote-request.json"
    root = Path(__file__).parents[3]
    assert f"owner-api quote {path}" in (root / "README.md").read_text(encoding="utf-8")
    answer = CliRunner().invoke(quote_command, [str(root / path)])
    assert (answer.exit_code, json.loads(answer.output)) == (0, example())
    assert json.loads(answer.output)["verdict"] == "accept"


@pytest.mark.parametrize(
    ("text", "code", "pointer"),
    [
        ("{", "malformed_json", None),
        ("", "malformed_json", None),
        ('{"a": NaN}', "malformed_json", None),
        ("[" * 5_000, "malformed_json", None),
        ("[]", "invalid_body", ""),
        (
            json.dumps(changed(EXAMPLE, {"/vehicle/usable_capacity_wh": 0})),
            "invalid_body",
            "/vehicle/usable_capacity_wh",
        ),
        (" " * (MAX_INPUT_BYTES + 1), "payload_too_large", None),
    ],
)
def test_bad_input_is_a_problem_on_standard_output_and_exit_code_2(
    text: str, code: str, pointer: str | None
) -> None:
    """Criterion 8: RFC 9457, naming the field and the limit where there is one."""
    run = CliRunner().invoke(quote_command, [], input=text)
    assert run.exit_code == 2
    problem = json.loads(run.stdout)
    assert problem["code"] == code
    assert problem["type"] == f"urn:v2g-owner:problem:{code}"
    assert {"title", "status", "detail"} <= set(problem)
    if pointer is not None:
        assert problem["errors"][0]["pointer"] == pointer
        assert problem["errors"][0]["limit"]


def test_jsonl_answers_each_line_in_order_and_exits_0() -> None:
    """A bad line is {"error": problem} in its place; the others are answered."""
    cheap = changed(EXAMPLE, {"/offer/price_per_kwh": "0.1000"})
    lines = [json.dumps(EXAMPLE), "{", "", json.dumps(cheap), '{"schema": 1}']
    run = CliRunner().invoke(quote_command, ["--jsonl"], input="\n".join(lines))
    assert run.exit_code == 0
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    assert [answer.get("verdict") for answer in answers] == ["accept", None, None, "counter", None]
    assert [answer["error"]["code"] for answer in answers if "error" in answer] == [
        "malformed_json",
        "malformed_json",
        "invalid_body",
    ]


def test_jsonl_survives_a_line_that_is_too_long() -> None:
    """An oversized line costs one error, not the ones after it."""
    text = f"{' ' * (MAX_INPUT_BYTES + 10)}\n{json.dumps(EXAMPLE)}\n"
    run = CliRunner().invoke(quote_command, ["-", "--jsonl"], input=text)
    first, second = (json.loads(line) for line in run.stdout.splitlines())
    assert first["error"]["code"] == "payload_too_large"
    assert second["verdict"] == "accept"
