"""What the owner has said yes to, as the operator's log proves it: the most a home gives for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
import hashlib
from typing import Any

from .decode import BadAnswerError, decode
from .models_deal import Commitment
from .trust_keys import canonical
from .trust_receipt import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A yes: the window it is for, the most power (W) and the energy (Wh) it lets out."""

    decision_id: str
    start_at: datetime
    end_at: datetime
    max_discharge_w: int
    energy_wh: int


def consent_in(entry: Entry, deal: Commitment) -> Consent | None:
    """Return what an entry of the log allows for a deal, None unless it is a yes to just that."""
    body = entry.body
    if (entry.kind, body.get("decision")) != ("decision", "accept"):
        return None
    if (body.get("offer_id"), body.get("vehicle_id")) != (deal.offer_id, deal.vehicle_id):
        return None
    terms: Any = body.get("terms")
    if not isinstance(terms, Mapping):
        return None
    if hashlib.sha256(canonical(terms)).hexdigest() != body.get("terms_sha256"):
        return None
    said = {
        **terms,
        "decision_id": entry.subject_id,
        "energy_wh": body.get("consented_energy_wh"),
    }
    try:
        return decode(Consent, said)
    except BadAnswerError:
        return None
