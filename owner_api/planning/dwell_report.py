"""The dwell evaluation as one document and as tables for people."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from owner_api.planning.dwell import DwellInputError
from owner_api.planning.dwell_decision import DecisionRow, DecisionTest
from owner_api.planning.dwell_evaluation import (
    BASELINES,
    LEVELS,
    OURS,
    HeldOut,
    Score,
    UserStay,
    hold_out,
    hold_out_first_weeks,
    score,
)

DECISION_LEVELS: Final = (0.05, 0.1, 0.2, 0.5)
# Own ended stays at the time of the forecast: fewer, more, many.
HISTORY_BANDS: Final = ((20, 40), (40, 80), (80, None))
# What a forecast must reach to be called calibrated (issue 3, criterion 4).
MIN_GAIN: Final = 0.10
BAND_80: Final = (0.77, 0.83)
BELOW_Q10: Final = (0.06, 0.14)


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The evaluation: scores by method, ours by history length, first weeks, decisions, verdict.

    `gain` is how much smaller our pinball loss is than the user's own global quantiles', 0..1.
    `first_weeks` is empty where too few users leave no prior without one of them. `decisions` has
    (method, level, row), a level None for the true leave time.
    """

    stays: int
    users: int
    scores: dict[str, Score]
    by_history: list[tuple[int, int | None, int, Score]]
    first_weeks_stays: int
    first_weeks: dict[str, Score]
    decisions: list[tuple[str, float | None, DecisionRow]]
    gain: float

    @property
    def calibrated(self) -> bool:
        """Whether the forecast reaches the targets above on these sessions."""
        ours = self.scores[OURS]
        return (
            self.gain >= MIN_GAIN
            and ours.inside_80 is not None
            and BAND_80[0] <= ours.inside_80 <= BAND_80[1]
            and ours.below_q10 is not None
            and BELOW_Q10[0] <= ours.below_q10 <= BELOW_Q10[1]
        )


def evaluate(stays: Sequence[UserStay], zone: ZoneInfo) -> Report:
    """Run the whole evaluation; raises DwellInputError when there are too few stays."""
    held_out = hold_out(stays, zone)
    try:
        first_weeks = hold_out_first_weeks(stays, zone)
    except DwellInputError:
        first_weeks = None
    methods = (OURS, *BASELINES)
    scores = {name: score(held_out, name) for name in methods}
    return Report(
        stays=len(held_out.true_h),
        users=held_out.users,
        scores=scores,
        by_history=_by_history(held_out),
        first_weeks_stays=len(first_weeks.true_h) if first_weeks else 0,
        first_weeks={name: score(first_weeks, name) for name in methods} if first_weeks else {},
        decisions=_decisions(held_out),
        gain=1 - scores[OURS].pinball_h / scores["user_global"].pinball_h,
    )


def _by_history(held_out: HeldOut) -> list[tuple[int, int | None, int, Score]]:
    bands: list[tuple[int, int | None, int, Score]] = []
    for low, high in HISTORY_BANDS:
        chosen = held_out.earlier >= low
        if high is not None:
            chosen &= held_out.earlier < high
        if chosen.any():
            bands.append((low, high, int(chosen.sum()), score(held_out, OURS, chosen)))
    return bands


def _decisions(held_out: HeldOut) -> list[tuple[str, float | None, DecisionRow]]:
    test = DecisionTest(held_out.true_h, held_out.plug_in_hour)
    if not len(test):
        return []
    rows: list[tuple[str, float | None, DecisionRow]] = [
        ("owner_tells", None, test.row(held_out.true_h))
    ]
    for name in (OURS, *BASELINES):
        # A point forecast is the same at every level.
        levels = (0.5,) if name == "last_similar" else DECISION_LEVELS
        rows += [
            (name, level, test.row(held_out.forecasts[name][:, LEVELS.index(level)]))
            for level in levels
        ]
    return rows


def document(report: Report) -> dict[str, Any]:
    """Return the report as JSON members, unrounded."""
    return {
        "schema": "v2g.dwell-evaluation/1",
        "stays": report.stays,
        "users": report.users,
        "gain_over_user_global": report.gain,
        "calibrated": report.calibrated,
        "scores": {name: asdict(one) for name, one in report.scores.items()},
        "by_history": [
            {"earlier_from": low, "earlier_below": high, "stays": count} | asdict(one)
            for low, high, count, one in report.by_history
        ],
        "first_weeks_stays": report.first_weeks_stays,
        "first_weeks": {name: asdict(one) for name, one in report.first_weeks.items()},
        "decisions": [
            {"method": name, "level": level} | asdict(row) for name, level, row in report.decisions
        ],
    }


def tables(report: Report) -> str:
    """Return the report as text for people."""
    head = f"{'forecast':<14}{'pinball h':>10}{'median h':>10}{'< q05':>8}{'< q10':>8}{'80 %':>8}"
    lines = [
        f"{report.stays} held-out stays of {report.users} users (last 30 % of each, 20 earlier):",
        head,
        *(_score_line(name, one) for name, one in report.scores.items()),
        f"pinball loss {report.gain:.1%} below user_global's",
        "",
        f"ours by number of the user's own earlier stays\n{head}",
        *(
            _score_line(f"{low}-{high - 1}" if high else f"{low} or more", one)
            for low, high, _, one in report.by_history
        ),
        "",
        *_first_weeks_lines(report, head),
        "decisions: arrive at 55 %, leave with 70 % of 60 kWh, 7.4 kW, buy and sell by time of use",
        _DECISION_HEAD,
        *(_decision_line(name, level, row) for name, level, row in report.decisions),
    ]
    return "\n".join(lines)


_DECISION_HEAD: Final = (
    f"{'plan for':<20}{'discharging':>12}{'short':>9}{'> 3 kWh':>9}{'of disch.':>11}{'saving':>9}"
)


def _first_weeks_lines(report: Report, head: str) -> list[str]:
    if not report.first_weeks:
        return ["first weeks: too few users to make a prior without one of them", ""]
    count = report.first_weeks_stays
    return [
        f"first weeks ({count} stays with 1 to 19 earlier; a prior table made without the user):",
        head,
        *(_score_line(name, one) for name, one in report.first_weeks.items()),
        "",
    ]


def _score_line(name: str, one: Score) -> str:
    shares = "".join(
        f"{'-':>8}" if share is None else f"{share:>8.3f}"
        for share in (one.below_q05, one.below_q10, one.inside_80)
    )
    return f"{name:<14}{one.pinball_h:>10.3f}{one.median_error_h:>10.2f}{shares}"


def _decision_line(name: str, level: float | None, row: DecisionRow) -> str:
    label = name if level is None else f"{name} q{round(100 * level):02d}"
    return (
        f"{label:<20}{row.discharging:>12.1%}{row.short:>9.2%}{row.very_short:>9.2%}"
        f"{row.discharging_short:>11.2%}{row.saving_share:>9.1%}"
    )
