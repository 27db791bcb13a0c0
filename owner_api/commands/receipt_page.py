"""A receipt as a page that a person can read and print: no script, no style, nothing fetched."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from html import escape
from typing import Any, Final

from .receipt_values import Values, is_a_name, is_a_time, owners_money, parks_money
from .receipt_words import Words

_HEADINGS: Final = 6
# A name longer than a phone is wide may be broken after so many letters.
_UNBROKEN: Final = 8
_CHECK: Final = "owner-api receipt verify FILE --public-key KEY"
# Parts whose amounts are the owner's money, whatever the park pays in.
_OWNERS: Final = frozenset({"breakdown", "judged", "limits"})


def render(document: Mapping[str, Any], languages: Sequence[Words], zone: tzinfo) -> str:
    """Return the receipt as a whole HTML page, in the reader's language and by the reader's clock.

    The first language is the reader's; the others stand folded at the end. They are in the page and
    not behind an address, since that takes the reader's token: from a kept page it leads nowhere.
    An owner and a park read the same page, so none says "you" of what both have a receipt of.
    """
    first, *others = (_Page(words, Values(words, zone)) for words in languages)
    lines = [*first.head(document), *first.lines(document, 1)]
    for other in others:
        lines += other.folded(document)
    return "\n".join([*lines, "</main></body>", "</html>"]) + "\n"


class _Page:
    def __init__(self, words: Words, values: Values) -> None:
        self._words = words
        self._values = values

    def head(self, document: Mapping[str, Any]) -> Iterator[str]:
        """Yield what a page begins with."""
        yield f'<!doctype html>\n<html lang="{self._words.language}">\n<head><meta charset="utf-8">'
        yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
        yield '<meta name="color-scheme" content="light dark">'
        yield f"<title>{self._title(document)}</title></head>\n<body><main>"

    def folded(self, document: Mapping[str, Any]) -> Iterator[str]:
        """Yield the same in this language, closed until it is asked for."""
        name = escape(self._words.page("language"))
        yield f'<details lang="{self._words.language}"><summary>{name}</summary>'
        yield from self.lines(document, 2)
        yield "</details>"

    def lines(self, document: Mapping[str, Any], top: int) -> Iterator[str]:
        """Yield all that there is to read, below a heading of the level ``top``."""
        told, sub = self._words.page, top + 1
        yield f"<h{top}>{self._title(document)}</h{top}>"
        yield f"<h{sub}>{escape(told('recorded'))}</h{sub}>"
        yield from self._part(document["content"], _family(document["kind"]), sub + 1, None)
        yield f"<h{sub}>{escape(told('about'))}</h{sub}>\n<dl>"
        place = told("place_of", position=document["position"], size=document["proof"]["size"])
        yield _pair(told("at"), self._time(document["at"]))
        yield _pair(told("place"), escape(place))
        yield _pair(told("receipt_id"), _code(document["receipt_id"]))
        yield f"</dl>\n<p>{escape(told('hint'))} <code>{_CHECK}</code></p>"
        yield f"<h{sub}>{escape(told('checkpoint'))}</h{sub}>"
        note = (_broken(line) for line in document["checkpoint"].splitlines())
        yield f"<p><code translate=no>{'<br>'.join(note)}</code></p>"

    def _title(self, document: Mapping[str, Any]) -> str:
        return escape(self._words.title(document["kind"]) or document["kind"])

    def _part(
        self, content: Mapping[str, Any], within: str, level: int, around: str | None
    ) -> Iterator[str]:
        """Yield what is told directly, and then each part below a heading of its own."""
        filled = {name: value for name, value in content.items() if not _is_empty(value)}
        names = self._words.in_order(filled, within)
        parts = [name for name in names if _is_a_part(filled[name])]
        money = filled.get("currency", around)
        if len(parts) < len(names):
            yield "<dl>"
            for name in names:
                if name not in parts:
                    yield _pair(self._label(name, within), self._shown(name, within, filled, money))
            yield "</dl>"
        for name in parts:
            known = money
            if name in _OWNERS and within not in _OWNERS:
                known = owners_money(filled)
            elif name == "counter_terms":
                known = parks_money(filled)
            head = self._label(name, within)
            # An earlier receipt inside this one is read as its own kind is.
            inside = _family(filled["kind"]) if name == "body" else name
            yield from self._below(head, inside, filled[name], level, known)

    def _below(
        self,
        head: str,
        inside: str,
        value: Mapping[str, Any] | list[Mapping[str, Any]],
        level: int,
        money: str | None,
    ) -> Iterator[str]:
        every = value if isinstance(value, list) else [value]
        for number, each in enumerate(every, 1):
            counted = self._words.page("numbered", name=head, number=number)
            yield f"<h{level}>{escape(counted if len(every) > 1 else head)}</h{level}>"
            yield from self._part(each, inside, min(level + 1, _HEADINGS), money)

    def _label(self, name: str, within: str) -> str:
        return self._words.field(name, within) or name

    def _shown(self, name: str, within: str, content: Mapping[str, Any], money: str | None) -> str:
        value = content[name]
        every = value if isinstance(value, list) else [value]
        return "</dd><dd>".join(self._one(name, within, each, money) for each in every)

    def _one(self, name: str, within: str, value: Any, money: str | None) -> str:  # noqa: ANN401
        if is_a_name(name):
            return _code(str(value))
        if is_a_time(name):
            return self._time(value)
        told = self._values.shown(name, within, value, money)
        # What somebody else wrote may run the other way; it turns nothing around it.
        return f"<bdi>{escape(str(value))}</bdi>" if told is None else escape(told)

    def _time(self, text: str) -> str:
        told = self._values.time(datetime.fromisoformat(text))
        return f'<time datetime="{escape(text)}">{escape(told)}</time>'


def _family(kind: str) -> str:
    """Return what a kind of entry is about: a deal, a settlement."""
    return kind.partition(".")[0]


def _is_empty(value: object) -> bool:
    return value is None or value in ("", [], {})


def _is_a_part(value: object) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list) and all(isinstance(each, Mapping) for each in value)
    )


def _pair(label: str, shown: str) -> str:
    return f"<dt>{escape(label)}</dt><dd>{shown}</dd>"


def _code(text: str) -> str:
    return f"<code translate=no>{_broken(text)}</code>"


def _broken(text: str) -> str:
    """Return a text that may be broken where a phone needs it, and is copied as it was."""
    pieces = (text[at : at + _UNBROKEN] for at in range(0, len(text), _UNBROKEN))
    return "<wbr>".join(map(escape, pieces))
