"""What was settled, by the hour it was delivered in: pure sums over deals that may be corrected."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import accumulate
from typing import Any, Final

# About seven years of two deals a day; older ones are summed up and can no longer be corrected.
MOST_DEALS: Final = 5_000

type Series = tuple[str, str]
"""What is summed: ("energy", a vehicle's id) in Wh, or ("reward", a currency) in minor units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledDeal:
    """The last word on one deal: energy in Wh, money in minor units, the hour in UTC.

    ``beside`` is what payers in other currencies or units pay, each named once.
    """

    hour: str
    vehicle_id: str
    delivered_wh: int
    amount_minor: int
    currency: str
    beside: tuple[tuple[str, int], ...] = ()

    def values(self) -> dict[Series, int]:
        """Return what the deal adds to each series."""
        return {
            ("energy", self.vehicle_id): self.delivered_wh,
            ("reward", self.currency): self.amount_minor,
            **{("reward", currency): amount for currency, amount in self.beside},
        }


@dataclass(slots=True)
class SettledLedger:
    """Every settled deal by id; a correction replaces its deal, so that nothing counts twice."""

    deals: dict[str, SettledDeal] = field(default_factory=dict)
    base: dict[Series, int] = field(default_factory=dict)
    """What deals too old to be kept add up to."""
    folded_to: str = ""
    """The newest hour of these; the API goes on telling of them at every start."""

    def take(self, commitment_id: str, deal: SettledDeal) -> dict[Series, str]:
        """Put a deal in; return from which hour on each series changed, nothing when none did."""
        before = self.deals.get(commitment_id)
        if before == deal or (before is None and deal.hour <= self.folded_to):
            return {}
        self.deals[commitment_id] = deal
        changed: dict[Series, str] = {}
        for each in (before, deal):
            for series in {} if each is None else each.values():
                changed[series] = min(changed.get(series, each.hour), each.hour)  # type: ignore[union-attr]
        return changed

    def rows(self, series: Series, since: str) -> list[tuple[str, int, int]]:
        """Return (hour, value, sum since the beginning) of each hour from ``since`` on."""
        by_hour: defaultdict[str, int] = defaultdict(int)
        for deal in self.deals.values():
            if series in (values := deal.values()):
                by_hour[deal.hour] += values[series]
        hours = sorted(by_hour)
        sums = accumulate((by_hour[hour] for hour in hours), initial=self.base.get(series, 0))
        found = zip(hours, list(sums)[1:], strict=True)
        return [(hour, by_hour[hour], total) for hour, total in found if hour >= since]

    def fold(self) -> None:
        """Sum up the oldest deals, so that the file stays bounded."""
        hours = sorted(deal.hour for deal in self.deals.values())
        if len(hours) <= MOST_DEALS:
            return
        # Whole hours: those of one hour could not be told apart at the next start.
        self.folded_to = hours[-MOST_DEALS - 1]
        for key in [key for key, deal in self.deals.items() if deal.hour <= self.folded_to]:
            for series, value in self.deals.pop(key).values().items():
                self.base[series] = self.base.get(series, 0) + value

    def as_json(self) -> dict[str, Any]:
        """Return what goes to disk."""
        return {
            "deals": {key: asdict(deal) for key, deal in self.deals.items()},
            "base": [[*series, value] for series, value in self.base.items()],
            "folded_to": self.folded_to,
        }


def read_ledger(content: Mapping[str, Any] | None) -> SettledLedger:
    """Return the ledger that was on disk."""
    kept = content or {}
    return SettledLedger(
        deals={key: _read_deal(deal) for key, deal in kept.get("deals", {}).items()},
        base={(kind, name): value for kind, name, value in kept.get("base", ())},
        folded_to=kept.get("folded_to", ""),
    )


def _read_deal(content: Mapping[str, Any]) -> SettledDeal:
    """Return a deal as it was; JSON has lists where it had tuples."""
    beside = tuple((currency, amount) for currency, amount in content.get("beside", ()))
    return SettledDeal(**{**content, "beside": beside})


def hour_of(instant: datetime) -> str:
    """Return the hour an instant lies in, sortable, in UTC."""
    return instant.replace(minute=0, second=0, microsecond=0).isoformat()
