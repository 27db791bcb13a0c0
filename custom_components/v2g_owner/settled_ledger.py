"""What was settled, by the hour it was delivered in: pure sums over deals that may be corrected.

Every deal is kept, for as long as the account is: a dispute may end, and a park may correct, long
after. Of two deals a day ten years take less than a megabyte.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from datetime import datetime
from itertools import accumulate
from typing import Any

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

    def take(self, commitment_id: str, deal: SettledDeal) -> dict[Series, str]:
        """Put a deal in; return from which hour on each series changed, nothing when none did."""
        before = self.deals.get(commitment_id)
        if before == deal:
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
        sums = accumulate(by_hour[hour] for hour in hours)
        found = zip(hours, sums, strict=True)
        return [(hour, by_hour[hour], total) for hour, total in found if hour >= since]

    def as_json(self) -> dict[str, Any]:
        """Return what goes to disk."""
        return {"settled": {key: astuple(deal) for key, deal in self.deals.items()}}


def read_ledger(content: Mapping[str, Any] | None) -> SettledLedger:
    """Return the ledger that was on disk.

    One that had summed up its oldest deals is begun anew: at every start the API tells of all.
    """
    deals = (content or {}).get("settled", {})
    return SettledLedger(deals={key: _read_deal(*deal) for key, deal in deals.items()})


def _read_deal(
    hour: str,
    vehicle_id: str,
    delivered_wh: int,
    amount_minor: int,
    currency: str,
    beside: list[list[Any]],
) -> SettledDeal:
    """Return a deal as it was; JSON has lists where it had tuples."""
    return SettledDeal(
        hour=hour,
        vehicle_id=vehicle_id,
        delivered_wh=delivered_wh,
        amount_minor=amount_minor,
        currency=currency,
        beside=tuple((name, amount) for name, amount in beside),
    )


def hour_of(instant: datetime) -> str:
    """Return the hour an instant lies in, sortable, in UTC."""
    return instant.replace(minute=0, second=0, microsecond=0).isoformat()
