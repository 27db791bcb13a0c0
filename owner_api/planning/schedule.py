"""When to charge before leaving: the cheapest blocks, as thresholds a noisy reading can follow.

    schedule = plan_charging(request)         # ScheduleRequest -> Schedule
    advised_power_w(schedule, now, soc_pct, charging=False)

The same pieces, buffer and taper as the quote's (design §5), so that the two never disagree.
Thresholds come from the cost-to-go, so they stay right when the car is not where the plan
thought: below `start_below_pct` charge, from `stop_at_pct` on stop, in between go on as before.
"""

from bisect import bisect_right
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from .blocks import Blocks, repair, solve, without_dead_band
from .check import MAX_POWER_W, QuoteRequestError, check
from .money import ratio_up
from .pieces import Pieces, cut
from .request import (
    ChargingPromise,
    CommittedDischarge,
    Offer,
    Preferences,
    QuoteRequest,
    TaperStep,
    TariffEntry,
    Vehicle,
)
from .scale import PRICE_UNIT
from .span import Span

COST_DIGITS = 4
MAX_BLOCK_S = 86_400
MAX_NOISE_PCT = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduleRequest:
    """A car, when it leaves and with how much, and what charging costs.

    `soc_target_departure_pct` steers up to the ceiling, it never makes a plan impossible.
    `min_power_w` is the charger's dead band (6 A on one phase), `min_block_s` the shortest wanted
    block. Readings are believed to `reading_error_pct` points; with the hysteresis that is the
    reserve to leave with.
    """

    now: datetime
    departure_at: datetime
    vehicle: Vehicle
    soc_floor_pct: Decimal
    soc_ceiling_pct: Decimal
    soc_min_departure_pct: Decimal
    tariff: tuple[TariffEntry, ...]
    soc_target_departure_pct: Decimal = Decimal(0)
    departure_buffer_s: int = 900
    later_refill_price_per_kwh: Decimal | None = None
    charging: tuple[ChargingPromise, ...] | None = None
    taper: tuple[TaperStep, ...] = ()
    commitments: tuple[CommittedDischarge, ...] = ()
    min_power_w: int = 1_400
    min_block_s: int = 900
    hysteresis_pct: Decimal = Decimal(1)
    reading_error_pct: Decimal = Decimal(1)

    @property
    def horizon(self) -> datetime:
        """When the plan has to be done: buffer and taper before the leave time, as in a quote."""
        return Span.of(_as_quote(self)).horizon


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduleStep:
    """From `start_at`: charge at `power_w` below one state of charge, stop at the other.

    `planned` says whether the nominal course charges here; elsewhere the thresholds only guard
    the leave time.
    """

    start_at: datetime
    power_w: int
    start_below_pct: Decimal
    stop_at_pct: Decimal
    planned: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """The steps until the leave time, `end_at`, and what they lead to.

    The plan is done `departure_buffer_s` earlier; the last step is the guard of that reserve.

    `repair_cost_at_most` (currency units, rounded up) bounds what the dead band and the minimum
    block cost beyond the cheapest conceivable plan; `short_blocks` counts blocks that had to
    stay shorter. `short_of_minimum_wh` > 0: the departure minimum is out of reach by that much.
    """

    steps: tuple[ScheduleStep, ...]
    end_at: datetime
    charge_energy_wh: int
    soc_at_departure_pct: Decimal
    short_of_minimum_wh: int
    repair_cost_at_most: Decimal
    short_blocks: int


def plan_charging(request: ScheduleRequest) -> Schedule:
    """Plan the charging up to the leave time; there is always a plan.

    Raises QuoteRequestError on what no real car or tariff can be.
    """
    asked = _as_quote(request)
    check(asked)
    _check(request)
    exact = cut(asked)
    usable = without_dead_band(exact, request.min_power_w)
    fullest = _fullest(usable)
    capacity = request.vehicle.usable_capacity_wh
    reserve = request.hysteresis_pct + request.reading_error_pct
    least_pct = request.soc_min_departure_pct
    goal_pct = max(least_pct + reserve, request.soc_target_departure_pct)
    # Target and reserve are no reason to pass the ceiling, being ready is.
    goal_pct = max(least_pct, min(goal_pct, request.soc_ceiling_pct))
    wanted = exact.scale.stored(capacity, min(Decimal(100), goal_pct))
    # What cannot be reached is not planned with, only guarded for: there is always a plan.
    need = min(wanted, fullest[-1])
    low = [min(bound, most) for bound, most in zip(exact.low, fullest, strict=True)]
    unrestricted = solve(replace(exact, need=need, low=low))
    first = solve(replace(usable, need=need, low=low))
    if unrestricted is None or first is None:
        raise ValueError("the fullest course keeps every bound, so one exists")
    blocks = repair(first, request.min_block_s)
    scale = exact.scale
    missing = max(0, scale.stored(capacity, request.soc_min_departure_pct) - fullest[-1])
    extra = (blocks.cost - unrestricted.cost) * scale.charge[1]
    return Schedule(
        steps=_steps(blocks, usable, wanted, request),
        end_at=request.departure_at,
        charge_energy_wh=int(scale.charged_wh(sum(blocks.course.charged), 0)),
        soc_at_departure_pct=scale.percent_down(capacity, blocks.course.stored[-1]),
        short_of_minimum_wh=-(-missing // scale.per_wh),
        repair_cost_at_most=ratio_up(
            extra, PRICE_UNIT * 1000 * scale.per_wh * scale.charge[0], COST_DIGITS
        ),
        short_blocks=sum(end - begin < request.min_block_s for begin, end in blocks.runs()),
    )


def advised_power_w(schedule: Schedule, now: datetime, soc_pct: Decimal, *, charging: bool) -> int:
    """Return the power to charge at now, given the reading and whether the car is charging."""
    index = bisect_right(schedule.steps, now, key=lambda step: step.start_at) - 1
    if index < 0 or now >= schedule.end_at:
        return 0
    step = schedule.steps[index]
    below = step.stop_at_pct if charging else step.start_below_pct
    return step.power_w if soc_pct < below else 0


def _check(request: ScheduleRequest) -> None:
    """Refuse limits that no charger or car has."""
    for pointer, value, most in (
        ("/min_power_w", request.min_power_w, MAX_POWER_W),
        ("/min_block_s", request.min_block_s, MAX_BLOCK_S),
        ("/hysteresis_pct", request.hysteresis_pct, MAX_NOISE_PCT),
        ("/reading_error_pct", request.reading_error_pct, MAX_NOISE_PCT),
        ("/preferences/soc_target_departure_pct", request.soc_target_departure_pct, 100),
    ):
        if not 0 <= value <= most:
            raise QuoteRequestError("out_of_range", pointer, f"is {value}", f"0..{most}")


def _as_quote(request: ScheduleRequest) -> QuoteRequest:
    """Return the question with nothing on offer."""
    nothing = Decimal(0)
    return QuoteRequest(
        now=request.now,
        departure_at=request.departure_at,
        departure_buffer_s=request.departure_buffer_s,
        vehicle=request.vehicle,
        preferences=Preferences(
            soc_floor_pct=request.soc_floor_pct,
            soc_ceiling_pct=request.soc_ceiling_pct,
            soc_min_departure_pct=request.soc_min_departure_pct,
            degradation_cost_per_kwh=nothing,
            min_price_per_kwh=nothing,
        ),
        tariff=request.tariff,
        later_refill_price_per_kwh=request.later_refill_price_per_kwh,
        charging=request.charging,
        taper=request.taper,
        commitments=request.commitments,
        offer=Offer(
            start_at=request.departure_at,
            end_at=request.departure_at + timedelta(seconds=1),
            requested_energy_wh=1,
            min_energy_wh=0,
            max_discharge_w=0,
            price_per_kwh=nothing,
            currency="XXX",
        ),
    )


def _fullest(pieces: Pieces) -> list[int]:
    """Return the most that can be stored at each edge."""
    stored = [pieces.start]
    for charge, drain in zip(pieces.charge, pieces.drain, strict=True):
        stored.append(min(pieces.high, stored[-1] + charge) - drain)
    return stored


def _guards(pieces: Pieces, wanted: int) -> list[int]:
    """Return the least stored at each edge from which full power still reaches what is wanted."""
    guards = [wanted]
    for index in range(len(pieces.charge) - 1, -1, -1):
        least = guards[-1] - pieces.charge[index] + pieces.drain[index]
        guards.append(max(pieces.low[index], least))
    return guards[::-1]


def _steps(
    blocks: Blocks, usable: Pieces, wanted: int, request: ScheduleRequest
) -> tuple[ScheduleStep, ...]:
    """Return thresholds: the blocks' own where they charge, the guard of the need elsewhere."""
    pieces, guards = blocks.pieces, _guards(usable, wanted)
    steps: list[ScheduleStep] = []

    def add(second: int, power_w: int, stop_at: int, *, planned: bool) -> None:
        stop = pieces.scale.percent_down(request.vehicle.usable_capacity_wh, stop_at)
        step = ScheduleStep(
            start_at=pieces.at(second),
            power_w=power_w,
            start_below_pct=min(max(Decimal(0), stop - request.hysteresis_pct), Decimal(100)),
            stop_at_pct=min(max(Decimal(0), stop), Decimal(100)),
            planned=planned,
        )
        if not steps or replace(step, start_at=steps[-1].start_at) != steps[-1]:
            steps.append(step)

    for index, span in enumerate(blocks.spans):
        begin, end = pieces.edges[index : index + 2]
        power, guard = usable.charge_w[index], guards[index + 1]
        target = max(guard, blocks.ahead.targets[index] if pieces.charge[index] else 0)
        if span is not None:
            target = max(target, blocks.course.stored[index] + blocks.course.charged[index])
        late = span is not None and span[0] > begin
        if late:
            add(begin, power, guard, planned=False)
        add(span[0] if span is not None else begin, power, target, planned=span is not None)
        if span is not None and not late and span[1] < end:
            add(span[1], power, target, planned=False)
    # The reserve of time before leaving, for what noise or a late start left undone.
    everywhere = request.vehicle.max_charge_w if request.charging is None else 0
    last = usable.charge_w[-1] if usable.charge_w else everywhere
    add(pieces.end, last, wanted, planned=False)
    return tuple(steps)
