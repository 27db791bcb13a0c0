"""What an answer leaves behind: the decision; for a yes there is a deal as well."""

from collections.abc import Mapping

from owner_api.calls import Call
from owner_api.core.canonical import plain_document
from owner_api.core.machine import OfferState
from owner_api.core.model import CounterTerms, Decision, Rule
from owner_api.core.receipt import receipt_id
from owner_api.store.documents import remember, to_json
from owner_api.store.tx import Tx

from . import asked, asked_for, journal
from .records import OfferRecord, VehicleRecord


def record(
    tx: Tx,
    call: Call,
    offer: OfferRecord,
    vehicle: VehicleRecord,
    kind: str,
    *,
    method: str,
    energy_wh: int | None = None,
    counter: CounterTerms | None = None,
    rule: Rule | None = None,
    evaluation: str | None = None,
    more: Mapping[str, object] | None = None,
) -> OfferRecord:
    """Write the decision and move the offer; from here on it cannot be unsaid, only revoked.

    ``evaluation`` is what its owner sees of a judgement that was made with the decision, ``more``
    are columns of the offer that change with it.
    """
    states = {
        "accept": OfferState.ACCEPTED,
        "decline": OfferState.DECLINED,
        "counter": OfferState.COUNTERED,
    }
    made = Decision(
        decision_id=call.new_id("dec"),
        offer_id=offer.offer_id,
        revision=offer.revision,
        terms_sha256=offer.terms_sha256,
        decision=kind,
        method=method,
        decided_at=call.now,
        preferences_revision=vehicle.preferences_revision,
        consented_energy_wh=energy_wh,
        counter_terms=counter,
        rule_id=rule.rule_id if rule else None,
        device_id=None if rule else call.principal.device_id,
        actor={} if rule else dict(call.body.get("actor", {})),
        reason=None if rule else call.body.get("reason"),
    )
    said = to_json(plain_document(made)).decode()
    remember(said, made)
    # The answer names the receipt, and asking the table for it would end the batch's waiting.
    seen = evaluation or offer.evaluation_json
    tx.known[made.decision_id] = journal.decision(tx, made, offer, vehicle, seen)
    asked.answered(tx, offer)
    return offer.changed(
        tx,
        state=states[kind].value,
        state_reason="rule" if rule else None,
        decision=said,
        updated_at=call.now,
        **asked_for.columns(tx, offer, kind, method, counter),
        **(more or {}),
    )


def receipt_of(tx: Tx, decision_id: str) -> str:
    """Return the name of a decision's receipt for its owner."""
    if (position := tx.known.get(decision_id)) is not None:
        return receipt_id(position)
    row = tx.one("SELECT receipt_id FROM receipt WHERE subject_id = ?", decision_id)
    assert row is not None
    return str(row["receipt_id"])
