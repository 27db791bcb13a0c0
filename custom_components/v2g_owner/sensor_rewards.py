"""Sensors of the account about rewards, in the owner's currency."""

from collections.abc import Callable

from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass

from .money import major
from .reward_month import reward_month
from .sensor_figure import FigureDescription
from .snapshot import Snapshot


def _reward(
    key: str, read: Callable[[Snapshot], int], *, monthly: bool
) -> FigureDescription[Snapshot]:
    """Describe a sum of rewards in the owner's currency."""
    return FigureDescription(
        key=key,
        translation_key=key,
        device_class=SensorDeviceClass.MONETARY,
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda snapshot: major(read(snapshot), snapshot.rewards.currency),
        unit_fn=lambda snapshot: snapshot.rewards.currency,
        resets_monthly=monthly,
    )


REWARD_SENSORS: tuple[FigureDescription[Snapshot], ...] = (
    _reward("rewards_pending", lambda s: reward_month(s)[1].pending_minor, monthly=True),
    _reward("rewards_confirmed", lambda s: reward_month(s)[1].confirmed_minor, monthly=True),
    _reward("rewards_paid", lambda s: reward_month(s)[1].paid_minor, monthly=True),
    _reward("rewards_total", lambda s: s.rewards.earned_minor, monthly=False),
)
