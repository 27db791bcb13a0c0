"""Where a reading comes from, how good it is, and what a signing meter said word for word."""

from typing import Any, Final

from probatio import Optional, Required

from .fields import Nullable, choice, text

# Best first, both of them: a settlement is as good as the worst reading behind it.
READING_SOURCES: Final = ("signed_meter", "meter", "sensor", "estimate")
READING_QUALITIES: Final = ("ok", "estimated", "missing", "bad")

# As long as OCPP's signedMeterValue may be: what a charger's own protocol carries, we carry too.
SIGNED: Final = {Required("format"): text(1, 50), Required("data"): text(1, 32_768)}
ORIGIN: Final[dict[Any, Any]] = {
    Optional("source"): choice(*READING_SOURCES),
    Optional("signed"): Nullable(SIGNED),
}
