"""The owner's month: when it began, and what it has earned so far."""

from datetime import datetime, timedelta
from typing import Final

from homeassistant.util import dt as dt_util

from .models_deal import RewardSums
from .snapshot import Snapshot

# A month that was told in another time zone, before the owner moved, is the same month.
_SAME_MONTH: Final = timedelta(days=2)


def reward_month(told: Snapshot) -> tuple[datetime, RewardSums]:
    """Return when the month began, in the owner's time, and what was settled in it.

    The API tells a month's sums when they change. In a month it has told nothing of, nothing was
    settled yet; until it tells, last month's would be taken for this one's.
    """
    zone = dt_util.get_time_zone(told.owner.time_zone) or dt_util.UTC
    begin = dt_util.now(zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    sums = told.rewards.this_month
    if sums.start_at is None or begin - sums.start_at < _SAME_MONTH:
        # Its clock may be ahead of ours.
        return max(begin, sums.start_at or begin).astimezone(zone), sums
    return begin, RewardSums(start_at=begin)
