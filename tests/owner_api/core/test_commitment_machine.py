"""The commitment machine and its deadline: a revocation beats a crossing award, always."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations, product

from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
import pytest

from owner_api.core.machine import (
    COMMITMENT_MOVES,
    LIVE_COMMITMENTS,
    Award,
    CommitmentCommand,
    CommitmentFacts,
    CommitmentState,
    End,
    Moved,
    Rejection,
    Start,
    award_deadline,
    decide_commitment,
)
from owner_api.problems import ProblemCode

from .diagrams import COMMITMENT, moves
from .patience import patient

START = datetime(2026, 12, 1, 6, 0, tzinfo=UTC)
END = START + timedelta(hours=1)
DECIDED = START - timedelta(minutes=20)
AWARD_BY = award_deadline(START, END, DECIDED)
TERMS = "a" * 64
INSTANTS = [
    at + timedelta(milliseconds=ms) for at in (DECIDED, AWARD_BY, START, END) for ms in (-1, 0, 1)
]


def facts(state: CommitmentState) -> CommitmentFacts:
    return CommitmentFacts(
        state=state,
        terms_sha256=TERMS,
        consented_energy_wh=6000,
        min_energy_wh=3000,
        award_by=AWARD_BY,
        start_at=START,
        end_at=END,
    )


def every_command() -> list[CommitmentCommand]:
    energies = (0, 2999, 3000, 6000, 6001)
    awards = [Award(terms, energy) for terms, energy in product((TERMS, "b" * 64), energies)]
    return [*awards, Start(), *(End(state) for state in CommitmentState)]


def test_the_table_of_moves_is_the_drawing_of_the_design() -> None:
    table = {(start.value, end.value) for start, ends in COMMITMENT_MOVES.items() for end in ends}
    assert table == moves(COMMITMENT)


def test_every_drawn_move_is_taken_by_some_command_and_no_other_is() -> None:
    taken = set()
    for state, command, now in product(CommitmentState, every_command(), INSTANTS):
        found = decide_commitment(facts(state), command, now)
        if isinstance(found, Moved):
            taken.add((state.value, found.to.value))
    assert taken == moves(COMMITMENT)


def test_an_ending_cannot_start_or_award_a_deal() -> None:
    """Only an award schedules and only a first instruction activates."""
    for state, to in (
        (CommitmentState.PENDING_AWARD, CommitmentState.SCHEDULED),
        (CommitmentState.SCHEDULED, CommitmentState.ACTIVE),
    ):
        assert isinstance(decide_commitment(facts(state), End(to), START), Rejection)


@patient
@given(
    terms=st.sampled_from([TERMS, TERMS[:-1] + "b", TERMS.upper(), ""]),
    energy=st.sampled_from([-1, 0, 1, 2999, 3000, 3001, 5999, 6000, 6001]) | st.integers(-10, 7000),
    now=st.sampled_from(INSTANTS),
)
def test_an_award_needs_the_consented_terms_the_consented_energy_and_the_time(
    terms: str, energy: int, now: datetime
) -> None:
    found = decide_commitment(facts(CommitmentState.PENDING_AWARD), Award(terms, energy), now)
    right = terms == TERMS and 3000 <= energy <= 6000 and now <= AWARD_BY
    assert isinstance(found, Moved) is right
    if not right:
        assert isinstance(found, Rejection)
        wanted = "offer_expired" if terms == TERMS and 3000 <= energy <= 6000 else "award_mismatch"
        assert found.code == wanted


@patient
@given(now=st.sampled_from(INSTANTS))
def test_a_deal_starts_only_inside_its_window(now: datetime) -> None:
    found = decide_commitment(facts(CommitmentState.SCHEDULED), Start(), now)
    assert isinstance(found, Moved) is (START <= now < END)


@patient
@given(now=st.sampled_from(INSTANTS))
def test_at_no_instant_can_a_deal_both_lapse_and_be_awarded(now: datetime) -> None:
    lapsed = decide_commitment(
        facts(CommitmentState.PENDING_AWARD), End(CommitmentState.LAPSED), now
    )
    awarded = decide_commitment(facts(CommitmentState.PENDING_AWARD), Award(TERMS, 6000), now)
    assert isinstance(lapsed, Moved) is not isinstance(awarded, Moved)


@pytest.mark.parametrize("order", list(permutations(("award", "revoke"))))
def test_promise_4_a_revocation_beats_a_crossing_award_in_both_orders(order: tuple[str]) -> None:
    state = CommitmentState.PENDING_AWARD
    commands: dict[str, CommitmentCommand] = {
        "award": Award(TERMS, 6000),
        "revoke": End(CommitmentState.REVOKED, "owner"),
    }
    for name in order:
        found = decide_commitment(facts(state), commands[name], DECIDED)
        state = found.to if isinstance(found, Moved) else state
    assert state is CommitmentState.REVOKED


def test_of_two_endings_exactly_one_wins() -> None:
    for state, first, now in product(sorted(LIVE_COMMITMENTS), every_command(), INSTANTS):
        found = decide_commitment(facts(state), first, now)
        if not isinstance(found, Moved) or found.to in LIVE_COMMITMENTS:
            continue
        for second in every_command():
            again = decide_commitment(facts(found.to), second, now)
            assert isinstance(again, Rejection)
            late_award = found.to is CommitmentState.LAPSED and isinstance(second, Award)
            assert again.code == ("offer_expired" if late_award else "commitment_closed")


def test_a_refused_command_says_a_code_that_a_caller_knows_and_why() -> None:
    for state, command, now in product(CommitmentState, every_command(), INSTANTS):
        found = decide_commitment(facts(state), command, now)
        if not isinstance(found, Moved):
            assert ProblemCode(found.code)
            assert found.detail
            if command == End(CommitmentState.LAPSED):
                early = state is CommitmentState.PENDING_AWARD and now <= AWARD_BY
                assert found.code == ("conflict" if early else "commitment_closed")


@pytest.mark.parametrize(("energy_wh", "taken"), [(-1, False), (0, False), (1, True), (2, True)])
def test_an_award_of_nothing_is_none_where_a_park_has_named_no_least(
    energy_wh: int, *, taken: bool
) -> None:
    any_energy = replace(facts(CommitmentState.PENDING_AWARD), min_energy_wh=0)
    found = decide_commitment(any_energy, Award(TERMS, energy_wh), DECIDED)
    assert isinstance(found, Moved) is taken


@patient
@given(
    length=st.integers(1, 86_400),
    decided=st.integers(-604_800, 86_400),
)
def test_the_award_deadline_is_a_minute_before_the_start_or_after_the_yes_and_before_the_end(
    length: int, decided: int
) -> None:
    end, decided_at = START + timedelta(seconds=length), START + timedelta(seconds=decided)
    found = award_deadline(START, end, decided_at)
    assert found < end
    minute = timedelta(seconds=60)
    if found < end - timedelta(seconds=1):
        assert found == max(START - minute, decided_at + minute)
        assert found - decided_at >= minute
    else:
        assert max(START - minute, decided_at + minute) >= found


class OneDeal(RuleBasedStateMachine):
    """A deal under any order of commands, on a clock that only goes on."""

    @initialize()
    def fresh(self) -> None:
        self.state = CommitmentState.PENDING_AWARD
        self.now = DECIDED
        self.passed = [self.state]

    def send(self, command: CommitmentCommand) -> None:
        found = decide_commitment(facts(self.state), command, self.now)
        if isinstance(found, Moved):
            self.state = found.to
            self.passed.append(found.to)

    @rule(seconds=st.integers(0, 900))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(terms=st.sampled_from([TERMS, "b" * 64]), energy=st.integers(0, 7000))
    def award(self, terms: str, energy: int) -> None:
        self.send(Award(terms, energy))

    @rule()
    def start(self) -> None:
        self.send(Start())

    @rule(to=st.sampled_from(CommitmentState))
    def end(self, to: CommitmentState) -> None:
        self.send(End(to))

    @invariant()
    def every_step_is_drawn(self) -> None:
        steps = zip(self.passed, self.passed[1:], strict=False)
        assert {(a.value, b.value) for a, b in steps} <= moves(COMMITMENT)

    @invariant()
    def nothing_is_active_that_was_not_awarded(self) -> None:
        if CommitmentState.ACTIVE in self.passed:
            assert CommitmentState.SCHEDULED in self.passed


TestOneDeal = OneDeal.TestCase
TestOneDeal.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
