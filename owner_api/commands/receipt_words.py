"""The words of a receipt's page, one file for each language; their order is the reading order."""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
import json
from typing import Any, Final

from .journal import HOW_TO_STOP, HOW_TO_WITHDRAW

# What an entry says in English sentences of our own, and how the words call them.
_SENTENCES: Final = {HOW_TO_STOP: "how_to_stop", HOW_TO_WITHDRAW: "how_to_withdraw"}


class Words:
    """The words of one language.

    A name in an entry means one thing in one place and another elsewhere: ``net_minor`` of a
    settlement is what the park owes, of a breakdown what stays with the owner. So each is looked
    up with what it stands in first.
    """

    def __init__(self, language: str, told: Mapping[str, Any]) -> None:
        """Take what stands in a language's file."""
        self.language = language
        self._told = told
        self._order = {name: place for place, name in enumerate(told["fields"])}

    def page(self, key: str, **values: object) -> str:
        """Return words of the page itself."""
        return str(self._told["page"][key]).format(**values)

    def month(self, number: int) -> str:
        """Return how a month is written in a date."""
        return str(self._told["months"][str(number)])

    def title(self, kind: str) -> str | None:
        """Return what a kind of entry is called."""
        return self._text("titles", kind)

    def field(self, name: str, within: str) -> str | None:
        """Return what a field is called inside ``within``."""
        return self._text("fields", f"{within}.{name}", name)

    def value(self, name: str, within: str, code: str) -> str | None:
        """Return what a code of ours means in a field; None for what is no code."""
        codes = self._told["values"]
        found = codes.get(f"{within}.{name}", codes.get(name, {})).get(code)
        return str(found) if found else self.title(code) if name == "kind" else None

    def sentence(self, text: str) -> str | None:
        """Return a sentence of ours in this language; None for another's words."""
        return self._text("sentences", _SENTENCES.get(text, ""))

    def in_order(self, names: Iterable[str], within: str) -> list[str]:
        """Return names as they are best read; those without words at the end."""
        last = len(self._order)
        places = {
            name: self._order.get(f"{within}.{name}", self._order.get(name, last)) for name in names
        }
        return sorted(places, key=lambda name: places[name])

    def _text(self, part: str, *keys: str) -> str | None:
        told = self._told[part]
        return next((str(told[key]) for key in keys if key in told), None)


@cache
def words_for(language: str) -> Words:
    """Return the words of one of our languages."""
    file = resources.files("owner_api.commands").joinpath("words", f"{language}.json")
    return Words(language, json.loads(file.read_bytes()))
