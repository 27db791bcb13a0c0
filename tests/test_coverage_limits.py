"""The limits of coverage are seen to be missed."""

from typing import Any

import pytest

from script.lib.coverage import PACKAGE, too_little


def report(total: float, missing: list[int]) -> dict[str, Any]:
    """Return the part of coverage's report that is judged."""
    return {
        "totals": {"percent_covered": total},
        "files": {f"{PACKAGE}/config_flow.py": {"missing_lines": missing}},
    }


@pytest.mark.parametrize(
    ("total", "missing", "said"),
    [
        (97.0, [], []),
        (96.99, [], ["96.99 % run"]),
        (100.0, [12], ["never run: [12]"]),
        (90.0, [12], ["90.00 % run", "never run: [12]"]),
    ],
)
def test_a_missed_limit_is_named(total: float, missing: list[int], said: list[str]) -> None:
    """And nothing is said while all are kept."""
    found = too_little(report(total, missing))
    assert len(found) == len(said)
    assert all(part in line for part, line in zip(said, found, strict=True))


def test_a_config_flow_that_is_not_measured_is_no_full_coverage() -> None:
    """A renamed file must not pass for a covered one."""
    assert too_little({"totals": {"percent_covered": 100.0}, "files": {}})
