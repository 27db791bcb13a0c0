"""What a noisy run adds up to, and whether it keeps what owners are promised."""

from dataclasses import dataclass, field
from typing import Any, Final

from .noisy import Leave, Trade

NET_SHARE: Final = 0.95
ACCEPTED_SHARE: Final = 0.60
# Of the sessions that sold: how many may leave short before a forecast leave time.
SHORT_SHARE: Final = {Leave.Q05: 0.01, Leave.Q10: 0.03}


@dataclass(frozen=True, slots=True)
class Line:
    """One demand: what came out, the limit, and whether it holds."""

    what: str
    value: float
    limit: str
    holds: bool


@dataclass(slots=True, kw_only=True)
class Verdict:
    """Counts from the cars' true state; energies in Wh, money in minor units.

    ``net_true_minor`` is the true net of what was delivered, ``net_settled_minor`` what the
    receipts say, ``net_quoted_minor`` the net of the accepted offers quoted on the true state,
    ``net_possible_minor`` that of all profitable offers.
    """

    leave: Leave
    seed: int
    noise: str
    sessions: int
    offers: int = 0
    profitable: int = 0
    accepted: int = 0
    accepted_profitable: int = 0
    delivered: int = 0
    delivered_wh: int = 0
    net_true_minor: int = 0
    net_settled_minor: int = 0
    net_quoted_minor: int = 0
    net_possible_minor: int = 0
    discharging_sessions: int = 0
    left_before_forecast: int = 0
    short_sessions: int = 0
    short_wh: int = 0
    not_kept: dict[str, int] = field(default_factory=dict)
    violations: dict[int, int] = field(default_factory=dict)
    details: list[str] = field(default_factory=list)

    def count(self, trade: Trade) -> None:
        """Add one offer and what became of it."""
        deal, net = trade.deal, max(0, trade.truth.net_minor)
        self.offers += 1
        self.profitable += trade.truth.profitable
        self.net_possible_minor += net
        if deal.commitment_id is None:
            if trade.truth.profitable:
                why = deal.reason or deal.state
                self.not_kept[why] = self.not_kept.get(why, 0) + 1
            return
        self.accepted += 1
        self.accepted_profitable += trade.truth.profitable
        self.net_quoted_minor += net
        settlement = trade.guest.owned.outcomes[deal.offer_id]["settlement"]
        if settlement is not None:
            self.net_settled_minor += settlement["breakdown"]["net_minor"]
        self.delivered += deal.delivered_wh > 0
        self.delivered_wh += deal.delivered_wh
        self.net_true_minor += trade.truth.net_of(deal.delivered_wh)

    def look_at_cars(self, trades: list[Trade]) -> None:
        """Read the counters inside the cars."""
        cars = {id(trade.guest): trade.guest.owned.car for trade in trades}.values()
        for car in cars:
            guard = car.guard
            self.discharging_sessions += guard.stays_sold
            self.left_before_forecast += guard.left_early
            self.short_sessions += len(guard.shortfalls)
            capacity_wh = car.spec.usable_capacity_wh
            self.short_wh += round(
                sum(each.missing_pct * capacity_wh / 100 for each in guard.shortfalls)
            )
            self.details += [
                f"short {car.name} {each.at.isoformat()} {each.missing_pct:.2f} points below"
                for each in guard.shortfalls
            ]

    def lines(self) -> list[Line]:
        """Return what must hold in this kind of run.

        What an offer leaves is promised for papers that are off either way, not for cars that are
        all worse than theirs: then only the promises themselves are judged.
        """
        found = [
            Line(f"violations of promise {number}", self.violations[number], "0", not count)
            for number, count in sorted(self.violations.items())
        ]
        if self.leave is Leave.TOLD and self.noise == "drawn":
            for name, net in (("true", self.net_true_minor), ("settled", self.net_settled_minor)):
                share = _share(net, self.net_quoted_minor)
                what = f"{name} net over that of the same offers quoted on the true state"
                found.append(Line(what, share, f">= {NET_SHARE:.0%}", share >= NET_SHARE))
            share = _share(self.accepted_profitable, self.profitable)
            limit = f">= {ACCEPTED_SHARE:.0%}"
            found.append(Line("profitable offers accepted", share, limit, share >= ACCEPTED_SHARE))
        elif self.leave is not Leave.TOLD:
            most = SHORT_SHARE[self.leave]
            share = _share(self.short_sessions, self.discharging_sessions)
            what = "discharging sessions that left short before the forecast"
            found.append(Line(what, share, f"<= {most:.0%}", share <= most))
        # Nothing sold proves nothing.
        found.append(
            Line(
                "discharging sessions",
                self.discharging_sessions,
                "> 0",
                bool(self.discharging_sessions),
            )
        )
        return found

    @property
    def holds(self) -> bool:
        """Tell whether every line holds."""
        return all(line.holds for line in self.lines())

    def document(self) -> dict[str, Any]:
        """Return the JSON of ``owner-api simulate --noise --json``."""
        return {
            "seed": self.seed,
            "leave": self.leave.value,
            "noise": self.noise,
            "sessions": self.sessions,
            "offers": self.offers,
            "profitable": self.profitable,
            "accepted": self.accepted,
            "accepted_profitable": self.accepted_profitable,
            "delivered": self.delivered,
            "delivered_wh": self.delivered_wh,
            "net_true_minor": self.net_true_minor,
            "net_settled_minor": self.net_settled_minor,
            "net_quoted_minor": self.net_quoted_minor,
            "net_possible_minor": self.net_possible_minor,
            "discharging_sessions": self.discharging_sessions,
            "left_before_forecast": self.left_before_forecast,
            "short_sessions": self.short_sessions,
            "short_wh": self.short_wh,
            "profitable_not_accepted": self.not_kept,
            "violations": {str(number): count for number, count in self.violations.items()},
            "lines": [
                {"what": each.what, "value": each.value, "limit": each.limit, "holds": each.holds}
                for each in self.lines()
            ],
            "holds": self.holds,
        }

    def text(self) -> str:
        """Return the same for people."""
        known = "told" if self.leave is Leave.TOLD else f"forecast at {self.leave}"
        shown = [
            f"Noisy cars ({self.noise}), leave times {known}, seed {self.seed}.",
            (
                f"{self.sessions} sessions, {self.offers} offers, {self.profitable} of them "
                f"profitable by the true state, {self.accepted} accepted "
                f"({self.accepted_profitable} of the profitable), {self.delivered} delivered, "
                f"{self.delivered_wh / 1000:.1f} kWh."
            ),
            (
                f"Owners' net: {_cny(self.net_true_minor)} by the true state, "
                f"{_cny(self.net_settled_minor)} by the receipts; the same offers quoted on the "
                f"true state {_cny(self.net_quoted_minor)}, all profitable offers "
                f"{_cny(self.net_possible_minor)}."
            ),
            "Profitable and not accepted: "
            + (", ".join(f"{n} {why}" for why, n in sorted(self.not_kept.items())) or "none")
            + ".",
            (
                f"{self.discharging_sessions} sessions sold; {self.left_before_forecast} left "
                f"before the forecast leave time, {self.short_sessions} of them short by "
                f"{self.short_wh / 1000:.2f} kWh in all."
            ),
        ]
        for line in self.lines():
            value = f"{line.value:.2%}" if "%" in line.limit else f"{line.value:g}"
            verdict = "ok" if line.holds else "FAILED"
            shown.append(f"  {verdict:6}  {line.what}: {value} ({line.limit})")
        return "\n".join(shown + [f"  {detail}" for detail in self.details[:20]])


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def _cny(minor: int) -> str:
    return f"{minor / 100:.2f} CNY"
