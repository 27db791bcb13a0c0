"""The settlement machine: figures become final by time or by both, and end only by reversal."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

from hypothesis import given, strategies as st

from owner_api.core.machine import (
    SETTLEMENT_MOVES,
    Correct,
    Dispute,
    Finalize,
    Moved,
    Rejection,
    SettlementCommand,
    SettlementFacts,
    SettlementState,
    decide_settlement,
)
from owner_api.problems import ProblemCode

from .diagrams import SETTLEMENT, moves
from .patience import patient

UNTIL = datetime(2026, 12, 8, 6, 0, tzinfo=UTC)
COMMANDS: tuple[SettlementCommand, ...] = (Finalize(), Dispute(), Correct())
MARGINS = (-3600.0, -0.001, 0.0, 0.001, 3600.0)


def facts(state: SettlementState, *, both_confirmed: bool = False) -> SettlementFacts:
    return SettlementFacts(state=state, dispute_until=UNTIL, both_confirmed=both_confirmed)


def test_the_table_of_moves_is_the_drawing_of_the_design() -> None:
    table = {(start.value, end.value) for start, ends in SETTLEMENT_MOVES.items() for end in ends}
    assert table == moves(SETTLEMENT)


def test_every_drawn_move_is_taken_by_some_command_and_no_other_is() -> None:
    taken = set()
    for state, command, margin, both in product(SettlementState, COMMANDS, MARGINS, (True, False)):
        now = UNTIL + timedelta(seconds=margin)
        found = decide_settlement(facts(state, both_confirmed=both), command, now)
        if isinstance(found, Moved):
            taken.add((state.value, found.to.value))
    assert taken == moves(SETTLEMENT)


def test_a_refused_command_says_a_code_that_a_caller_knows_and_why() -> None:
    for state, command, margin in product(SettlementState, COMMANDS, MARGINS):
        found = decide_settlement(facts(state), command, UNTIL + timedelta(seconds=margin))
        assert isinstance(found, Moved) or (ProblemCode(found.code) and found.detail)


@patient
@given(margin=st.floats(-86_400, 86_400), both=st.booleans())
def test_a_provisional_settlement_is_final_when_the_window_has_passed_or_both_agree(
    margin: float, *, both: bool
) -> None:
    now = UNTIL + timedelta(seconds=margin)
    provisional = facts(SettlementState.PROVISIONAL, both_confirmed=both)
    found = decide_settlement(provisional, Finalize(), now)
    assert isinstance(found, Moved) is (both or now >= UNTIL)


@patient
@given(margin=st.floats(-86_400, 86_400))
def test_at_no_instant_can_silence_make_final_what_may_still_be_disputed(margin: float) -> None:
    now = UNTIL + timedelta(seconds=margin)
    final = decide_settlement(facts(SettlementState.PROVISIONAL), Finalize(), now)
    disputed = decide_settlement(facts(SettlementState.PROVISIONAL), Dispute(), now)
    assert isinstance(final, Moved) is not isinstance(disputed, Moved)


@patient
@given(margin=st.floats(-86_400, 86_400))
def test_a_dispute_that_its_owner_took_back_ends_with_the_time_to_dispute(margin: float) -> None:
    now = UNTIL + timedelta(seconds=margin)
    known = replace(facts(SettlementState.DISPUTED), owner_confirmed=True)
    ended = decide_settlement(known, Finalize(), now)
    assert isinstance(ended, Moved) is (now >= UNTIL)


@patient
@given(margin=st.floats(-86_400, 86_400))
def test_silence_never_ends_a_dispute(margin: float) -> None:
    now = UNTIL + timedelta(seconds=margin)
    assert isinstance(
        decide_settlement(facts(SettlementState.DISPUTED), Finalize(), now), Rejection
    )


@patient
@given(command=st.sampled_from(COMMANDS), margin=st.floats(-86_400, 86_400))
def test_promise_6_what_was_corrected_is_never_touched_again(
    command: SettlementCommand, margin: float
) -> None:
    now = UNTIL + timedelta(seconds=margin)
    found = decide_settlement(facts(SettlementState.CORRECTED), command, now)
    assert isinstance(found, Rejection)
    assert found.code == "conflict"
