"""A short run of the model harness, and proof that a wrong model would be noticed."""

import pytest

from script.reliability_lib.model.drawing import TRANSITIONS
from script.reliability_lib.model.run import noticed, play_apart, short
from tests.owner_api.core import diagrams


@pytest.mark.slow
def test_promise_10_the_whole_api_does_what_an_independent_model_says() -> None:
    """Every state and every currency's sum after each of the random steps."""
    played = play_apart(20_000, seed=20, workers=2)
    assert played.diverged is None
    assert played.steps == 20_000
    # The run must not be a run of refusals: every transition is taken in it.
    assert short(played, 1) == []


@pytest.mark.slow
def test_a_model_with_one_transition_altered_diverges() -> None:
    assert noticed(("offer", "presented", "withdrawn"), seed=21, most=3_000).diverged is not None


def test_the_harness_draws_the_machines_as_the_design_does() -> None:
    drawn = {("offer", move) for move in diagrams.moves(diagrams.OFFER)}
    drawn |= {("commitment", move) for move in diagrams.moves(diagrams.COMMITMENT)}
    drawn |= {("settlement", move) for move in diagrams.moves(diagrams.SETTLEMENT)}
    assert {(machine, (before, after)) for machine, before, after in TRANSITIONS} == drawn
