"""The model of offers: what is judged, asked, answered and taken back."""

from dataclasses import replace
from datetime import datetime, timedelta

from .drawing import DRAWING
from .machines import MADE, OK, Expected, Machines
from .things import (
    COUNTER_PRICE,
    COUNTER_WH,
    Car,
    Deal,
    Offer,
    Stay,
    Wanted,
    award_by,
    worth,
)


class Offers(Machines):
    """What should become of offers."""

    def judge(self, offer: Offer, now: datetime) -> str:
        """Judge a fresh revision of an offer; return its state."""
        if offer.stay.claimed:
            verdict = "rejected"
        elif self.unwanted(offer, now):
            verdict = "auto_declined"
        elif self._rule_says_yes(offer):
            verdict = "accepted"
        else:
            verdict = "presented"
        offer.state = self.move("offer", "received", verdict)
        return verdict

    def _rule_says_yes(self, offer: Offer) -> bool:
        """Return whether the owner's rule takes an offer.

        Not where the owner stopped a deal, nor for less than they asked for themselves, nor for
        what they declined, nor by a backup's limits.
        """
        car, terms = offer.car, offer.terms
        if car.held_since is not None:
            return False
        stopped = any(
            deal.car is car
            and deal.stopped
            and deal.terms.start_at < terms.end_at
            and terms.start_at < deal.terms.end_at
            for deal in self.deals.values()
        )
        return car.by_rules and _suits(terms) and not stopped and not self._undercut(offer)

    def _undercut(self, offer: Offer) -> bool:
        """Return whether an offer is not enough for what its owner asked for, or declined.

        A no to what the rule would have taken says that the rule cannot tell.
        """
        return any(
            not _as_good(offer.terms, asked)
            or (
                other.state == "declined"
                and (_suits(other.terms) or not _is_worth_more(offer.terms, other.terms))
            )
            for other in self.offers.values()
            if (asked := other.asked) is not None
            and other.car is offer.car
            and (other is offer or _touches(offer.terms, other.asked_span))
        )

    def unwanted(self, offer: Offer, now: datetime) -> str | None:
        """Return why the owner is not asked."""
        blocked = self.blocked(offer, now)
        cheap = offer.terms.kind == "cash" and offer.terms.price < "0.5"
        return blocked or ("price" if cheap else None)

    @staticmethod
    def confirm(car: Car, revision: int) -> Expected:
        """Confirm the limits that were seen, where they wait for it."""
        if car.held_since is None:
            return OK
        if revision != car.preferences_revision:
            return 409, "conflict"
        car.held_since = None
        car.preferences_revision += 1
        return OK

    @staticmethod
    def blocked(offer: Offer, now: datetime) -> str | None:
        """Return why nothing may be discharged at all; the same word as the API's problem."""
        car, stay = offer.car, offer.stay
        if not car.allowed:
            return "discharge_not_allowed"
        if stay.ended or car.stay is not stay:
            return "not_bound"
        if car.agreements[stay.park.party_id] is None:
            return "agreement_missing"
        if car.soc_at is None or now - car.soc_at > timedelta(seconds=1800):
            return "soc_stale"
        return None

    def forbid(self, car: Car, now: datetime) -> None:
        """Decline what is open for a car whose owner allows nothing any more."""
        for offer in self.offers.values():
            is_open = offer.state in ("presented", "countered")
            if offer.car is car and is_open and now < offer.respond_by:
                offer.state = self.move("offer", offer.state, "auto_declined")

    def revise(self, offer: Offer, now: datetime) -> Expected:
        """Say what a next revision would meet, and end the present one."""
        if offer.state not in ("presented", "countered"):
            return 409, "offer_closed"
        if now >= offer.respond_by:
            return 410, "offer_expired"
        key = offer.offer_id, offer.revision
        self.superseded[key] = self.move("offer", offer.state, "superseded")
        return MADE

    def withdraw(self, offer: Offer, now: datetime) -> Expected:
        """Take an offer back."""
        if offer.state not in ("presented", "countered"):
            return 409, "offer_closed"
        if now >= offer.respond_by:
            return 410, "offer_expired"
        offer.state = self.move("offer", offer.state, "withdrawn")
        return OK

    def decide(  # noqa: PLR0911 - one return per answer, in the order they are found
        self, offer: Offer, word: str, revision: int, now: datetime
    ) -> Expected:
        """Answer an offer; no owner ever hears of one to a session that was bound to nobody."""
        if offer.state == "rejected":
            return 404, "not_found"
        if offer.said == (word, revision):
            return MADE
        if revision != offer.revision:
            return 409, "stale_terms"
        if offer.state == "expired":
            return 410, "offer_expired"
        to = {"accept": "accepted", "decline": "declined", "counter": "countered"}[word]
        if to not in DRAWING["offer"].get(offer.state, "").split():
            return 409, "offer_closed"
        if now >= offer.respond_by:
            return 410, "offer_expired"
        if word == "accept" and (block := self.blocked(offer, now)):
            return 409, block
        offer.state = self.move("offer", offer.state, to)
        offer.said = word, revision
        if word != "accept":
            self._remember(offer, word)
        return MADE

    @staticmethod
    def _remember(offer: Offer, word: str) -> None:
        """Keep what the owner asked for; a no leaves what was asked for before it as it is."""
        terms = offer.terms
        if word == "counter":
            offer.asked = replace(terms, energy_wh=COUNTER_WH, price=COUNTER_PRICE)
            offer.asked_span = None
        start_at, end_at = offer.asked_span or (terms.start_at, terms.end_at)
        offer.asked_span = min(start_at, terms.start_at), max(end_at, terms.end_at)
        offer.asked = offer.asked or terms

    def commit(self, offer: Offer, commitment_id: str, now: datetime, energy_wh: int) -> None:
        """Make the deal of a yes to so much energy."""
        deal = Deal(
            commitment_id=commitment_id,
            car=offer.car,
            stay=offer.stay,
            terms=offer.terms,
            terms_sha256=offer.terms_sha256,
            committed_wh=energy_wh,
            decided_at=now,
            award_by=award_by(offer.terms, now),
        )
        offer.deal = self.deals[commitment_id] = deal

    def close_offers(self, stay: Stay) -> None:
        """Take back what is open in a session whose car is gone."""
        for offer in self.offers.values():
            if offer.stay is stay and offer.state in ("presented", "countered"):
                offer.state = self.move("offer", offer.state, "withdrawn")


def _touches(one: Wanted, span: tuple[datetime, datetime] | None) -> bool:
    return span is not None and one.start_at < span[1] and span[0] < one.end_at


def _suits(terms: Wanted) -> bool:
    """Return whether the owner's rule would take terms."""
    return terms.kind == "cash" and terms.price >= "1.5"


def _is_worth_more(terms: Wanted, declined: Wanted) -> bool:
    """Return whether more is paid than was declined, for the same energy."""
    sold_wh = terms.energy_wh
    return terms.kind == declined.kind and worth(terms, sold_wh) > worth(declined, sold_wh)


def _as_good(terms: Wanted, asked: Wanted) -> bool:
    """Return whether terms are in nothing worse than those that were asked for."""
    return (
        asked.start_at <= terms.start_at
        and terms.end_at <= asked.end_at
        and terms.energy_wh <= asked.energy_wh
        and terms.lease_s <= asked.lease_s
        and terms.dispute_s >= asked.dispute_s
        and terms.kind == asked.kind
        and worth(terms, terms.energy_wh) >= worth(asked, terms.energy_wh)
    )
