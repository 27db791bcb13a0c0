"""Hold every answer to generated requests against the served contract, with valid tokens."""

import argparse
import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
import logging
import os
from pathlib import Path
import sys
import tempfile
from time import monotonic
from typing import Any, Final
from unittest.mock import patch

from owner_api.commands import chargers
from script.reliability_lib.report import counts
from tests.owner_api.deal_world import open_world

from .counting import Operation, Seen, documented
from .tour import FREE, stage, tokens, too_often, tour

# Left out: streams never end, and what ends the fuzzer's own access would end the run.
EXCEPT: Final = "^/v1/events$|^/v1/devices/|^/v1/erasure$"
# RFC 6585 (428) is newer than the list of schemathesis, and what fits its schema may still
# meet a rule that no schema can say: a window in the past, a used code, a closed offer. A schema
# counts characters, a door bytes: 8,192 characters in escapes of 12 bytes are too large (413).
SETTINGS: Final = """
hooks = "script.reliability_lib.contract.fresh_keys"
[checks.missing_required_header]
expected-statuses = [400, 401, 403, 406, 415, 422, 428]
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 401, 403, 404, 409, 410, 412, 413, 422, 428]
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 406, 413, 422, 428]
"""
# Where schemathesis finds the hook.
_ROOT: Final = Path(__file__).parents[3]
_ROLES: Final = ("owner", "park")
_TOLD_LINES: Final = 80
_TOLD_WIDTH: Final = 300


@dataclass
class Fuzzed:
    """What the generated requests came to."""

    cases: int = 0
    runs: int = 0
    red: list[str] = field(default_factory=list)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--cases", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=3_600, help="stop after this long")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--max-examples", type=int, default=40, help="per operation and run")


def run(options: argparse.Namespace) -> bool:
    """Tour, fuzz, print the table; then break one answer and let the fuzzer find it."""
    began, seen = monotonic(), Seen()
    with tempfile.TemporaryDirectory() as made:
        fuzzed, contract = asyncio.run(_run(Path(made), options, seen))
    missing = _missing(seen, contract)
    _print(seen, contract, fuzzed, missing, monotonic() - began)
    held = not fuzzed.red and not missing and fuzzed.cases >= options.cases
    return held if options.no_proof else _prove(options) and held


async def _run(
    folder: Path, options: argparse.Namespace, seen: Seen
) -> tuple[Fuzzed, dict[Operation, list[int]]]:
    fuzzed = Fuzzed()
    places = [folder / name for name in ("tour", "tight", "fuzz")]
    for place in places:
        place.mkdir()
    with seen.watching():
        async with stage(places[0]) as cast:
            await tour(cast, seen)
        await too_often(places[1])
        async with open_world(places[2], FREE) as world:
            async with world.http.get(world.url + "/openapi.json") as answer:
                contract = documented(await answer.json())
            callers = await tokens(world)
            ends = monotonic() + options.seconds
            words = ["--max-examples", str(options.max_examples)]

            async def as_role(role: str, own: Path) -> None:
                while seen.cases < options.cases and not fuzzed.red and monotonic() < ends:
                    seed = options.seed + fuzzed.runs
                    fuzzed.runs += 1
                    told = await fuzz(world.url, role, callers[role].token, seed, words, own)
                    fuzzed.red += [told] if told else []

            # Both at once: a fuzzer keeps one core busy, and the server hardly half of another.
            await asyncio.gather(*(as_role(role, places[2] / role) for role in _ROLES))
    fuzzed.cases = seen.cases
    return fuzzed, contract


async def fuzz(
    url: str, role: str, token: str, seed: int, more: list[str], folder: Path
) -> str | None:
    """Let schemathesis ask as one role; return the end of its report when it is not content."""
    folder.mkdir(exist_ok=True)  # noqa: ASYNC240 - one small file, before anything is timed
    (folder / "schemathesis.toml").write_text(SETTINGS)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json"),
        *("-H", f"Authorization: Bearer {token}"),
        *("--exclude-path-regex", EXCEPT),
        *("--include-tag", role, "--include-tag", "public", "--include-tag", "any"),
        *("--phases", "examples,coverage,fuzzing,stateful"),
        *("--checks", "all"),
        *("--continue-on-failure", "--request-timeout", "20"),
        *("--seed", str(seed), "--warnings", "off", *more),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(_ROOT)},
    )
    assert process.stdout is not None
    told = (await process.stdout.read()).decode(errors="replace")
    if not await process.wait():
        return None
    lines = [line[:_TOLD_WIDTH] for line in told.splitlines()]
    return "\n".join([f"as {role}, seed {seed}:", *lines[-_TOLD_LINES:]])


def _missing(seen: Seen, contract: Mapping[Operation, list[int]]) -> dict[Operation, list[int]]:
    """Return, by operation, what is documented and was never answered; one 2xx is enough."""
    found: dict[Operation, list[int]] = {}
    for operation, statuses in contract.items():
        answered = seen.of(operation)
        never = [status for status in statuses if status not in answered]
        if never:
            found[operation] = never
    return found


def _print(
    seen: Seen,
    contract: Mapping[Operation, list[int]],
    fuzzed: Fuzzed,
    missing: Mapping[Operation, list[int]],
    seconds: float,
) -> None:
    pairs = [(each, status) for each, statuses in contract.items() for status in statuses]
    good = [each for each in contract if any(s < 300 for s in seen.of(each))]
    never = sum(len(statuses) for statuses in missing.values())
    faults = sum(times for (_, status), times in seen.statuses.items() if status >= 500)
    counts(
        "contract: schemathesis, all phases, valid owner and park tokens, limits raised",
        (
            ("generated requests", fuzzed.cases),
            ("runs (an owner and a park at once)", fuzzed.runs),
            ("runs with a failure", len(fuzzed.red)),
            ("operations", len(contract)),
            ("operations answered 2xx", len(good)),
            ("documented 2xx and 4xx answers", len(pairs)),
            ("of these seen", len(pairs) - never),
            ("of these never seen", never),
            ("answers of 500 and above", faults),
            ("seconds", round(seconds)),
        ),
    )
    for (method, path), statuses in contract.items():
        answered = seen.of((method, path))
        shown = " ".join(f"{status}:{answered.get(status, 0)}" for status in statuses)
        print(f"  {method:<6} {path:<52} {shown}")
    for told in fuzzed.red:
        print(told)


def _prove(options: argparse.Namespace) -> bool:
    """Serve one operation whose answer breaks its schema; the fuzzer must turn red."""

    async def broken(folder: Path) -> str | None:
        with patch.object(chargers, "find", _no_charger):
            async with open_world(folder, FREE) as world:
                token = (await tokens(world))["owner"].token
                words = ["--max-examples", "5", "--include-path", "/v1/chargers/{charger_id}"]
                return await fuzz(world.url, "owner", token, options.seed, words, folder)

    # The handler's failure is meant, and each would be logged with its trace.
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as made:
        told = asyncio.run(broken(Path(made)))
    logging.disable(logging.NOTSET)
    counts("proof: one handler fails", (("noticed", 1 if told else 0),))
    return told is not None


def _no_charger(*_told: Any) -> Any:  # noqa: ANN401 - as the handler's own helper
    raise ZeroDivisionError("the proof's own fault")
