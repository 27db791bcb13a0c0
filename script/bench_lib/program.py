"""The same question as a linear program for HiGHS, in the smallest form we know of.

Variables: charging per step in which it is allowed, discharging per step of the window, stored
energy at each step's end. One row per step balances the energy; selling adds one row for what
is sold. Arrays go to the solver in one `passModel` call without any modelling layer.
"""

from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray

from owner_api.planning.quote import QuoteRequest

type Floats = NDArray[np.float64]

SECONDS_PER_HOUR = 3600


class NotOptimalError(RuntimeError):
    """HiGHS ended without an optimum; what is timed here always has one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Data:
    """A request as arrays per tariff step: kWh, hours, kW and prices per kWh."""

    hours: Floats
    price: Floats
    inside: NDArray[np.intp]  # steps of the offer's window, which step edges bound
    charge_kw: float
    sell_kw: float
    start: float
    low: float
    high: float
    need: float
    eta_c: float
    eta_d: float
    wear: float
    refill: float

    @classmethod
    def of(cls, request: QuoteRequest) -> Data:
        """Read a request whose tariff steps reach from now to departure, without promises."""
        vehicle, wishes, offer = request.vehicle, request.preferences, request.offer
        origin = request.now
        starts = np.array([(entry.start_at - origin).total_seconds() for entry in request.tariff])
        end = (request.departure_at - origin).total_seconds()
        begins = (offer.start_at - origin).total_seconds()
        stops = (offer.end_at - origin).total_seconds()
        capacity = vehicle.usable_capacity_wh / 1000
        if request.later_refill_price_per_kwh is None:
            raise ValueError("the bench states its refill price")
        return cls(
            hours=np.diff(starts, append=end) / SECONDS_PER_HOUR,
            price=np.array([float(entry.price_per_kwh) for entry in request.tariff]),
            inside=np.flatnonzero((begins <= starts) & (starts < stops)),
            charge_kw=vehicle.max_charge_w / 1000,
            sell_kw=min(vehicle.max_discharge_w, offer.max_discharge_w) / 1000,
            start=capacity * float(vehicle.soc_pct) / 100,
            low=capacity * float(wishes.soc_floor_pct) / 100,
            high=capacity * float(wishes.soc_ceiling_pct) / 100,
            need=capacity * float(wishes.soc_min_departure_pct) / 100,
            eta_c=float(vehicle.charge_efficiency),
            eta_d=float(vehicle.discharge_efficiency),
            wear=float(wishes.degradation_cost_per_kwh),
            refill=float(request.later_refill_price_per_kwh),
        )


def cheapest(
    request: QuoteRequest, sold_kwh: float | None = None, *, presolve: bool = True
) -> float:
    """Build from the request, as our side does, and solve.

    Returns the least cost without the offer, or when selling `sold_kwh` in its window: energy
    bought less what is left at the refill price, plus wear of what is sold. Raises
    NotOptimalError.
    """
    data = Data.of(request)
    steps, inside = len(data.hours), data.inside if sold_kwh is not None else data.inside[:0]
    count = len(inside)
    columns, rows = 2 * steps + count, steps + (sold_kwh is not None)
    at = np.arange(steps)

    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = columns, rows
    cost = np.zeros(columns)
    cost[:steps] = data.price
    cost[steps : 2 * steps][-1] = -data.refill / data.eta_c
    cost[2 * steps :] = data.wear
    lower, upper = np.zeros(columns), np.empty(columns)
    upper[:steps] = data.charge_kw * data.hours
    upper[:steps][inside] = 0
    lower[steps : 2 * steps] = data.low
    lower[2 * steps - 1] = data.need
    upper[steps : 2 * steps] = data.high
    upper[2 * steps :] = data.sell_kw * data.hours[inside]
    balance = np.zeros(rows)
    balance[0] = data.start
    if sold_kwh is not None:
        balance[-1] = sold_kwh
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = cost, lower, upper
    lp.row_lower_ = lp.row_upper_ = balance

    # Energies are AC kWh. Row i: e[i] - e[i-1] - eta_c c[i] + d[i] / eta_d = 0, e[-1] the start.
    stored_index = np.repeat(at, 2)
    stored_index[1::2] += 1
    stored_value = np.ones(2 * steps)
    stored_value[1::2] = -1
    sold_index = np.repeat(inside, 2)
    sold_index[1::2] = steps
    sold_value = np.ones(2 * count)
    sold_value[::2] = 1 / data.eta_d
    matrix = lp.a_matrix_
    matrix.format_ = highspy.MatrixFormat.kColwise
    lengths = np.ones(columns, dtype=np.int32)
    lengths[steps:] = 2
    lengths[2 * steps - 1] = 1
    matrix.start_ = np.concatenate(([0], np.cumsum(lengths)))
    matrix.index_ = np.concatenate((at, stored_index[:-1], sold_index))
    matrix.value_ = np.concatenate(
        (np.full(steps, -data.eta_c), stored_value[:-1], sold_value),
    )

    solver = highspy.Highs()  # type: ignore[no-untyped-call]  # highspy ships no types for it
    solver.silent()
    if not presolve:
        solver.setOptionValue("presolve", "off")
    solver.passModel(lp)
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise NotOptimalError(f"HiGHS says {solver.getModelStatus()}")
    found: float = solver.getInfo().objective_function_value
    return found
