"""Until when nobody is asked about a car: the quiet hours of its owner, on the owner's clock."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta, tzinfo

from homeassistant.util import dt as dt_util

from .instants import utc_text
from .models import QuietHours
from .snapshot import Snapshot

_DAY = timedelta(days=1)


def quiet_until(snapshot: Snapshot, vehicle_id: str | None, now: datetime) -> datetime | None:
    """Return when the quiet hours that a car is in end; None while its owner may be asked."""
    wishes = snapshot.preferences.get(vehicle_id or "")
    if wishes is None or not wishes.quiet_hours:
        return None
    zone = dt_util.get_time_zone(snapshot.owner.time_zone) or dt_util.UTC
    return _end_of(wishes.quiet_hours, now, zone)


def quiet_ends(snapshot: Snapshot, now: datetime) -> list[str]:
    """Return when the offers that wait may be asked about whose owner may not be asked now."""
    ends = {
        quiet_until(snapshot, offer.vehicle_id, now)
        for offer in snapshot.open_offers
        if offer.waits
    }
    return [utc_text(end) for end in sorted(end for end in ends if end)]


def _end_of(spans: Sequence[QuietHours], now: datetime, zone: tzinfo) -> datetime | None:
    """Return the end of the spans that ``now`` lies in, one after the other."""
    found, at = None, now
    # Spans may follow each other, and those that fill the day have no end.
    for _ in spans:
        local = at.astimezone(zone)
        ends = [time.fromisoformat(span.end) for span in spans if _holds(span, local.time())]
        if not ends:
            break
        days = [local.date() if end > local.time() else local.date() + _DAY for end in ends]
        at = max(
            datetime.combine(day, end, zone).astimezone(dt_util.UTC)
            for day, end in zip(days, ends, strict=True)
        )
        found = at
    return found


def _holds(span: QuietHours, clock: time) -> bool:
    """Tell whether a time of day lies in a span; it goes past midnight unless it ends later."""
    start, end = time.fromisoformat(span.start), time.fromisoformat(span.end)
    return start <= clock < end if start < end else clock >= start or clock < end
