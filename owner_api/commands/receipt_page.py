"""A receipt as a page that a person can read and print: no script, no style, nothing fetched."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

# An owner and a park read the same page, so none says "you" of what both have a receipt of.
_TITLES: Final = {
    "decision": "Your decision",
    "stop": "You said stop",
    "agreement.active": "An owner joined a park",
    "agreement.withdrawn": "An owner left a park",
    "agreement.replaced": "A newer agreement took this one's place",
    "commitment.pending_award": "The owner agreed; the park has to confirm",
    "commitment.scheduled": "The park confirmed the deal",
    "commitment.active": "Delivery began",
    "commitment.completed": "Delivery is complete",
    "commitment.curtailed": "Delivery ended early",
    "commitment.revoked": "The deal was taken back",
    "commitment.failed": "Delivery failed",
    "commitment.missed": "Delivery did not begin",
    "commitment.lapsed": "The park did not confirm in time",
    "commitment.cancelled": "The park cancelled",
    "stop.requested": "A stop was asked for",
    "stop.confirmed": "The stop was confirmed",
    "stop.stopped": "The power is off",
    "settlement.provisional": "Settlement, provisional",
    "settlement.final": "Settlement, final",
    "settlement.disputed": "Settlement, disputed",
    "settlement.corrected": "Settlement, corrected",
    "reward.earned": "Reward earned",
    "reward.confirmed": "Reward confirmed",
    "reward.paid": "Reward paid",
    "reward.reversed": "Reward reversed",
    "reward.covered": "Reward covered by an earlier payment",
    "receipt.replayed": "A receipt that a restore had lost was shown again",
    "settlement.claimed": "A settlement that a restore had lost is claimed",
}
# What a name ends in says what its number counts. Of which money a minor unit is, is not always
# told beside it: what an offer leaves is the owner's money, also where the park pays in points.
_UNITS: Final = {
    "_minor": " (smallest unit of money)",
    "_wh": " (Wh)",
    "_pct": " (%)",
    "_w": " (W)",
    "_s": " (s)",
}
_HINT: Final = (
    "This page is for reading. The proof is the same receipt as JSON: keep it, and check it "
    "anywhere with <code>owner-api receipt verify FILE --public-key KEY</code>."
)


def render(document: Mapping[str, Any]) -> str:
    """Return the receipt as a whole HTML page."""
    title = escape(_TITLES.get(document["kind"], document["kind"]))
    rows = "\n".join(_rows(document["content"]))
    proof = {
        "Receipt": document["receipt_id"],
        "Recorded": document["at"],
        "Place in the log": f"{document['position']} of {document['proof']['size']}",
    }
    about = "\n".join(_rows(proof))
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title></head>\n'
        f"<body>\n<h1>{title}</h1>\n<table>\n{about}\n</table>\n<h2>What was recorded</h2>\n"
        f"<table>\n{rows}\n</table>\n<h2>The log when this was recorded</h2>\n"
        f"<pre>{escape(document['checkpoint'])}</pre>\n<p>{_HINT}</p>\n</body>\n</html>\n"
    )


def _rows(content: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield one table row per value; nested names are joined, empty ones are left out."""
    for name, value in content.items():
        label = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _rows(value, f"{label}: ")
        elif value not in (None, [], ""):
            yield f"<tr><th scope=row>{escape(_words(label))}</th><td>{_shown(value)}</td></tr>"


def _words(label: str) -> str:
    end = next((end for end in _UNITS if label.endswith(end)), "")
    return label.removesuffix(end).replace("_", " ") + _UNITS.get(end, "")


def _shown(value: object) -> str:
    if isinstance(value, list):
        return "<br>".join(_shown(item) for item in value)
    if isinstance(value, Mapping):
        return f"<table>{''.join(_rows(value))}</table>"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return escape(str(value))
