"""The population prior that ships: how long cars at home chargers stay, as a small table.

For each kind of day and two-hour band of the plug-in clock: the number of stays seen and their
deciles in hours, capped at 48. `dwell_prior.json` says what it was derived from.
"""

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any, Final

import numpy as np
import orjson

from owner_api.planning.dwell import DAY_KINDS, StayHistory

BAND_H: Final = 2
# The middles of ten equal parts, so that ten rows stand for the whole distribution.
LEVELS: Final = tuple((2 * part + 1) / 20 for part in range(10))
# A band of fewer would say more about single drivers than about the population.
MIN_STAYS_PER_BAND: Final = 20
MIN_USERS_PER_BAND: Final = 5

type PriorBand = dict[str, Any]


def derive_prior_bands(
    stays: StayHistory, users: Sequence[str], *, cap_h: float = 48.0
) -> list[PriorBand]:
    """Condense stays, each by the user named, to bands {day_kind, from_hour, stays, dwell_h}.

    Bands of fewer than 20 stays or 5 users are left out.
    """
    names = np.asarray(users)
    bands: list[PriorBand] = []
    for kind, name in enumerate(DAY_KINDS):
        for from_hour in range(0, 24, BAND_H):
            inside = (
                (stays.day_kind == kind)
                & (stays.hour >= from_hour)
                & (stays.hour < from_hour + BAND_H)
            )
            count = int(inside.sum())
            if count < MIN_STAYS_PER_BAND or len(set(names[inside])) < MIN_USERS_PER_BAND:
                continue
            hours = np.quantile(
                np.minimum(stays.dwell_h[inside], cap_h), LEVELS, method="inverted_cdf"
            )
            bands.append(
                {
                    "day_kind": name,
                    "from_hour": from_hour,
                    "stays": count,
                    "dwell_h": [round(float(value), 1) for value in hours],
                }
            )
    return bands


def prior_from_bands(bands: Sequence[PriorBand]) -> StayHistory:
    """Turn bands into rows a forecast takes as its prior, each weighing a tenth of its band."""
    rows = [
        (
            band["from_hour"] + BAND_H / 2,
            DAY_KINDS.index(band["day_kind"]),
            hours,
            band["stays"] / len(band["dwell_h"]),
        )
        for band in bands
        for hours in band["dwell_h"]
    ]
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return StayHistory(
        hour=table[:, 0],
        day_kind=table[:, 1].astype(np.int8),
        # Long ago: a table is known at any time a forecast is made.
        ended_s=np.full(len(table), -np.inf),
        dwell_h=table[:, 2],
        weight=table[:, 3],
    )


@cache
def shipped_prior() -> StayHistory:
    """Return the prior that ships with the program, read once."""
    text = resources.files("owner_api.planning").joinpath("dwell_prior.json").read_bytes()
    return prior_from_bands(orjson.loads(text)["bands"])
