"""What a leave-time forecast is worth: plans built on it, judged by when the car truly left.

One car, one tariff, one question: it arrives at 55 %, must leave with 70 % and may buy and sell in
between. A plan made for a forecast departure earns more the later that departure, and leaves the
car short when it goes earlier. The share of sessions left short, against the share of what perfect
foresight would have saved, says which quantile may stand guard.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from owner_api.planning.dwell import Floats

STEP_H: Final = 0.25
HORIZON_H: Final = 48.0
PACK_KWH: Final = 60.0
ARRIVAL_KWH: Final = 0.55 * PACK_KWH
NEEDED_KWH: Final = 0.70 * PACK_KWH
FLOOR_KWH: Final = 0.20 * PACK_KWH
CEILING_KWH: Final = 0.90 * PACK_KWH
POWER_KW: Final = 7.4
EFFICIENCY: Final = 0.933
# Selling brings 97 % of the buying price, less wear per AC kWh.
SELL_SHARE: Final = 0.97
WEAR_PER_KWH: Final = 0.06
# A time-of-use tariff, money per kWh: night 23-07, evening peak 17-21, day otherwise.
NIGHT, DAY, PEAK = 0.32, 0.66, 1.05
# Dear enough that a plan misses the requirement only where time is too short to meet it.
_SHORT_PENALTY: Final = 100.0
# A shortfall of less is within a state-of-charge reading.
SHORT_KWH: Final = 0.5
VERY_SHORT_KWH: Final = 3.0

_STEPS: Final = int(HORIZON_H / STEP_H)
_CELL_KWH: Final = POWER_KW * STEP_H * EFFICIENCY
_DOWN: Final = int((ARRIVAL_KWH - FLOOR_KWH) / _CELL_KWH)
_UP: Final = int((CEILING_KWH - ARRIVAL_KWH) / _CELL_KWH)
_LEVELS_KWH: Final[Floats] = ARRIVAL_KWH + _CELL_KWH * np.arange(-_DOWN, _UP + 1, dtype=np.float64)
_MISSING_KWH: Final[Floats] = np.maximum(NEEDED_KWH - _LEVELS_KWH, 0)
_SPARE_KWH: Final[Floats] = np.maximum(_LEVELS_KWH - NEEDED_KWH, 0)
# Charging first: where two plans cost the same, the one that charges earlier is taken.
_MOVES: Final = (1, 0, -1)

type Whole = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionRow:
    """Plans for one forecast departure, over `sessions` sessions.

    `discharging`, `short`, `very_short` are shares of the sessions: that sell anything, that leave
    over 0.5 and over 3 kWh below what is needed. `discharging_short` is the share of short ones
    among those that sell. `saving_share` is of perfect foresight's saving.
    """

    sessions: int
    discharging: float
    short: float
    very_short: float
    discharging_short: float
    saving_share: float


class DecisionTest:
    """The held-out sessions in which charging at once would have met the requirement.

    `true_h` hours parked and `plug_in_hour` local clock hours, both of shape (sessions,).
    """

    def __init__(self, true_h: Floats, plug_in_hour: Floats) -> None:
        enough_h = np.ceil((NEEDED_KWH - ARRIVAL_KWH) / _CELL_KWH) * STEP_H
        self._chosen: NDArray[np.bool_] = true_h >= enough_h
        self._leave = _steps(true_h[self._chosen])
        self._price = _prices(plug_in_hour[self._chosen])
        self._at_once = self._cost(self._charge_at_once())
        _, perfect = self._judged(self._leave)
        self._perfect_saving = float((self._at_once - perfect).sum())

    def __len__(self) -> int:
        return len(self._leave)

    def row(self, planned_h: Floats | Sequence[float]) -> DecisionRow:
        """Judge plans for departures `planned_h` hours after plug-in, one per held-out session."""
        departure = _steps(np.asarray(planned_h, dtype=np.float64)[self._chosen])
        path, cost = self._judged(departure)
        missing = _MISSING_KWH[path[np.arange(len(self)), self._leave]]
        sold = (np.diff(path, axis=1) < 0).any(axis=1)
        saving = float((self._at_once - cost).sum())
        return DecisionRow(
            sessions=len(self),
            discharging=float(sold.mean()),
            short=float((missing > SHORT_KWH).mean()),
            very_short=float((missing > VERY_SHORT_KWH).mean()),
            discharging_short=float((missing[sold] > SHORT_KWH).mean()) if sold.any() else 0.0,
            saving_share=saving / self._perfect_saving if self._perfect_saving > 0 else 0.0,
        )

    def _judged(self, departure: Whole) -> tuple[Whole, Floats]:
        """Return the energy path of the best plan for `departure`, cut at the true leave."""
        # Longest first, so that the sessions still parked at a step are a leading block.
        order = np.argsort(-departure, kind="stable")
        rank = np.argsort(order, kind="stable")
        parked = [int((departure > step).sum()) for step in range(_STEPS)]
        price = self._price[order]
        value = np.tile(_end_cost(), (len(departure), 1))
        best = np.ones((_STEPS, *value.shape), dtype=np.int8)
        for step in range(int(departure.max()) - 1, -1, -1):
            options = _move_costs(value[: parked[step]], price[: parked[step], step])
            best[step, : parked[step]] = np.argmin(options, axis=0)
            value[: parked[step]] = np.min(options, axis=0)
        path = np.full((len(departure), _STEPS + 1), _DOWN, dtype=np.int64)
        for step in range(_STEPS):
            here = path[:, step]
            planned = np.array(_MOVES)[best[step, rank, here]]
            # A car still there after the forecast departure charges on until it has enough.
            after = (_LEVELS_KWH[here] < NEEDED_KWH).astype(np.int64)
            move = np.where(step < departure, planned, after)
            path[:, step + 1] = here + np.where(step < self._leave, move, 0)
        return path, self._cost(path)

    def _charge_at_once(self) -> Whole:
        needed = int(np.searchsorted(_LEVELS_KWH, NEEDED_KWH)) - _DOWN
        path: Whole = _DOWN + np.minimum(
            np.minimum(np.arange(_STEPS + 1), needed), self._leave[:, None]
        )
        return path

    def _cost(self, path: Whole) -> Floats:
        """Money per session: bought less sold, spare energy at the night price, missing at peak."""
        moved = np.diff(path, axis=1) * _CELL_KWH
        bought = np.maximum(moved, 0) / EFFICIENCY * self._price
        sold = np.maximum(-moved, 0) * EFFICIENCY * (SELL_SHARE * self._price - WEAR_PER_KWH)
        end = path[:, -1]
        rest = (_MISSING_KWH[end] * PEAK - _SPARE_KWH[end] * NIGHT) / EFFICIENCY
        total: Floats = (bought - sold).sum(axis=1) + rest
        return total


def _steps(hours: Floats) -> Whole:
    return np.floor(np.minimum(hours, HORIZON_H) / STEP_H).astype(np.int64)


def _prices(plug_in_hour: Floats) -> Floats:
    clock = (plug_in_hour[:, None] + STEP_H * np.arange(_STEPS)) % 24
    night = (clock >= 23) | (clock < 7)
    peak = (clock >= 17) & (clock < 21)
    return np.where(night, NIGHT, np.where(peak, PEAK, DAY))


def _end_cost() -> Floats:
    cost: Floats = _MISSING_KWH * _SHORT_PENALTY - _SPARE_KWH * NIGHT / EFFICIENCY
    return cost


def _move_costs(value: Floats, price: Floats) -> Floats:
    """Cost of each move from each energy level, then on; shape (moves, sessions, levels)."""
    options = np.full((len(_MOVES), *value.shape), np.inf)
    buy = _CELL_KWH / EFFICIENCY * price[:, None]
    sell = _CELL_KWH * EFFICIENCY * (SELL_SHARE * price[:, None] - WEAR_PER_KWH)
    options[0, :, :-1] = value[:, 1:] + buy
    options[1] = value
    options[2, :, 1:] = value[:, :-1] - sell
    return options
