"""The dwell forecast: a weighted distribution that never looks ahead, cut by the time parked."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings, strategies as st
import pytest

from owner_api.planning.dwell import (
    DAY_KINDS,
    DEFAULT_SETTINGS,
    DwellForecast,
    DwellInputError,
    Stay,
    StayHistory,
    forecast_dwell,
    local_hour_and_kind,
)
from owner_api.planning.dwell_prior import shipped_prior

OSLO = ZoneInfo("Europe/Oslo")
MONDAY = datetime(2026, 3, 2, 17, tzinfo=OSLO)
LEVELS = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99]
NOBODY = StayHistory.of([], OSLO)

some_stays = st.lists(
    st.builds(
        Stay,
        plugged_in_at=st.datetimes(datetime(2025, 1, 1), datetime(2026, 2, 25)).map(  # noqa: DTZ001
            lambda moment: moment.replace(tzinfo=UTC)
        ),
        dwell_h=st.floats(0.1, 70),
    ),
    max_size=30,
)


def _forecast(
    stays: list[Stay],
    *,
    prior: StayHistory = NOBODY,
    plugged_in_at: datetime = MONDAY,
    parked_h: float = 0,
) -> DwellForecast:
    return forecast_dwell(
        StayHistory.of(stays, OSLO),
        prior=prior,
        plugged_in_at=plugged_in_at,
        now=plugged_in_at + timedelta(hours=parked_h),
        zone=OSLO,
    )


def _evenings(hours: list[float], *, weeks_ago: int = 1) -> list[Stay]:
    first = MONDAY - timedelta(weeks=weeks_ago)
    return [
        Stay(plugged_in_at=first + timedelta(minutes=index), dwell_h=dwell_h)
        for index, dwell_h in enumerate(hours)
    ]


def test_alike_stays_give_their_own_quantiles() -> None:
    """Nine stays alike in hour, day and age: the median is the fifth, q10 the first."""
    forecast = _forecast(_evenings([1.0, 2, 3, 4, 5, 6, 7, 8, 9]))
    assert forecast.quantile_h(0.5) == 5
    assert forecast.quantile_h(0.1) == 1
    assert forecast.quantile_h(0.95) == 9
    assert forecast.departure_at(0.5) == MONDAY + timedelta(hours=5)
    assert forecast.prior_share == 0
    assert forecast.own_stays == pytest.approx(9, rel=0.06)


@given(stays=some_stays, parked_h=st.floats(0, 80))
@settings(max_examples=80, deadline=None)
def test_quantiles_rise_and_never_lie_in_the_time_already_parked(
    stays: list[Stay], parked_h: float
) -> None:
    """Whatever is known, a later level is a later hour, and the past is past."""
    forecast = _forecast(stays, prior=shipped_prior(), parked_h=parked_h)
    hours = forecast.quantiles_h(LEVELS)
    assert hours == sorted(hours)
    assert all(hour >= forecast.parked_h for hour in hours)
    assert all(hour <= max(DEFAULT_SETTINGS.cap_h, forecast.parked_h) for hour in hours)


@given(stays=some_stays, later=some_stays, parked_h=st.floats(0, 20))
@settings(max_examples=50, deadline=None)
def test_what_had_not_ended_yet_changes_nothing(
    stays: list[Stay], later: list[Stay], parked_h: float
) -> None:
    """No look into the future: neither the car's own later stays nor another's."""
    now = MONDAY + timedelta(hours=parked_h)
    unended = [
        Stay(plugged_in_at=now - timedelta(hours=stay.dwell_h / 2), dwell_h=stay.dwell_h)
        for stay in later
    ]
    known = _forecast(stays, parked_h=parked_h)
    ahead = _forecast(stays + unended, prior=StayHistory.of(unended, OSLO), parked_h=parked_h)
    assert known.quantiles_h(LEVELS) == ahead.quantiles_h(LEVELS)


def test_a_car_still_there_has_only_the_longer_stays_ahead_of_it() -> None:
    """After 4 h of ten stays of 1 to 10 h, the next departure in question is the fifth."""
    forecast = _forecast(_evenings([float(hour) for hour in range(1, 11)]), parked_h=4)
    assert forecast.quantile_h(0.01) == 5
    assert forecast.quantile_h(0.5) == 7


def test_a_car_parked_longer_than_any_known_stay_may_leave_at_any_moment() -> None:
    """The guard is then now, not a guess."""
    forecast = _forecast(_evenings([1.0, 2]), parked_h=60)
    assert forecast.quantiles_h([0.05, 0.5, 0.95]) == [60, 60, 60]


def test_a_car_without_history_stays_as_the_population_does() -> None:
    """The first evening is forecast from the shipped prior alone."""
    forecast = _forecast([], prior=shipped_prior())
    assert forecast.prior_share == pytest.approx(1)
    assert forecast.own_stays == 0
    assert 1 < forecast.quantile_h(0.1) < forecast.quantile_h(0.5) < forecast.quantile_h(0.9) <= 48


def test_the_prior_weighs_one_stay_and_gives_way() -> None:
    """After one alike stay it is half, after nineteen a twentieth."""
    one = _forecast(_evenings([9.0]), prior=shipped_prior())
    many = _forecast(_evenings([9.0] * 19), prior=shipped_prior())
    assert one.prior_share == pytest.approx(0.5, abs=0.02)
    assert many.prior_share == pytest.approx(0.05, abs=0.01)


def test_a_stay_counts_by_hour_day_and_age() -> None:
    """Another hour, another kind of day or long ago: less, in that forecast's own words."""
    alike = _forecast(_evenings([9.0])).own_stays
    morning = [Stay(plugged_in_at=MONDAY - timedelta(days=7, hours=6), dwell_h=9)]
    sunday = [Stay(plugged_in_at=MONDAY - timedelta(days=8), dwell_h=9)]
    assert _forecast(morning).own_stays < 0.001
    assert _forecast(sunday).own_stays == pytest.approx(alike / 4, rel=0.02)
    assert _forecast(_evenings([9.0], weeks_ago=13)).own_stays == pytest.approx(0.5, rel=0.02)


def test_midnight_is_no_edge_and_clocks_are_the_owners() -> None:
    """23:30 and 00:30 are an hour apart; 17:00 is 17:00 in summer and in winter."""
    late = datetime(2026, 3, 3, 0, 30, tzinfo=OSLO)
    stays = [Stay(plugged_in_at=datetime(2026, 2, 23, 23, 30, tzinfo=OSLO), dwell_h=7)]
    assert _forecast(stays, plugged_in_at=late).own_stays > 0.7
    summer = datetime(2026, 7, 6, 15, tzinfo=UTC)
    winter = datetime(2026, 1, 5, 16, tzinfo=UTC)
    assert local_hour_and_kind(summer, OSLO) == local_hour_and_kind(winter, OSLO) == (17, 0)


def test_the_shipped_prior_covers_every_kind_of_day_within_its_cap() -> None:
    """An owner's first Sunday is forecast too."""
    prior = shipped_prior()
    assert set(prior.day_kind.tolist()) == set(range(len(DAY_KINDS)))
    assert prior.dwell_h.min() > 0
    assert prior.dwell_h.max() <= 48


@pytest.mark.parametrize("level", [-0.1, 1.1, float("nan")])
def test_a_level_that_is_no_probability_is_refused(level: float) -> None:
    """The error says what would pass."""
    with pytest.raises(DwellInputError, match="0 to 1"):
        _forecast(_evenings([1.0])).quantile_h(level)


def test_a_forecast_before_plug_in_or_without_a_zone_is_refused() -> None:
    """Both would silently read another stay."""
    with pytest.raises(DwellInputError, match="at or after"):
        _forecast([], parked_h=-1)
    with pytest.raises(DwellInputError, match="time zone"):
        _forecast([], plugged_in_at=MONDAY.replace(tzinfo=None))
