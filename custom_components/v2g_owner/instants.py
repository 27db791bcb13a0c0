"""Instants as the API takes them."""

from datetime import datetime

from homeassistant.util import dt as dt_util


def utc_text(moment: datetime) -> str:
    """Return a moment as RFC 3339 in UTC; one that names no zone is of Home Assistant's zone.

    Python itself would read it in the zone of the process, which in a container is often UTC.
    """
    return dt_util.as_utc(moment).isoformat().replace("+00:00", "Z")
