"""The model of deals: awarded, instructed under a lease, and ended."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from .machines import MADE, OK, Expected
from .things import POWER_W, Car, Deal
from .twin_offers import Offers
from .watching import SECOND, lease, watch

CLOSED: Expected = (409, "commitment_closed")
STALE = ("curtailed", "soc_stale")


class Deals(Offers):
    """What should become of deals."""

    def finish(self, deal: Deal, to: str, reason: str, now: datetime) -> None:
        """End a deal."""
        deal.state, deal.reason = self.move("commitment", deal.state, to), reason
        deal.setpoint_w, deal.ended_at = 0, now

    def live_of(self, car: Car) -> list[Deal]:
        """Return the car's deals that have not ended."""
        return [deal for deal in self.deals.values() if deal.car is car and deal.live]

    def in_time(self, car: Car, now: datetime) -> list[Deal]:
        """Return the car's deals that have not ended, and those whose window is not over."""
        return [
            deal
            for deal in self.deals.values()
            if deal.car is car and (deal.live or now < deal.terms.end_at)
        ]

    def stop(self, deals: Iterable[Deal], now: datetime) -> None:
        """Press stop: what lives ends, and nothing but a person takes it up again."""
        for deal in deals:
            deal.stopped = True
            if deal.live:
                self.finish(deal, "revoked", "owner", now)

    def award(self, deal: Deal, energy_wh: int, sha256: str, now: datetime) -> Expected:
        """Award a consent."""
        if deal.state == "lapsed":
            return 410, "offer_expired"
        if deal.state != "pending_award":
            return (409, "conflict") if deal.live else CLOSED
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
        held_since = deal.car.held_since
        if held_since is not None and deal.decided_at <= held_since:
            return 409, "no_lease"
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
