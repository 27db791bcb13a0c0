"""The charging plan against EMHASS, which runs in an environment and a process of its own."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
import json
from pathlib import Path
import subprocess
import tempfile
from typing import Any

from owner_api.planning.quote import QuoteRequest
from owner_api.planning.scale import PRICE_UNIT

from .cases import Case, Instance, plan
from .instances import HORIZONS, request_with
from .measure import Measurement, Times, gap, is_quiet
from .self_test import BENT_BY

PYTHON = Path(".venv-emhass/bin/python")
SIDE = Path(__file__).with_name("emhass_side.py")
STEPS = 96
RUNS = 40
WARM_UP = 1  # EMHASS builds its problem in the first call; re-solving is what it does all day
TIMEOUT_S = 300
GOAL = 50.0
SLOW_TIMES = 10  # far more than any margin over the goal
MAX_GAP = 1e-7  # our course is exact; its objective comes back from floats and a MIP's tolerances
FOR_NOTHING = Decimal("0.0001")


class EmhassError(RuntimeError):
    """EMHASS did not answer; the words are its own last ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Versions:
    """What EMHASS ran with, by package."""

    text: str


def against_emhass() -> tuple[Measurement, Versions, list[tuple[str, bool]]]:
    """Measure the same questions on both sides; also say what a wrong or slow plan leads to.

    Raises EmhassError.
    """
    requests = [_charging_only(request_with(STEPS, seed)) for seed in range(RUNS + WARM_UP)]
    answered = _ask_emhass(requests)
    theirs, asked = answered["answers"][WARM_UP:], requests[WARM_UP:]
    for answer in theirs:
        if answer["status"] != "Optimal":
            raise EmhassError(f"EMHASS ends with {answer['status']}")
    measured = _measured(asked, theirs, lambda cost: cost, times=1)
    noticed = [
        (
            f"objective off by {BENT_BY:.0e}",
            _red(_measured(asked, theirs, lambda cost: cost * (1 + BENT_BY), times=1), "differ"),
        ),
        (
            f"planner {SLOW_TIMES} times slower",
            _red(_measured(asked, theirs, lambda cost: cost, times=SLOW_TIMES), "goal"),
        ),
    ]
    named = ", ".join(f"{name} {version}" for name, version in answered["versions"].items())
    first_ms = answered["answers"][0]["wall_ms"]
    return measured, Versions(text=f"{named}; its first call took {first_ms:.0f} ms"), noticed


def _charging_only(request: QuoteRequest) -> QuoteRequest:
    """Return the request of one fixed car that leaves with just what its owner needs.

    EMHASS re-solves for other prices and charges, not for another car. It has no refill price:
    with one below the tariff's both sides buy as little as they may.
    """
    vehicle = request_with(STEPS, 1).vehicle
    return replace(
        request,
        vehicle=replace(vehicle, soc_pct=request.vehicle.soc_pct),
        later_refill_price_per_kwh=FOR_NOTHING,
    )


def _ask_emhass(requests: list[QuoteRequest]) -> dict[str, Any]:
    vehicle, wishes = requests[0].vehicle, requests[0].preferences
    with tempfile.TemporaryDirectory(prefix="bench-emhass-") as folder:
        question = {
            "folder": folder,
            "step_s": HORIZONS[STEPS].seconds,
            "charge_w": vehicle.max_charge_w,
            "efficiency": float(vehicle.charge_efficiency),
            "capacity_wh": vehicle.usable_capacity_wh,
            "soc_min": float(wishes.soc_floor_pct / 100),
            "soc_max": float(wishes.soc_ceiling_pct / 100),
            "questions": [
                {
                    "prices": [float(entry.price_per_kwh) for entry in request.tariff],
                    "soc": float(request.vehicle.soc_pct / 100),
                    "soc_wanted": float(request.preferences.soc_min_departure_pct / 100),
                }
                for request in requests
            ],
        }
        try:
            ended = subprocess.run(
                [PYTHON, SIDE],
                input=json.dumps(question),
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EmhassError(str(error)) from error
    if ended.returncode:
        raise EmhassError(ended.stderr.strip()[-500:])
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer


def _measured(
    requests: list[QuoteRequest],
    answers: list[dict[str, Any]],
    bend: Callable[[float], float],
    times: int,
) -> Measurement:
    ours, gaps, instances = Times(), [], []
    for seed, (request, answer) in enumerate(zip(requests, answers, strict=True), WARM_UP):

        def answer_it(request: QuoteRequest = request) -> None:
            for _ in range(times):
                plan(request)

        def cost(request: QuoteRequest = request) -> float:
            return bend(_paid(request))

        ours.run(answer_it)
        gaps.append((gap(cost(), answer["cost"]), seed))
        instances.append(
            Instance(
                seed=seed,
                ours=answer_it,
                ours_objective=cost,
                theirs=partial(float, answer["cost"]),
                others={},
            )
        )
    widest, worst_seed = max(gaps)
    return Measurement(
        case=Case(
            name=f"charging plan, {STEPS} steps",
            goal=GOAL,
            peer="EMHASS, re-solve",
            max_gap=MAX_GAP,
            instances=tuple(instances),
        ),
        ours=ours,
        theirs=Times(
            wall=[answer["wall_ms"] for answer in answers],
            busy=[answer["busy_ms"] for answer in answers],
        ),
        others={},
        gap=widest,
        worst_seed=worst_seed,
        quiet=is_quiet(),
    )


def _paid(request: QuoteRequest) -> float:
    """Return what our course pays for charging, in currency units."""
    pieces, course = plan(request)
    bought = sum(price * added for price, added in zip(pieces.price, course.charged, strict=True))
    over, under = pieces.scale.charge
    paid: float = bought * under / (over * PRICE_UNIT * 1000 * pieces.scale.per_wh)
    return paid


def _red(measured: Measurement, word: str) -> bool:
    return any(word in line for line in measured.missed())
