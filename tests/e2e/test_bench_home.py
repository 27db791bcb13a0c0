"""The bench of Home Assistant stays able to measure, and to miss its goals."""

import asyncio
from pathlib import Path
import sys

import pytest

# A Home Assistant of its own, and some seconds of everything it measures.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SHORT = (
    *("--places", "2", "--busy-seconds", "4", "--settle-seconds", "2"),
    *("--idle-minutes", "0.05", "--confirm-minutes", "0.05"),
)


async def test_the_bench_of_home_assistant_measures_and_notices_what_it_must() -> None:
    """No time is judged here: on a busy machine a goal may be missed, a self-test may not."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "script.bench_lib", "home", *SHORT),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await process.communicate())[0].decode()
    assert process.returncode in {0, 1}, output
    for figure in (
        "set-up after the API answers, entities known",
        "longest block of ours while busy",
        "messages a minute while idle",
        "14 values were repeated",
        "state writes that change nothing, values repeat: 0.00 (goal <= 0) passed",
    ):
        assert figure in output, output
    assert output.count("  noticed: ") == 4, output
    assert "NOT NOTICED" not in output
    assert "Home Assistant complains" not in output
