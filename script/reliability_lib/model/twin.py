"""The model: what each message and each passing second should make of the world."""

from collections import Counter
from datetime import datetime, timedelta

from .drawing import DRAWING, Transition, another_end
from .things import (
    CURRENCIES,
    POWER_W,
    Car,
    Deal,
    Offer,
    Party,
    Settlement,
    Stay,
    Wanted,
    award_by,
    owed_minor,
)
from .watching import SECOND, lease, watch, worst_export

START_GRACE = timedelta(seconds=300)
READING_GRACE = timedelta(seconds=900)
QUIET_W = 50

type Expected = tuple[int, str | None]
OK: Expected = (200, None)
MADE: Expected = (201, None)
CLOSED: Expected = (409, "commitment_closed")
STALE = ("curtailed", "soc_stale")


class Twin:
    """A second, simple telling of the API; ``altered`` is one move that it believes wrongly."""

    def __init__(self, altered: Transition | None = None) -> None:
        self._altered = altered
        self.taken: Counter[Transition] = Counter()
        self.offers: dict[str, Offer] = {}
        self.deals: dict[str, Deal] = {}
        self.settlements: list[Settlement] = []
        self.stays: list[Stay] = []
        self.superseded: dict[tuple[str, int], str] = {}

    def move(self, machine: str, before: str, after: str) -> str:
        """Take one transition and return where it leads."""
        if after not in DRAWING[machine].get(before, "").split():
            raise AssertionError(f"the model itself moved {machine} {before} → {after}")
        self.taken[machine, before, after] += 1
        if (machine, before, after) == self._altered:
            return another_end(self._altered)
        return after

    # Offers

    def judge(self, offer: Offer, now: datetime) -> str:
        """Judge a fresh revision of an offer; return its state."""
        car, terms = offer.car, offer.terms
        if offer.stay.claimed:
            verdict = "rejected"
        elif self.unwanted(offer, now):
            verdict = "auto_declined"
        elif self._rule_says_yes(car, terms):
            verdict = "accepted"
        else:
            verdict = "presented"
        offer.state = self.move("offer", "received", verdict)
        return verdict

    def _rule_says_yes(self, car: Car, terms: Wanted) -> bool:
        """Return whether the owner's rule takes these terms; not where the owner stopped a deal."""
        stopped = any(
            deal.car is car
            and deal.reason == "owner"
            and deal.terms.start_at < terms.end_at
            and terms.start_at < deal.terms.end_at
            for deal in self.deals.values()
        )
        cash = terms.kind == "cash" and terms.price >= "1.5"
        return car.by_rules and cash and not stopped

    def unwanted(self, offer: Offer, now: datetime) -> str | None:
        """Return why the owner is not asked."""
        blocked = self.blocked(offer, now)
        cheap = offer.terms.kind == "cash" and offer.terms.price < "0.5"
        return blocked or ("price" if cheap else None)

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
        return MADE

    def commit(self, offer: Offer, commitment_id: str, now: datetime, energy_wh: int) -> None:
        """Make the deal of a yes to so much energy."""
        deal = Deal(
            commitment_id=commitment_id,
            car=offer.car,
            stay=offer.stay,
            terms=offer.terms,
            terms_sha256=offer.terms_sha256,
            committed_wh=energy_wh,
            award_by=award_by(offer.terms, now),
        )
        offer.deal = self.deals[commitment_id] = deal

    def close_offers(self, stay: Stay) -> None:
        """Take back what is open in a session whose car is gone."""
        for offer in self.offers.values():
            if offer.stay is stay and offer.state in ("presented", "countered"):
                offer.state = self.move("offer", offer.state, "withdrawn")

    # Deals

    def finish(self, deal: Deal, to: str, reason: str, now: datetime) -> None:
        """End a deal."""
        deal.state, deal.reason = self.move("commitment", deal.state, to), reason
        deal.setpoint_w, deal.ended_at = 0, now

    def live_of(self, car: Car) -> list[Deal]:
        """Return the car's deals that have not ended."""
        return [deal for deal in self.deals.values() if deal.car is car and deal.live]

    def award(self, deal: Deal, energy_wh: int, sha256: str, now: datetime) -> Expected:
        """Award a consent."""
        if deal.state == "lapsed":
            return 410, "offer_expired"
        if deal.state != "pending_award":
            return CLOSED
        if sha256 != deal.terms_sha256:
            return 409, "award_mismatch"
        least = max(1, min(deal.terms.least_wh, deal.committed_wh))
        if not least <= energy_wh <= deal.committed_wh:
            return 409, "award_mismatch"
        if now > deal.award_by:
            return 410, "offer_expired"
        deal.state = self.move("commitment", deal.state, "scheduled")
        deal.committed_wh = energy_wh
        return OK

    def cancel(self, deal: Deal, now: datetime) -> Expected:
        """Let the park take a deal back or cut it short."""
        if not deal.live:
            return CLOSED
        to = "curtailed" if deal.state == "active" else "cancelled"
        self.finish(deal, to, "park", now)
        return OK

    def instruct(  # noqa: PLR0911 - as decide
        self, deal: Deal, seq: int, setpoint_w: int, now: datetime
    ) -> Expected:
        """Grant a lease or say why not."""
        if deal.state == "revoked" and deal.reason in ("owner", "preferences", "agreement"):
            return 409, "stop_in_force"
        if deal.state == "pending_award":
            return 409, "no_lease"
        if deal.state not in ("scheduled", "active"):
            return CLOSED
        if seq <= deal.last_seq:
            return 409, "stale_sequence"
        if self._lease_over(deal, now):
            self._end_lease(deal, now)
            return CLOSED
        if -setpoint_w > POWER_W:
            return 422, "invalid_body"
        if deal.state == "scheduled":
            return self._start(deal, seq, setpoint_w, now)
        return self._lease(deal, seq, setpoint_w, now)

    def _start(self, deal: Deal, seq: int, setpoint_w: int, now: datetime) -> Expected:
        if refused := self._cannot_start(deal, now):
            return 409, refused
        car, register_wh = deal.car, deal.stay.register_wh
        anchor_wh = car.anchor_wh
        deal.begin_wh = deal.last_wh = register_wh
        car.anchor_wh = register_wh if anchor_wh is None else anchor_wh
        if self._until(deal, setpoint_w, now)[1] == STALE:
            # Nothing has begun, and the next reading may let it.
            deal.begin_wh = deal.last_wh = None
            car.anchor_wh = anchor_wh
            return 409, "no_lease"
        deal.state = self.move("commitment", "scheduled", "active")
        deal.started_at = now
        return self._lease(deal, seq, setpoint_w, now)

    def _cannot_start(self, deal: Deal, now: datetime) -> str | None:
        if not deal.terms.start_at <= now < deal.terms.end_at:
            return "no_lease"
        seen = deal.stay.seen_at
        blind = seen is None or now - seen > timedelta(seconds=60)
        return "no_lease" if blind or self._free_at(deal) is None else None

    def _free_at(self, deal: Deal) -> datetime | None:
        """Return since when the meter counts for no other deal; None while it does."""
        settled = [
            other.settled_at
            for other in self.deals.values()
            if other.stay is deal.stay and other is not deal and other.started_at is not None
        ]
        if None in settled:
            return None
        return max((at for at in settled if at is not None), default=deal.award_by)

    @staticmethod
    def _until(
        deal: Deal, setpoint_w: int, now: datetime
    ) -> tuple[datetime, tuple[str, str] | None]:
        """Return when a lease would end, and as what the deal ends where there can be none."""
        view = watch(deal, now)
        if view.ends is not None:
            return now, view.ends
        until = lease(deal, view, now, -setpoint_w)
        if until - now >= SECOND:
            return until, None
        assert view.sure_until is not None
        if deal.terms.end_at - now < SECOND:
            return until, ("completed", "delivered")
        return until, STALE if view.sure_until - now < SECOND else view.later

    def _lease(self, deal: Deal, seq: int, setpoint_w: int, now: datetime) -> Expected:
        until, ends = self._until(deal, setpoint_w, now)
        if ends is not None:
            self.finish(deal, *ends, now)
            return CLOSED
        deal.last_seq, deal.setpoint_w, deal.instructed_at = seq, setpoint_w, now
        deal.worst_w, deal.lease_until = min(deal.worst_w, setpoint_w), until
        return MADE

    @staticmethod
    def _lease_over(deal: Deal, now: datetime) -> bool:
        until = deal.lease_until
        return deal.state == "active" and until is not None and now >= until < deal.terms.end_at

    def _end_lease(self, deal: Deal, now: datetime) -> None:
        assert deal.lease_until is not None
        if not self.enforce(deal, deal.lease_until):
            self.finish(deal, "failed", "lease", now)

    def enforce(self, deal: Deal, now: datetime) -> bool:
        """End a running deal that may not go on."""
        if deal.state != "active":
            return False
        view = watch(deal, now)
        if view.ends is not None:
            self.finish(deal, *view.ends, now)
        return view.ends is not None

    # The meter

    def readings(self, stay: Stay, told: list[tuple[datetime, int, int]], now: datetime) -> None:
        """Take (measured_at, register, power): repeated ones change nothing, late ones hardly."""
        taken = False
        for at, register_wh, power_w in sorted(told):
            if at not in stay.known:
                stay.known.add(at)
                self._take(stay, at, register_wh, power_w, now)
                taken = True
        deal = self.metered(stay)
        if taken and deal is not None:
            self.enforce(deal, now)
            self.settle_if_read(deal, now)

    def _take(
        self, stay: Stay, at: datetime, register_wh: int, power_w: int, now: datetime
    ) -> None:
        if stay.measured_at is not None and at <= stay.measured_at:
            return
        deal = self.metered(stay)
        stay.measured_at, stay.seen_at = at, min(at, now)
        stay.register_wh, stay.power_w = register_wh, power_w
        if deal is not None:
            deal.last_wh = register_wh
            before = deal.instructed_at is not None and at < deal.instructed_at
            deal.worst_w = deal.worst_w if before else deal.setpoint_w

    def metered(self, stay: Stay) -> Deal | None:
        """Return the deal whose energy a session's meter counts: the newest unsettled one."""
        found = [
            deal
            for deal in self.deals.values()
            if deal.stay is stay and deal.started_at is not None and deal.settlement is None
        ]
        return max(found, key=_started, default=None)

    # Settlements

    def settle_if_read(self, deal: Deal, now: datetime) -> None:
        """Settle an ended deal once its meter has spoken."""
        stay, ended_at = deal.stay, deal.ended_at
        read = ended_at is not None and stay.seen_at is not None and stay.seen_at >= ended_at
        if self._waits(deal) and read and stay.power_w > -QUIET_W:
            self.settle(deal, deal.delivered_wh, now, 1)

    def settle_if_silent(self, deal: Deal, now: datetime) -> None:
        """Settle an ended deal once its meter has been silent for too long; a tick sees that."""
        late = deal.ended_at is not None and now - deal.ended_at >= READING_GRACE
        if self._waits(deal) and late:
            self.settle(deal, deal.delivered_wh, now, 1)

    @staticmethod
    def _waits(deal: Deal) -> bool:
        return deal.settlement is None and deal.started_at is not None and not deal.live

    def settle(self, deal: Deal, delivered_wh: int, now: datetime, version: int) -> Settlement:
        """Write a version of a settlement; what was paid before counts."""
        net = owed_minor(deal.terms, delivered_wh)
        made = Settlement(
            deal=deal,
            version=version,
            delivered_wh=delivered_wh,
            net_minor=net,
            already_minor=min(net, deal.paid_minor),
            dispute_until=now + timedelta(seconds=deal.terms.dispute_s),
        )
        deal.settlement, deal.settled_at = made, deal.settled_at or now
        self.settlements.append(made)
        return made

    def balances(self) -> Counter[tuple[str, str]]:
        """Return every account's sum: what is claimed now against what was ever paid."""
        sums: Counter[tuple[str, str]] = Counter()
        for deal in self.deals.values():
            if (claim := deal.settlement) is None:
                continue
            owner, park = deal.car.owner.party_id, deal.stay.park.party_id
            covered = claim.net_minor if claim.reward == "paid" else claim.already_minor
            lines = {
                f"{park}:payable": deal.paid_minor - claim.net_minor,
                f"{park}:money": -deal.paid_minor,
                f"{owner}:credit": covered - deal.paid_minor,
                f"{owner}:paid": deal.paid_minor,
            }
            if claim.reward != "paid":
                lines[f"{owner}:{claim.reward}"] = claim.net_minor - claim.already_minor
            for account, amount_minor in lines.items():
                sums[account, CURRENCIES[deal.terms.kind]] += amount_minor
        return sums

    def finalize(self, settlement: Settlement) -> None:
        """Make a settlement final."""
        settlement.state = self.move("settlement", settlement.state, "final")
        settlement.reward = "confirmed"

    def agree(self, settlement: Settlement, *, owner: bool) -> Expected:
        """Take one side's yes."""
        if settlement.state in ("provisional", "disputed"):
            settlement.owner_agrees |= owner
            settlement.park_agrees |= not owner
            if settlement.owner_agrees and settlement.park_agrees:
                self.finalize(settlement)
        return OK

    def dispute(self, settlement: Settlement, now: datetime) -> Expected:
        """Take the owner's no."""
        if settlement.state != "provisional" or now >= settlement.dispute_until:
            return 409, "conflict"
        settlement.state = self.move("settlement", "provisional", "disputed")
        settlement.owner_agrees = False
        return MADE

    def correct(self, settlement: Settlement, delivered_wh: int, now: datetime) -> Expected:
        """Reverse a version and write the next."""
        deal = settlement.deal
        if delivered_wh > deal.committed_wh:
            return 422, "invalid_body"
        if settlement.state == "corrected":
            return 409, "conflict"
        settlement.state = self.move("settlement", settlement.state, "corrected")
        settlement.reward = "reversed"
        self.settle(deal, delivered_wh, now, settlement.version + 1)
        return MADE

    def pay(self, settlement: Settlement, reference: str) -> Expected:
        """Mark a final settlement as paid."""
        if settlement.state != "final":
            return 409, "conflict"
        if settlement.reward == "paid":
            return OK if settlement.reference == reference else (409, "conflict")
        settlement.deal.paid_minor += settlement.net_minor - settlement.already_minor
        settlement.reward, settlement.reference = "paid", reference
        return OK

    # Time

    def tick(self, now: datetime) -> None:
        """Do what is due."""
        for offer in self.offers.values():
            if offer.state in ("presented", "countered") and now >= offer.respond_by:
                offer.state = self.move("offer", offer.state, "expired")
        for deal in self.deals.values():
            self._watch_deal(deal, now)
        for deal in self.deals.values():
            self.settle_if_read(deal, now)
            self.settle_if_silent(deal, now)
        for settlement in self.settlements:
            taken_back = settlement.state == "disputed" and settlement.owner_agrees
            open_still = settlement.state == "provisional" or taken_back
            if open_still and now >= settlement.dispute_until:
                self.finalize(settlement)

    def _watch_deal(self, deal: Deal, now: datetime) -> None:
        terms = deal.terms
        free_at = self._free_at(deal)
        late = (
            free_at is not None and now > max(terms.start_at, deal.award_by, free_at) + START_GRACE
        )
        if deal.state == "pending_award" and now > deal.award_by:
            self.finish(deal, "lapsed", "award", now)
        elif deal.state == "scheduled" and (late or now >= terms.end_at):
            self.finish(deal, "missed", "not_started", now)
        elif self._lease_over(deal, now):
            self._end_lease(deal, now)
        elif deal.state == "active" and now >= terms.end_at:
            self.finish(deal, "completed", "delivered", now)
        else:
            self.enforce(deal, now)

    def end_stay(self, stay: Stay, now: datetime) -> None:
        """Unplug: what ran has failed, what was scheduled is missed, what waited is revoked."""
        self._carry(stay, now)
        stay.ended = True
        ends = {"active": "failed", "scheduled": "missed", "pending_award": "revoked"}
        for deal in self.deals.values():
            if deal.stay is stay and deal.live:
                self.finish(deal, ends[deal.state], "unplugged", now)
        self.close_offers(stay)

    def part(self, car: Car, park: Party, now: datetime) -> None:
        """Let a park see a car no more: its session is bound to none."""
        if car.stay is not None and car.stay.park is park and not car.stay.claimed:
            self._carry(car.stay, now)
            car.anchor_wh, car.stay.claimed = None, True

    @staticmethod
    def told(car: Car) -> None:
        """Bind what the car stands at again, by its own word, once there is an agreement."""
        if car.stay is not None and car.agreements[car.stay.park.party_id] is not None:
            car.stay.claimed = False

    def _carry(self, stay: Stay, now: datetime) -> None:
        """Keep for the car what has left in a stay since its last reading, at the worst."""
        deals = [deal for deal in self.deals.values() if deal.stay is stay]
        car = next((deal.car for deal in deals if deal.car.stay is stay), None)
        if car is None or car.anchor_wh is None:
            return
        leases = [
            (deal, deal.lease_until)
            for deal in deals
            if deal.lease_until is not None and deal.settlement is None
        ]
        seen = stay.register_wh or 0
        register = max([seen, *(worst_export(deal, until) for deal, until in leases)])
        gone, car.anchor_wh = register - car.anchor_wh, None
        if gone > 0:
            car.carried_wh += gone
            unseen = [until for _, until in leases] if register > seen else []
            car.carried_until = max([now, *unseen])


def _started(deal: Deal) -> datetime:
    assert deal.started_at is not None
    return deal.started_at
