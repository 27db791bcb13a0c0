"""Wear laws against the oracles they were published with, and what must hold for any day."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from hypothesis import given, settings, strategies as st
import numpy as np
import pytest

from owner_api.planning.wear import WearState, capacity_left, life
from owner_api.planning.wear_day import SocDay, WearInputError
from owner_api.planning.wear_models import WEAR_MODELS, wear_model
from owner_api.wear_command import wear
from tests.owner_api.wear_days import day_of, soc_of

REFERENCE: dict[str, dict[str, float]] = json.loads(
    (Path(__file__).parent / "fixtures" / "blast_reference.json").read_text()
)
OUR_NAME = {
    "LFP250": "lfp_250ah",
    "NMC111_Kokam": "nmc111_kokam",
    "NMC111_Sanyo": "nmc111_sanyo",
}
# SimSES 2.1.1, 25 degrees C, ten years: percent lost to age and to cycling.
SIMSES = [("base80_imm", 14.80, 1.25), ("v2g80_1x10", 14.19, 3.05), ("v2g80_2x10", 14.06, 3.61)]


@pytest.mark.parametrize("key", sorted(REFERENCE))
def test_capacity_left_is_within_003_points_of_blast_lite_on_every_row(key: str) -> None:
    """Criterion 3: 1, 5, 8 and 10 years, three models, two temperatures, seven days."""
    temperature, model, day = key.split("|")
    row = REFERENCE[key]
    answer = life(
        wear_model(OUR_NAME[model]), day_of(day, temperature_c=float(temperature)), [1, 5, 8, 10]
    )
    for ours, column in zip(answer.capacity_left, ("q1", "q5", "q8", "q10"), strict=True):
        assert abs(ours - row[column]) <= 3e-4, column
    # BLAST-Lite's run ends one day after ten years.
    assert answer.efc[-1] * 3651 / 3650 == pytest.approx(row["efc10"], abs=0.01)


@pytest.mark.parametrize("step_s", [300, 900])
@pytest.mark.parametrize(("day", "calendar_pct", "cycling_pct"), SIMSES)
def test_naumann_is_within_002_points_of_simses(
    day: str, calendar_pct: float, cycling_pct: float, step_s: int
) -> None:
    """Criterion 3, the other LFP law, at the reference's 15 minute steps and at 5 minutes."""
    left = life(wear_model("lfp_naumann"), day_of(day, step_s=step_s), [10]).capacity_left[0]
    assert abs(100 * (1 - left) - (calendar_pct + cycling_pct)) <= 0.02


@pytest.mark.parametrize("name", WEAR_MODELS)
def test_a_battery_starts_whole_and_only_loses(name: str) -> None:
    """Year 0 is the new battery; more years never give capacity back."""
    answer = life(wear_model(name), day_of("v2g80_2x10"), [0, 1, 2, 5, 10, 20, 50])
    assert answer.capacity_left[0] == 1
    assert answer.efc[0] == 0
    assert all(np.diff(answer.capacity_left) < 0)


@pytest.mark.parametrize("name", WEAR_MODELS)
@given(days=st.lists(st.sampled_from(["base100_imm", "v2g60_2x10", "v1g80_late"]), max_size=12))
@settings(max_examples=15, deadline=None)
def test_the_order_of_days_does_not_change_where_a_battery_ends(name: str, days: list[str]) -> None:
    """Virtual time is addition: a ledger may take days late or out of order."""
    model = wear_model(name)

    def end(order: list[str]) -> float:
        state = WearState()
        for day in order:
            state = state.after(model.day(day_of(day), repeats=False))
        return capacity_left(model, state)

    assert end(days) == pytest.approx(end(sorted(days)), abs=1e-12)


@pytest.mark.parametrize("name", WEAR_MODELS)
@given(
    level=st.floats(0.05, 0.7),
    depth=st.floats(0.001, 0.3),
    temperature_c=st.floats(-30, 60),
    years=st.floats(0, 50),
)
@settings(max_examples=60, deadline=None)
def test_capacity_stays_between_nothing_and_new(
    name: str, level: float, depth: float, temperature_c: float, years: float
) -> None:
    """Every permitted input has a figure, also at the ends of the range."""
    soc = level + depth * (1 - np.cos(np.linspace(0, 2 * np.pi, 97))) / 2
    day = SocDay.of(list(soc), step_s=900, temperature_c=temperature_c)
    answer = life(wear_model(name), day, [years])
    assert 0 <= answer.capacity_left[0] <= 1
    assert answer.efc[0] == pytest.approx(years * 365 * depth, rel=1e-9)


def test_the_step_does_not_matter_when_the_day_is_the_same() -> None:
    """A coarser reading of the same straight lines gives the same wear to 0.01 points."""
    for name in WEAR_MODELS:
        fine, coarse = (
            life(wear_model(name), day_of("v2g80_1x10", step_s=step_s), [10]).capacity_left[0]
            for step_s in (60, 600)
        )
        assert fine == pytest.approx(coarse, abs=2e-4)


def test_a_move_across_midnight_is_one_half_cycle_in_a_repeated_day() -> None:
    """Charging from 22:00 to 02:00 every night is one charge, not two shallow ones."""
    hours = np.arange(25)
    soc = np.interp(hours, [0, 2, 8, 16, 22, 24], [0.6, 0.7, 0.7, 0.5, 0.5, 0.6])
    day = SocDay.of(list(soc), step_s=3600, temperature_c=25)
    repeated = sorted(round(cycle.depth, 6) for cycle in day.half_cycles(repeats=True))
    alone = sorted(round(cycle.depth, 6) for cycle in day.half_cycles(repeats=False))
    assert repeated == [0.2, 0.2]
    assert alone == [0.1, 0.1, 0.2]


def test_a_day_that_does_not_close_cannot_repeat() -> None:
    """Otherwise the jump at midnight would be wear that nobody drove."""
    day = SocDay.of(list(np.linspace(0.8, 0.3, 25)), step_s=3600, temperature_c=25)
    with pytest.raises(WearInputError, match="where it began"):
        life(wear_model("lfp_250ah"), day, [1])


def _request(**changes: Any) -> dict[str, Any]:
    request = {
        "model": "lfp_250ah",
        "temperature_c": 25,
        "step_s": 300,
        "soc": soc_of("base80_imm"),
        "years": [1, 10],
    }
    return request | changes


def test_the_command_prints_capacity_left_and_cycles(tmp_path: Path) -> None:
    """From a file or standard input, the same answer."""
    text = json.dumps(_request())
    path = tmp_path / "day.json"
    path.write_text(text)
    from_file = CliRunner().invoke(wear, [str(path)])
    from_stdin = CliRunner().invoke(wear, ["-", "--json"], input=text)
    assert from_file.exit_code == 0
    assert from_file.stdout == from_stdin.stdout
    answer = json.loads(from_file.stdout)
    assert set(answer) == {"capacity_left", "efc"}
    assert answer["capacity_left"] == pytest.approx([0.98333615, 0.93849613], abs=3e-4)
    assert answer["efc"] == pytest.approx([43.8, 438.0])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model": "lto"}, "lfp_250ah"),
        ({"model": 3}, "model"),
        ({"temperature_c": 200}, "temperature_c"),
        ({"temperature_c": True}, "temperature_c"),
        ({"step_s": 0}, "step_s"),
        ({"step_s": 7}, "step_s"),
        ({"step_s": 300.0}, "step_s"),
        ({"soc": [0.5] * 288}, "289"),
        ({"soc": [80.0] * 289}, "fractions"),
        ({"soc": ["0.5"] * 289}, "soc"),
        ({"soc": []}, "soc"),
        ({"years": [-1]}, "years"),
        ({"years": [51]}, "years"),
        ({"years": 10}, "years"),
        ({"extra": 1}, "members"),
    ],
)
def test_bad_input_is_a_problem_on_standard_output_and_exit_code_2(
    changes: dict[str, Any], named: str
) -> None:
    """The problem names what was hit and what would pass."""
    result = CliRunner().invoke(wear, ["-"], input=json.dumps(_request(**changes)))
    assert result.exit_code == 2
    problem = json.loads(result.stdout)
    assert problem["status"] == 422
    assert named in problem["detail"]


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"model":NaN}', "\xff", "x" * 4_000_001])
def test_text_that_is_no_request_is_a_problem_too(text: str) -> None:
    """No traceback for any bytes."""
    result = CliRunner().invoke(wear, ["-"], input=text)
    assert result.exit_code == 2
    assert "needed" in json.loads(result.stdout)["detail"] or "JSON" in result.stdout
