"""What is timed: our side and the solver's side of one question on one instance."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from owner_api.planning.evaluation import Rates, evaluate
from owner_api.planning.horizon import Course, course_cost, course_without, look_ahead
from owner_api.planning.pieces import Pieces, cut
from owner_api.planning.quote import QuoteRequest, quote

from .instances import request_with
from .program import cheapest

type Side = Callable[[], float]

SEEDS = 10
MAX_GAP = 1e-9
WORTHWHILE = 1  # an objective near nothing would make its relative gap meaningless


@dataclass(frozen=True, kw_only=True, slots=True)
class Instance:
    """One question asked of both sides; each timed call returns what `objective` compares.

    `ours_objective` and `theirs` return the least cost in currency units.
    """

    seed: int
    ours: Callable[[], object]
    ours_objective: Side
    theirs: Side
    others: dict[str, Side]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """Instances of one size, and by what factor our side has to be faster than `peer`.

    The objectives may differ by `max_gap` of their size.
    """

    name: str
    goal: float
    peer: str
    max_gap: float
    instances: tuple[Instance, ...]


def plan_case(steps: int, goal: float) -> Case:
    """Return the plan: cut the horizon into pieces, solve, and follow the cheapest course."""
    return _against_highs(f"plan, {steps} steps", goal, _instances(steps, _plan_instance))


def quote_case(steps: int, goal: float) -> Case:
    """Return the full quote with curve and counter against one energy in the solver."""
    return _against_highs(f"full quote, {steps} steps", goal, _instances(steps, _quote_instance))


def _against_highs(name: str, goal: float, instances: tuple[Instance, ...]) -> Case:
    peer = "HiGHS, build and solve"
    return Case(name=name, goal=goal, peer=peer, max_gap=MAX_GAP, instances=instances)


def _instances(
    steps: int, make: Callable[[int, QuoteRequest], Instance | None]
) -> tuple[Instance, ...]:
    made = (make(seed, request_with(steps, seed)) for seed in count(1))
    usable = (instance for instance in made if instance is not None)
    return tuple(instance for _, instance in zip(range(SEEDS), usable, strict=False))


def plan(request: QuoteRequest) -> tuple[Pieces, Course]:
    """Return the cheapest charging without the offer, from the request to the course."""
    pieces = cut(request)
    return pieces, course_without(pieces, look_ahead(pieces))


def _plan_instance(seed: int, request: QuoteRequest) -> Instance | None:
    unit = _unit(request)

    def objective() -> float:
        pieces, course = plan(request)
        rates = Rates.of(request, pieces.scale)
        return course_cost(pieces, course) * rates.cost / unit

    if abs(objective()) < WORTHWHILE:
        return None
    return Instance(
        seed=seed,
        ours=lambda: plan(request),
        ours_objective=objective,
        theirs=lambda: cheapest(request),
        others={"HiGHS without presolve": lambda: cheapest(request, presolve=False)},
    )


def _quote_instance(seed: int, request: QuoteRequest) -> Instance | None:
    unit = _unit(request)
    judged = evaluate(request)
    if judged.fits == "none":
        return None
    sold_wh = judged.quoted_energy_wh

    def objective() -> float:
        now = evaluate(request)
        if now.cost_without is None:
            raise ValueError("an instance has a solution")
        return (now.total_cost(sold_wh) + now.cost_without * now.rates.cost) / unit

    if abs(objective()) < WORTHWHILE:
        return None
    return Instance(
        seed=seed,
        ours=lambda: quote(request),
        ours_objective=objective,
        theirs=lambda: cheapest(request, sold_wh / 1000),
        others={
            "HiGHS without presolve": lambda: cheapest(request, sold_wh / 1000, presolve=False),
        },
    )


def _unit(request: QuoteRequest) -> int:
    return Rates.of(request, cut(request).scale).unit
