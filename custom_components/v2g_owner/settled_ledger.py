"""What was settled, by the hour it was delivered in: pure sums over deals that may be corrected.

Every deal is kept, for as long as the account is: a dispute may end, and a park may correct, long
after. Of two deals a day ten years take less than a megabyte.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
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

    def as_json(self) -> tuple[Any, ...]:
        """Return what goes to disk, as ``_read_deal`` takes it."""
        money = self.amount_minor, self.currency, self.beside
        return (self.hour, self.vehicle_id, self.delivered_wh, *money)


@dataclass(slots=True)
class SettledLedger:
    """Every settled deal by id; a correction replaces its deal, so that nothing counts twice.

    Beside them is what they come to: what one deal changes must not cost a look at all of them.
    """

    deals: dict[str, SettledDeal] = field(default_factory=dict)
    _hours: dict[Series, dict[str, list[int]]] = field(default_factory=dict)
    """Of each series, by hour: the sum, and of how many deals."""

    def take(self, commitment_id: str, deal: SettledDeal) -> dict[Series, str]:
        """Put a deal in; return from which hour on each series changed, nothing when none did."""
        before = self.deals.get(commitment_id)
        if before == deal:
            return {}
        self.deals[commitment_id] = deal
        changed: dict[Series, str] = {}
        for each, sign in ((before, -1), (deal, 1)):
            if each is None:
                continue
            for series, value in each.values().items():
                changed[series] = min(changed.get(series, each.hour), each.hour)
                self._count(series, each.hour, sign * value, sign)
        return changed

    def _count(self, series: Series, hour: str, value: int, deals: int) -> None:
        hours = self._hours.setdefault(series, {})
        sums = hours.setdefault(hour, [0, 0])
        sums[0] += value
        sums[1] += deals
        if not sums[1]:
            del hours[hour]

    def rows(self, series: Series, since: str) -> list[tuple[str, int, int]]:
        """Return (hour, value, sum since the beginning) of each hour from ``since`` on."""
        total, later = 0, []
        for hour, (value, _) in self._hours.get(series, {}).items():
            if hour < since:
                total += value
            else:
                later.append((hour, value))
        found = []
        for hour, value in sorted(later):
            total += value
            found.append((hour, value, total))
        return found

    def as_json(self) -> dict[str, Any]:
        """Return what goes to disk."""
        return {"settled": {key: deal.as_json() for key, deal in self.deals.items()}}


def read_ledger(content: Mapping[str, Any] | None) -> SettledLedger:
    """Return the ledger that was on disk.

    One that had summed up its oldest deals is begun anew: at every start the API tells of all.
    """
    ledger = SettledLedger()
    for key, deal in (content or {}).get("settled", {}).items():
        ledger.take(key, _read_deal(*deal))
    return ledger


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
