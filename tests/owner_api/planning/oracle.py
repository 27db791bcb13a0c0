"""The same quote as a linear program, written from design §5's equations alone.

Floats, hours and kWh; every piece has charge, discharge and the energy at its end as variables.
Nothing of ours is imported.
"""

from datetime import datetime, timedelta
from typing import Any

import highspy
import numpy as np

INF = highspy.kHighsInf


class Oracle:
    """One request's linear program, solved by HiGHS for whatever is asked."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._now = datetime.fromisoformat(request["now"])
        end_at = datetime.fromisoformat(request["departure_at"]) - timedelta(
            seconds=request.get("departure_buffer_s", 900)
        )
        self._end = max(0.0, self._hours(end_at))
        vehicle, wishes, offer = request["vehicle"], request["preferences"], request["offer"]
        capacity = vehicle["usable_capacity_wh"] / 1000
        self.eta_c, self.eta_d = vehicle["charge_efficiency"], vehicle["discharge_efficiency"]
        self.wear = float(wishes["degradation_cost_per_kwh"])
        self._e0 = capacity * vehicle["soc_pct"] / 100
        self._floor = capacity * wishes["soc_floor_pct"] / 100
        self._ceiling = max(capacity * wishes["soc_ceiling_pct"] / 100, self._e0)
        self._need = capacity * wishes["soc_min_departure_pct"] / 100
        self._tariff = [
            (self._hours(datetime.fromisoformat(e["start_at"])), float(e["price_per_kwh"]))
            for e in request["tariff"]
        ]
        refill = request.get("later_refill_price_per_kwh")
        self.refill = float(refill) if refill is not None else self._cheapest()
        self._max_c = vehicle["max_charge_w"] / 1000
        self._max_d = vehicle["max_discharge_w"] / 1000
        self._offer_d = offer["max_discharge_w"] / 1000
        self._window = self._clip(offer)
        self._charging = (
            None
            if request.get("charging") is None
            else [
                (*self._clip(e), e["max_w"] / 1000, e.get("price_per_kwh"))
                for e in request["charging"]
            ]
        )
        self._taken = []
        for e in request.get("commitments", []):
            start = max(0.0, self._hours(datetime.fromisoformat(e["start_at"])))
            end = self._hours(datetime.fromisoformat(e["end_at"]))
            if end > 0 and start < self._end:
                power = e["energy_wh"] / 1000 / (end - start)
                self._taken.append((start, min(end, self._end), power))
        marks = {0.0, self._end, *self._window}
        marks |= {t for t, _ in self._tariff}
        marks |= {t for e in self._charging or [] for t in e[:2]}
        marks |= {t for e in self._taken for t in e[:2]}
        self._edges = sorted(t for t in marks if 0 <= t <= self._end)
        self._build()

    def _hours(self, moment: datetime) -> float:
        return (moment - self._now).total_seconds() / 3600

    def _clip(self, entry: dict[str, Any]) -> tuple[float, float]:
        start = self._hours(datetime.fromisoformat(entry["start_at"]))
        end = self._hours(datetime.fromisoformat(entry["end_at"]))
        start = min(max(start, 0.0), self._end)
        return start, max(start, min(end, self._end))

    def _cheapest(self) -> float:
        ends = [t for t, _ in self._tariff[1:]] + [INF]
        return min(p for (_, p), end in zip(self._tariff, ends, strict=True) if end > 0)

    def _build(self) -> None:
        pieces = list(zip(self._edges, self._edges[1:], strict=False))
        self._n = len(pieces)
        self._h = np.array([b - a for a, b in pieces])
        self._price = np.zeros(self._n)
        self._charge = np.zeros(self._n)
        self._fixed = np.zeros(self._n)
        self._inside = np.zeros(self._n, dtype=bool)
        for i, (a, b) in enumerate(pieces):
            middle = (a + b) / 2
            self._price[i] = [p for t, p in self._tariff if t <= middle][-1]
            if self._charging is None:
                self._charge[i] = self._max_c
            else:
                for start, end, power, price in self._charging:
                    if start < middle < end:
                        self._charge[i] = min(power, self._max_c)
                        if price is not None:
                            self._price[i] = float(price)
            for start, end, power in self._taken:
                if start < middle < end:
                    self._charge[i] = 0
                    self._fixed[i] += power
            self._inside[i] = self._window[0] < middle < self._window[1]
        added = np.concatenate([[0.0], np.cumsum(self.eta_c * self._charge * self._h)])
        self._low = np.minimum(self._floor, self._e0 + added)

    def solve(
        self, *, sold_kwh: float | None, charge_in_window: bool = False, maximise: bool = False
    ) -> float | None:
        """Return J(sold) (J0 with `charge_in_window`), or the most that can be sold, or None."""
        n = self._n
        if n == 0:
            if self._e0 < self._need or (sold_kwh or 0) > 0:
                return None
            return 0.0 if maximise else -self.refill / self.eta_c * self._e0
        lp = highspy.HighsLp()
        lp.num_col_ = 3 * n
        lp.num_row_ = n + 1
        cost = np.zeros(3 * n)
        if maximise:
            cost[n : 2 * n] = -self._h
        else:
            cost[:n] = self._price * self._h
            cost[n : 2 * n] = self.wear * self._h
            cost[-1] = -self.refill / self.eta_c
        lp.col_cost_ = cost
        lower, upper = np.zeros(3 * n), np.zeros(3 * n)
        upper[:n] = np.where(self._inside & (not charge_in_window), 0, self._charge)
        room = np.maximum(0, np.minimum(self._max_d - self._fixed, self._offer_d))
        upper[n : 2 * n] = np.where(self._inside, room, 0)
        lower[2 * n :] = self._low[1:]
        lower[-1] = max(lower[-1], self._need)
        upper[2 * n :] = self._ceiling
        if lower[-1] > self._ceiling or self._e0 < self._low[0]:
            return None
        lp.col_lower_, lp.col_upper_ = lower, upper
        rows = np.concatenate([-self._fixed * self._h / self.eta_d, [0.0]])
        rows[0] += self._e0
        row_lower, row_upper = rows.copy(), rows.copy()
        row_lower[-1], row_upper[-1] = (0.0, INF) if sold_kwh is None else (sold_kwh, sold_kwh)
        lp.row_lower_, lp.row_upper_ = row_lower, row_upper
        self._set_matrix(lp)
        solver = highspy.Highs()  # type: ignore[no-untyped-call]  # highspy ships no types for it
        solver.silent()
        solver.passModel(lp)
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        found = solver.getInfo().objective_function_value
        return -found if maximise else found

    def _set_matrix(self, lp: highspy.HighsLp) -> None:
        """Row i: energy at the end of piece i; last row: what is sold."""
        n = self._n
        columns = [[(i, -self.eta_c * self._h[i])] for i in range(n)]
        columns += [[(i, self._h[i] / self.eta_d), (n, self._h[i])] for i in range(n)]
        columns += [[(i, 1.0), (i + 1, -1.0)] if i + 1 < n else [(i, 1.0)] for i in range(n)]
        entries = [entry for column in columns for entry in column]
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_ = np.cumsum([0, *(len(column) for column in columns)])
        lp.a_matrix_.index_ = np.array([row for row, _ in entries])
        lp.a_matrix_.value_ = np.array([value for _, value in entries])
