"""Which of our languages somebody reads."""

from collections.abc import Iterator
import re
from typing import Final

_TRADITIONAL: Final = re.compile(r"zh-(hant|tw|hk|mo)\b", re.IGNORECASE)
_WEIGHT: Final = re.compile(r"q=([01](?:\.[0-9]{1,3})?)")


def language_of(tag: str) -> str | None:
    """Return our language for a tag such as ``zh-TW`` or ``en-GB``; None for one we do not have."""
    if _TRADITIONAL.match(tag):
        return "zh-Hant"
    spoken = tag.partition("-")[0].lower()
    return {"zh": "zh-Hans", "en": "en"}.get(spoken)


def preferred(accept_language: str, otherwise: str) -> str:
    """Return the language that an Accept-Language header likes best; ``otherwise`` if none fits."""
    liked = sorted(_weighed(accept_language), key=lambda each: -each[1])
    return next((found for tag, _ in liked if (found := language_of(tag))), otherwise)


def _weighed(header: str) -> Iterator[tuple[str, float]]:
    """Yield each tag that is wanted at all with its weight."""
    for each in header.split(","):
        tag, *more = (part.strip() for part in each.split(";"))
        weight = _WEIGHT.fullmatch(more[0]) if more else None
        liking = float(weight[1]) if weight else 1.0
        if liking > 0:
            yield tag, liking
