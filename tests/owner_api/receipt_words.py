"""Which parts of a receipt its page has no words for."""

from collections.abc import Iterator, Mapping
from typing import Any

from owner_api.commands.receipt_words import words_for


def without_words(document: Mapping[str, Any]) -> set[str]:
    """Return the kind and the names in a receipt that would stand on its page as they are."""
    kind = document["kind"]
    unknown = set() if words_for("en").title(kind) else {kind}
    return unknown | set(_unknown(document["content"], kind.partition(".")[0]))


def _unknown(content: Mapping[str, Any], within: str) -> Iterator[str]:
    for name, value in content.items():
        if words_for("en").field(name, within) is None:
            yield f"{within}.{name}"
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, Mapping):
                yield from _unknown(each, name)
