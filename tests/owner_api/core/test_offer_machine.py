"""The offer machine: every drawn move, no other, one winner of every race."""

from datetime import UTC, datetime, timedelta
from itertools import product

from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
import pytest

from owner_api.core.machine import (
    OFFER_MOVES,
    OPEN_OFFERS,
    Answer,
    Expire,
    Forbid,
    Judged,
    Moved,
    OfferCommand,
    OfferFacts,
    OfferState,
    Rejection,
    Revise,
    Withdraw,
    decide_offer,
)
from owner_api.problems import ProblemCode

from .diagrams import OFFER, moves
from .patience import patient

RESPOND_BY = datetime(2026, 12, 1, 6, 0, tzinfo=UTC)
TERMS, OTHER = "a" * 64, "b" * 64
ANSWERS = (OfferState.ACCEPTED, OfferState.DECLINED, OfferState.COUNTERED)
MARGINS = (-3600.0, -0.001, 0.0, 0.001, 3600.0)


def facts(state: OfferState, revision: int = 1) -> OfferFacts:
    return OfferFacts(state=state, revision=revision, terms_sha256=TERMS, respond_by=RESPOND_BY)


def every_command() -> list[OfferCommand]:
    """Every command there is, well-formed and not: 10 verdicts, 30 answers, revisions, the rest."""
    return [
        *(Judged(state) for state in OfferState),
        *(
            Answer(to, revision, terms)
            for to, revision, terms in product(OfferState, (0, 1, 2), (TERMS, OTHER))
        ),
        *(Revise(number) for number in (0, 1, 2, 3)),
        Forbid("consent_never"),
        Withdraw(),
        Expire(),
    ]


def after(seconds: float) -> datetime:
    return RESPOND_BY + timedelta(seconds=seconds)


def test_the_table_of_moves_is_the_drawing_of_the_design() -> None:
    table = {(start.value, end.value) for start, ends in OFFER_MOVES.items() for end in ends}
    assert table == moves(OFFER)


def test_every_drawn_move_is_taken_by_some_command_and_no_other_is() -> None:
    taken = set()
    for state, command, margin in product(OfferState, every_command(), MARGINS):
        found = decide_offer(facts(state), command, after(margin))
        if isinstance(found, Moved):
            taken.add((state.value, found.to.value))
    assert taken == moves(OFFER)


def test_a_refused_command_says_a_code_that_a_caller_knows_and_why() -> None:
    for state, command, margin in product(OfferState, every_command(), MARGINS):
        found = decide_offer(facts(state), command, after(margin))
        assert isinstance(found, Moved) or (ProblemCode(found.code) and found.detail)


@patient
@given(
    state=st.sampled_from([OfferState.PRESENTED, OfferState.COUNTERED]),
    to=st.sampled_from(ANSWERS),
    revision=st.integers(-2, 4),
    terms=st.sampled_from([TERMS, OTHER, TERMS[:-1] + "b", ""]),
    margin=st.sampled_from(MARGINS),
)
def test_only_the_newest_revision_with_exactly_its_terms_can_be_answered(
    state: OfferState, to: OfferState, revision: int, terms: str, margin: float
) -> None:
    found = decide_offer(facts(state), Answer(to, revision, terms), after(margin))
    if (revision, terms) != (1, TERMS):
        assert isinstance(found, Rejection)
        assert found.code == "stale_terms"


@pytest.mark.parametrize("to", ANSWERS)
@pytest.mark.parametrize("margin_ms", [-1, 0, 1])
def test_promise_1_an_answer_a_millisecond_late_counts_for_nothing(
    to: OfferState, margin_ms: int
) -> None:
    found = decide_offer(facts(OfferState.PRESENTED), Answer(to, 1, TERMS), after(margin_ms / 1000))
    if margin_ms < 0:
        assert found == Moved(to)
    else:
        assert isinstance(found, Rejection)
        assert found.code == "offer_expired"


def test_a_late_answer_hears_the_same_whether_the_timer_was_first_or_not() -> None:
    answer = Answer(OfferState.ACCEPTED, 1, TERMS)
    early = decide_offer(facts(OfferState.PRESENTED), answer, after(1))
    late = decide_offer(facts(OfferState.EXPIRED), answer, after(1))
    assert early == late


@pytest.mark.parametrize("state", OfferState)
def test_promise_1_what_the_owner_forbids_ends_an_open_offer_as_declined_and_no_other(
    state: OfferState,
) -> None:
    found = decide_offer(facts(state), Forbid("consent_never"), after(-1))
    if state in OPEN_OFFERS:
        assert found == Moved(OfferState.AUTO_DECLINED, "consent_never")
    else:
        assert isinstance(found, Rejection)
    late = decide_offer(facts(state), Forbid("consent_never"), after(0))
    assert isinstance(late, Rejection)


def test_the_old_terms_of_a_countered_offer_cannot_be_accepted() -> None:
    found = decide_offer(
        facts(OfferState.COUNTERED), Answer(OfferState.ACCEPTED, 1, TERMS), after(-1)
    )
    assert isinstance(found, Rejection)
    assert found.code == "offer_closed"


@patient
@given(revision=st.integers(-5, 10), known=st.integers(1, 5))
def test_only_the_next_revision_supersedes(revision: int, known: int) -> None:
    found = decide_offer(facts(OfferState.PRESENTED, known), Revise(revision), after(-1))
    if revision == known + 1:
        assert found == Moved(OfferState.SUPERSEDED)
    else:
        assert isinstance(found, Rejection)
        assert found == Rejection("stale_sequence", f"the next revision is {known + 1}")


@patient
@given(margin=st.floats(-86_400, 86_400), command=st.sampled_from(every_command()))
def test_at_no_instant_can_an_offer_both_expire_and_be_answered(
    margin: float, command: OfferCommand
) -> None:
    expired = decide_offer(facts(OfferState.PRESENTED), Expire(), after(margin))
    other = decide_offer(facts(OfferState.PRESENTED), command, after(margin))
    if isinstance(expired, Moved) and not isinstance(command, Expire):
        assert isinstance(other, Rejection)


class OneOffer(RuleBasedStateMachine):
    """An offer under any order of commands; the first recorded ending is the only one."""

    @initialize()
    def fresh(self) -> None:
        self.facts = facts(OfferState.RECEIVED)
        self.now = after(-600)
        self.endings: list[OfferState] = []

    def send(self, command: OfferCommand) -> None:
        found = decide_offer(self.facts, command, self.now)
        if isinstance(found, Rejection):
            return
        if found.to is OfferState.SUPERSEDED:
            # A superseded revision gives way to the next one, which starts anew.
            self.facts = facts(OfferState.RECEIVED, self.facts.revision + 1)
            return
        if isinstance(command, Answer):
            assert self.now < RESPOND_BY
        if found.to not in OFFER_MOVES:
            self.endings.append(found.to)
        self.facts = facts(found.to, self.facts.revision)

    @rule(seconds=st.floats(0, 400))
    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(to=st.sampled_from(OfferState))
    def judge(self, to: OfferState) -> None:
        self.send(Judged(to))

    @rule(to=st.sampled_from(ANSWERS), behind=st.integers(0, 1))
    def answer(self, to: OfferState, behind: int) -> None:
        self.send(Answer(to, self.facts.revision - behind, TERMS))

    @rule(ahead=st.integers(0, 2))
    def revise(self, ahead: int) -> None:
        self.send(Revise(self.facts.revision + ahead))

    @rule()
    def withdraw(self) -> None:
        self.send(Withdraw())

    @precondition(lambda self: self.now >= RESPOND_BY)
    @rule()
    def expire(self) -> None:
        self.send(Expire())

    @invariant()
    def one_race_has_one_winner(self) -> None:
        assert len(self.endings) <= 1


TestOneOffer = OneOffer.TestCase
TestOneOffer.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
