"""An offer with what was judged and answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self, cast

from owner_api.core.machine import OfferState
from owner_api.core.model import (
    Decision,
    Terms,
)
from owner_api.problems import not_found
from owner_api.store.documents import from_json, load
from owner_api.store.times import decode
from owner_api.store.tx import Tx

from .opened import Given, Opened, Row


@dataclass(frozen=True, kw_only=True, slots=True)
class OfferRecord:
    """An offer in its newest revision."""

    offer_id: str
    park_id: str
    owner_id: str | None
    vehicle_id: str | None
    session_id: str
    revision: int
    state: OfferState
    state_reason: str | None
    purpose: str
    issued_at: datetime
    respond_by: datetime
    terms: Terms
    terms_sha256: str
    evaluation_json: str | None
    arrival_json: str | None
    decision: Decision | None
    commitment_id: str | None

    @classmethod
    def find(
        cls, tx: Tx, offer_id: str, *, owner_id: str | None = None, park_id: str | None = None
    ) -> Self:
        """Load an offer of the given owner or park; raise not_found otherwise."""
        row = tx.by_key("offer", offer_id)
        if (
            row is None
            or owner_id not in (None, row["owner_id"])
            or park_id not in (None, row["park_id"])
        ):
            raise not_found()
        return cast("Self", _offers.opened(offer_id, row))

    @property
    def evaluation(self) -> Row | None:
        """How the offer was judged, as its owner sees it."""
        return None if self.evaluation_json is None else dict(from_json(self.evaluation_json))

    @property
    def arrival(self) -> Row | None:
        """What a rule looks at, as it was when the newest terms came; of old offers as it is."""
        if self.arrival_json is None:
            return self.evaluation
        return dict(from_json(self.arrival_json))

    def changed(self, tx: Tx, **values: object) -> Self:
        """Write some columns and return the offer as it is from then on."""
        row = tx.change("offer", self.offer_id, **values)
        return cast("Self", _offers.opened(self.offer_id, row))

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Open an offer row."""
        return cls(
            offer_id=row["offer_id"],
            park_id=row["park_id"],
            owner_id=row["owner_id"],
            vehicle_id=row["vehicle_id"],
            session_id=row["session_id"],
            revision=row["revision"],
            state=OfferState(row["state"]),
            state_reason=row["state_reason"],
            purpose=row["purpose"],
            issued_at=decode(row["issued_at"]),
            respond_by=decode(row["respond_by"]),
            terms=load(Terms, row["terms"]),
            terms_sha256=row["terms_sha256"],
            evaluation_json=row["evaluation"],
            arrival_json=row["arrival"],
            decision=load(Decision, row["decision"]) if row["decision"] else None,
            commitment_id=row["commitment_id"],
        )


def _offer(row: Given, _beside: Given | None) -> OfferRecord:
    return OfferRecord.from_row(row)


_offers: Final = Opened(_offer)
