"""The limits of coverage are seen to be missed."""

from typing import Any

import pytest

from script.lib.coverage import PACKAGE, WHOLE, too_little


def measured(run: float, missing: list[int]) -> dict[str, Any]:
    """Return what coverage reports of one module."""
    return {"summary": {"percent_covered": run}, "missing_lines": missing}


def report(total: float, missing: list[int], **modules: float) -> dict[str, Any]:
    """Return the part of coverage's report that is judged."""
    files = {f"{PACKAGE}/{name}.py": measured(run, [1]) for name, run in modules.items()}
    files |= {name: measured(99.5, missing) for name in WHOLE}
    return {"totals": {"percent_covered": total}, "files": files}


@pytest.mark.parametrize(
    ("total", "missing", "said"),
    [
        (97.0, [], []),
        (96.99, [], ["96.99 % run"]),
        (100.0, [12], ["never run: [12]"] * len(WHOLE)),
        (90.0, [12], ["90.00 % run", *["never run: [12]"] * len(WHOLE)]),
    ],
)
def test_a_missed_limit_is_named(total: float, missing: list[int], said: list[str]) -> None:
    """And nothing is said while all are kept."""
    found = too_little(report(total, missing))
    assert len(found) == len(said)
    assert all(part in line for part, line in zip(said, found, strict=True))


def test_every_form_an_owner_walks_through_is_among_those_that_must_be_run_whole() -> None:
    """The flow of the entry is a small part of it: cars, chargers and prices have theirs."""
    stems = {name.removeprefix(f"{PACKAGE}/").removesuffix(".py") for name in WHOLE}
    assert stems >= {
        "charger_flow",
        "charger_test_flow",
        "config_flow",
        "control_forms",
        "drivers",
        "pairing_flow",
        "price_forms",
        "rule_flow",
        "rule_form_flow",
        "rule_forms",
        "subentry_flow",
        "tariff_forms",
        "vehicle_flow",
    }


def test_a_config_flow_that_is_not_measured_is_no_full_coverage() -> None:
    """A renamed file must not pass for a covered one."""
    found = too_little({"totals": {"percent_covered": 100.0}, "files": {}})
    assert found == [f"{name}: not in the report" for name in WHOLE]


def test_each_module_below_its_own_limit_is_named_however_good_the_whole_is() -> None:
    """The quality scale asks it of all modules: one must not hide behind the others."""
    found = too_little(report(99.0, [], executor=95.0, repairs=94.99, trust_log=80.0, entity=100.0))
    assert found == [
        f"{PACKAGE}/repairs.py: 94.99 % run, 95 % asked for of each module",
        f"{PACKAGE}/trust_log.py: 80.00 % run, 95 % asked for of each module",
    ]
