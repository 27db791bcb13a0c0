"""The model: what each message and each passing second should make of the world."""

from datetime import datetime, timedelta

from .things import Car, Deal, Party, Stay
from .twin_settlements import Settlements
from .watching import worst_export

START_GRACE = timedelta(seconds=300)


class Twin(Settlements):
    """A second, simple telling of the API."""

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
            asked_at = deal.ended_at or deal.instructed_at
            before = asked_at is not None and at < asked_at
            deal.worst_w = deal.worst_w if before else deal.setpoint_w

    def metered(self, stay: Stay) -> Deal | None:
        """Return the deal whose energy a session's meter counts: the newest unsettled one."""
        found = [
            deal
            for deal in self.deals.values()
            if deal.stay is stay and deal.started_at is not None and deal.settlement is None
        ]
        return max(found, key=_started, default=None)

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
