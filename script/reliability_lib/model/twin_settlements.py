"""The model of settlements: their versions, both sides' words, and the books."""

from collections import Counter
from datetime import datetime, timedelta

from .machines import MADE, OK, Expected
from .things import CURRENCIES, Deal, Settlement, owed_minor
from .twin_deals import Deals

READING_GRACE = timedelta(seconds=900)
STOP_TAKES = timedelta(seconds=5)
QUIET_W = 50
SURELY_OUT_W = 500


class Settlements(Deals):
    """What should become of settlements."""

    def settle_if_read(self, deal: Deal, now: datetime) -> None:
        """Settle an ended deal once its meter has spoken."""
        stay, rests_from = deal.stay, deal.rests_from
        read = rests_from is not None and stay.seen_at is not None and stay.seen_at >= rests_from
        if self._waits(deal) and read and stay.power_w > -QUIET_W:
            self.settle(deal, deal.delivered_wh, now, 1)

    def settle_if_silent(self, deal: Deal, now: datetime) -> None:
        """Settle an ended deal once its meter has been silent for too long; a tick sees that.

        A meter that told that its car was not stopped is silent from then on.
        """
        ended_at, stay = deal.ended_at, deal.stay
        if ended_at is None or not self._waits(deal):
            return
        seen_at = stay.seen_at
        told = seen_at is not None and seen_at >= ended_at + STOP_TAKES
        if seen_at is not None and told and stay.power_w < -SURELY_OUT_W and not stay.ended:
            ended_at = seen_at
        if now - ended_at >= READING_GRACE:
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
        settlement.disputed, settlement.owner_agrees = True, False
        return MADE

    def correct(self, settlement: Settlement, delivered_wh: int, now: datetime) -> Expected:
        """Reverse a version and write the next."""
        deal = settlement.deal
        if delivered_wh > deal.committed_wh:
            return 422, "invalid_body"
        if settlement.state == "corrected":
            return 409, "conflict"
        refused = settlement.state == "disputed" and not settlement.owner_agrees
        settlement.state = self.move("settlement", settlement.state, "corrected")
        settlement.reward = "reversed"
        made = self.settle(deal, delivered_wh, now, settlement.version + 1)
        if refused and delivered_wh <= self._most_disputed_wh(deal):
            made.state = self.move("settlement", made.state, "disputed")
            made.disputed = True
        return MADE

    def _most_disputed_wh(self, deal: Deal) -> int:
        """Return the most that a version of a deal said whose owner's no was not taken back."""
        return max(
            each.delivered_wh
            for each in self.settlements
            if each.deal is deal and each.disputed and not each.owner_agrees
        )

    def pay(self, settlement: Settlement, reference: str) -> Expected:
        """Mark a final settlement as paid."""
        if settlement.state != "final":
            return 409, "conflict"
        if settlement.reward == "paid":
            return OK if settlement.reference == reference else (409, "conflict")
        settlement.deal.paid_minor += settlement.net_minor - settlement.already_minor
        settlement.reward, settlement.reference = "paid", reference
        return OK
