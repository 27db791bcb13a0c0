"""The command of the systemd unit and of the container: machines read all that it writes."""

import json
from pathlib import Path
import re
import shlex
import signal
import subprocess
import sys
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PACKAGING = ROOT / "packaging"
COMMAND = (sys.executable, "-c", "from owner_api.cli import main; main()")


def as_unit() -> list[str]:
    """Return the options that the unit serves with."""
    text = (PACKAGING / "owner-api.service").read_text(encoding="utf-8")
    found = re.search(r"^ExecStart=(.*)$", text, re.MULTILINE)
    assert found is not None
    return shlex.split(found[1])[1:]


def as_container() -> list[str]:
    """Return the options that the container serves with."""
    text = (PACKAGING / "Containerfile").read_text(encoding="utf-8")
    entry, more = (
        json.loads(found)
        for found in re.findall(r"^(?:ENTRYPOINT|CMD) (\[.*\])$", text, re.MULTILINE)
    )
    return [*entry[1:], *more, "--database", "/data/owner.db"]


def started(options: list[str], folder: Path, settings: str) -> tuple[int, list[dict[str, Any]]]:
    """Serve in a folder until it listens or fails; return the exit code and every line."""
    sample = (PACKAGING / "owner-api.toml").read_text(encoding="utf-8")
    config = folder / "owner-api.toml"
    config.write_text(sample.replace("listen_port = 8477", "listen_port = 0") + settings)
    places = {"/etc/owner-api.toml": str(config)}
    placed = [places.get(each, each) for each in options]
    placed[placed.index("--database") + 1] = str(folder / "owner.db")
    with subprocess.Popen(
        [*COMMAND, *placed],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        if '"listening"' in first:
            process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate()
    return process.returncode, [json.loads(line) for line in (first + rest).splitlines()]


@pytest.mark.parametrize("options", [as_unit(), as_container()], ids=["unit", "container"])
def test_each_line_of_a_served_log_is_one_json_object(tmp_path: Path, options: list[str]) -> None:
    """The runbook says so; a line of plain words ended whatever read it."""
    code, lines = started(options, tmp_path, "")
    assert code == 0
    assert lines[0]["event"] == "listening"


@pytest.mark.parametrize("options", [as_unit(), as_container()], ids=["unit", "container"])
def test_the_last_line_of_a_start_that_fails_says_why(tmp_path: Path, options: list[str]) -> None:
    code, lines = started(options, tmp_path, "lease_s = 999\n")
    assert code == 2
    assert "lease_s: 10 to 120" in lines[-1]["detail"]
