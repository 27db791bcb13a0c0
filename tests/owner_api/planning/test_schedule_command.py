"""`owner-api schedule`: what goes in, what comes out, and with which exit code."""

import json
from typing import Any

from click.testing import CliRunner
import pytest

from owner_api.schedule_command import schedule_command

from .requests import changed

NIGHT: dict[str, Any] = {
    "schema": "v2g.schedule-request/1",
    "now": "2026-12-01T18:00:00Z",
    "departure_at": "2026-12-02T08:00:00Z",
    "vehicle": {
        "usable_capacity_wh": 60_000,
        "soc_pct": 40.0,
        "max_charge_w": 7_000,
        "max_discharge_w": 7_000,
        "charge_efficiency": 0.933,
        "discharge_efficiency": 0.933,
    },
    "preferences": {
        "soc_floor_pct": 20,
        "soc_ceiling_pct": 90,
        "soc_min_departure_pct": 70,
        "soc_target_departure_pct": 80,
    },
    "tariff": [
        {"start_at": "2026-12-01T12:00:00Z", "price_per_kwh": "0.6600"},
        {"start_at": "2026-12-01T22:00:00Z", "price_per_kwh": "0.3200"},
    ],
}


def run(request: Any) -> tuple[int, dict[str, Any]]:
    """Return the exit code and what was printed."""
    done = CliRunner().invoke(schedule_command, ["-"], input=json.dumps(request))
    return done.exit_code, json.loads(done.stdout)


def test_a_night_is_charged_in_the_cheap_hours_up_to_the_target() -> None:
    code, schedule = run(NIGHT)
    assert code == 0
    assert schedule["schema"] == "v2g.schedule/1"
    assert schedule["soc_at_departure_pct"] == 80
    planned = [step["start_at"] for step in schedule["steps"] if step["planned"]]
    assert planned == ["2026-12-01T22:00:00Z"]


def test_every_optional_word_of_the_request_is_heard() -> None:
    """A reserve for worse readings, a later buffer, a deal in the cheap hours."""
    more = {
        "/preferences/soc_target_departure_pct": 0,
        "/reading_error_pct": 3,
        "/hysteresis_pct": 2,
        "/min_power_w": 1_400,
        "/min_block_s": 900,
        "/departure_buffer_s": 3_600,
        "/later_refill_price_per_kwh": "0.3200",
        "/taper": [{"from_soc_pct": 70, "max_charge_w": 3_000}],
        "/charging": [
            {"start_at": NIGHT["now"], "end_at": NIGHT["departure_at"], "max_w": 7_000},
        ],
        "/commitments": [
            {
                "start_at": "2026-12-01T22:00:00Z",
                "end_at": "2026-12-01T23:00:00Z",
                "energy_wh": 2_000,
                "max_discharge_w": 7_000,
            }
        ],
    }
    code, schedule = run(changed(NIGHT, more))
    assert code == 0, schedule
    assert schedule["soc_at_departure_pct"] == 75
    planned = [step["start_at"] for step in schedule["steps"] if step["planned"]]
    assert min(planned) == "2026-12-01T23:00:00Z"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"/vehicle/usable_capacity_wh": 0}, "/vehicle/usable_capacity_wh"),
        ({"/schema": "v2g.quote-request/1"}, "/schema"),
        ({"/departure_at": "2026-12-01T17:00:00Z"}, "/departure_at"),
        ({"/preferences/soc_target_departure_pct": 101}, "/preferences/soc_target_departure_pct"),
        ({"/min_block_s": 10**6}, "/min_block_s"),
        ({"/offer": {}}, "/offer"),
    ],
)
def test_bad_input_is_a_problem_naming_the_field_and_exit_code_2(
    change: dict[str, Any], pointer: str
) -> None:
    code, problem = run(changed(NIGHT, change))
    assert code == 2
    assert problem["code"] == "invalid_body"
    assert problem["errors"][0]["pointer"] == pointer
    assert problem["errors"][0]["limit"]


def test_what_is_not_json_is_a_problem_and_exit_code_2() -> None:
    done = CliRunner().invoke(schedule_command, [], input="{")
    assert done.exit_code == 2
    assert json.loads(done.stdout)["code"] == "malformed_json"
