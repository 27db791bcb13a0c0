"""How good is the dwell forecast? Held-out evaluation against simpler forecasts.

Each user's last 30 % of stays are forecast at plug-in, each from what had ended by then: the user's
own stays (20 or more) and, as the prior, other users' only. Stays are capped at 48 h.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from owner_api.planning.dwell import (
    DEFAULT_SETTINGS,
    DwellInputError,
    Floats,
    Stay,
    StayHistory,
    forecast_dwell,
    local_hour_and_kind,
)
from owner_api.planning.dwell_prior import derive_prior_bands, prior_from_bands

LEVELS: Final = tuple(round(0.05 * step, 2) for step in range(1, 20))
HELD_OUT_SHARE: Final = 0.3
MIN_EARLIER: Final = 20
_BIN_H: Final = 3
# Fewer own stays in a bin than this say nothing about its tails: the user's overall ones do.
_MIN_IN_BIN: Final = 5
OURS: Final = "kernel"
BASELINES: Final = ("user_global", "user_bins", "last_similar", "population")


@dataclass(frozen=True, kw_only=True, slots=True)
class UserStay:
    """One ended stay of one user: aware plug-in time, hours to plug-out."""

    user_id: str
    plugged_in_at: datetime
    dwell_h: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class HeldOut:
    """The held-out stays: true hours, local plug-in hours, and per method hours by stay and level.

    `forecasts[method]` has shape (stays, 19), hours at LEVELS.
    """

    true_h: Floats
    plug_in_hour: Floats
    earlier: NDArray[np.int64]
    users: int
    forecasts: Mapping[str, Floats]


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """One method on the held-out stays: mean pinball loss and median absolute error in hours.

    `below_q05`, `below_q10`: shares of stays that ended before that quantile; `inside_80` the
    share between the 10 and the 90 % quantile. None for a method that forecasts a point.
    """

    pinball_h: float
    median_error_h: float
    below_q05: float | None
    below_q10: float | None
    inside_80: float | None


def hold_out(stays: Sequence[UserStay], zone: ZoneInfo) -> HeldOut:
    """Forecast every held-out stay with every method.

    Raises DwellInputError when no user has enough stays.
    """
    ordered, table, names = _columns(stays, zone)
    collected = _Collected()
    for user in sorted(set(names)):
        mine = np.array([name == user for name in names])
        indices = np.flatnonzero(mine)
        first = int(np.ceil(len(indices) * (1 - HELD_OUT_SHARE)))
        for index in indices[first:]:
            at = ordered[index].plugged_in_at
            ended = table.ended_s <= at.timestamp()
            own = table.rows(mine & ended)
            if len(own) >= MIN_EARLIER:
                others = table.rows(~mine & ended)
                collected.add(int(index), user, own=own, others=others, at=at, zone=zone)
    if not collected.indices:
        raise DwellInputError(
            f"no stay can be tested: a user with more than {MIN_EARLIER} ended stays is needed"
        )
    return collected.held_out(table)


def hold_out_first_weeks(stays: Sequence[UserStay], zone: ZoneInfo) -> HeldOut:
    """Forecast each user's first 20 stays with a prior table made of the other users' stays.

    So a new owner starts with the shipped table. The user's own methods need one ended stay.
    """
    ordered, table, names = _columns(stays, zone)
    collected = _Collected()
    for user in sorted(set(names)):
        mine = np.array([name == user for name in names])
        strangers = [name for name in names if name != user]
        prior = prior_from_bands(derive_prior_bands(table.rows(~mine), strangers))
        for index in np.flatnonzero(mine)[:MIN_EARLIER]:
            at = ordered[index].plugged_in_at
            own = table.rows(mine & (table.ended_s <= at.timestamp()))
            if len(own) and len(prior):
                collected.add(int(index), user, own=own, others=prior, at=at, zone=zone)
    if not collected.indices:
        raise DwellInputError(
            "no first stays can be tested: at least 6 users with 20 stays at alike hours are needed"
        )
    return collected.held_out(table)


def score(held_out: HeldOut, method: str, chosen: NDArray[np.bool_] | None = None) -> Score:
    """Score one method over all held-out stays, or over the chosen ones."""
    take = np.ones(len(held_out.true_h), dtype=bool) if chosen is None else chosen
    true = held_out.true_h[take]
    hours = held_out.forecasts[method][take]
    miss = true[:, None] - hours
    levels = np.array(LEVELS)
    pinball = np.maximum(levels * miss, (levels - 1) * miss)
    q05, q10, q50, q90 = (hours[:, LEVELS.index(level)] for level in (0.05, 0.1, 0.5, 0.9))
    point = method == "last_similar"
    return Score(
        pinball_h=float(pinball.mean()),
        median_error_h=float(np.median(np.abs(true - q50))),
        below_q05=None if point else float((true < q05).mean()),
        below_q10=None if point else float((true < q10).mean()),
        inside_80=None if point else float(((true >= q10) & (true <= q90)).mean()),
    )


def _columns(
    stays: Sequence[UserStay], zone: ZoneInfo
) -> tuple[list[UserStay], StayHistory, list[str]]:
    ordered = sorted(stays, key=lambda stay: (stay.plugged_in_at, stay.user_id))
    table = StayHistory.of(
        (Stay(plugged_in_at=stay.plugged_in_at, dwell_h=stay.dwell_h) for stay in ordered), zone
    )
    return ordered, table, [stay.user_id for stay in ordered]


class _Collected:
    """Forecasts gathered stay by stay."""

    def __init__(self) -> None:
        self.indices: list[int] = []
        self._users: set[str] = set()
        self._earlier: list[int] = []
        self._hours: dict[str, list[list[float]]] = {name: [] for name in _METHODS}

    def add(
        self,
        index: int,
        user: str,
        *,
        own: StayHistory,
        others: StayHistory,
        at: datetime,
        zone: ZoneInfo,
    ) -> None:
        self.indices.append(index)
        self._users.add(user)
        self._earlier.append(len(own))
        for name, forecast in _METHODS.items():
            self._hours[name].append(forecast(own, others, at, zone))

    def held_out(self, table: StayHistory) -> HeldOut:
        return HeldOut(
            true_h=np.minimum(table.dwell_h[self.indices], DEFAULT_SETTINGS.cap_h),
            plug_in_hour=table.hour[self.indices],
            earlier=np.array(self._earlier, dtype=np.int64),
            users=len(self._users),
            forecasts={name: np.array(rows) for name, rows in self._hours.items()},
        )


type _Method = Callable[[StayHistory, StayHistory, datetime, ZoneInfo], list[float]]


def _kernel(own: StayHistory, others: StayHistory, at: datetime, zone: ZoneInfo) -> list[float]:
    made = forecast_dwell(own, prior=others, plugged_in_at=at, now=at, zone=zone)
    return made.quantiles_h(LEVELS)


def _population(own: StayHistory, others: StayHistory, at: datetime, zone: ZoneInfo) -> list[float]:
    nobody = own.rows(np.zeros(len(own), dtype=bool))
    made = forecast_dwell(nobody, prior=others, plugged_in_at=at, now=at, zone=zone)
    return made.quantiles_h(LEVELS)


def _user_global(own: StayHistory, *_: object) -> list[float]:
    return _empirical(own.dwell_h)


def _user_bins(own: StayHistory, _: StayHistory, at: datetime, zone: ZoneInfo) -> list[float]:
    alike = own.dwell_h[_same_bin(own, at, zone)]
    return _empirical(alike if len(alike) >= _MIN_IN_BIN else own.dwell_h)


def _last_similar(own: StayHistory, _: StayHistory, at: datetime, zone: ZoneInfo) -> list[float]:
    alike = own.dwell_h[_same_bin(own, at, zone)]
    last = (alike if len(alike) else own.dwell_h)[-1]
    return [min(float(last), DEFAULT_SETTINGS.cap_h)] * len(LEVELS)


def _same_bin(own: StayHistory, at: datetime, zone: ZoneInfo) -> NDArray[np.bool_]:
    hour, kind = local_hour_and_kind(at, zone)
    same: NDArray[np.bool_] = (own.day_kind == kind) & (own.hour // _BIN_H == hour // _BIN_H)
    return same


def _empirical(dwell_h: Floats) -> list[float]:
    capped = np.minimum(dwell_h, DEFAULT_SETTINGS.cap_h)
    return [float(hours) for hours in np.quantile(capped, LEVELS, method="inverted_cdf")]


_METHODS: Final[Mapping[str, _Method]] = {
    OURS: _kernel,
    "user_global": _user_global,
    "user_bins": _user_bins,
    "last_similar": _last_similar,
    "population": _population,
}
