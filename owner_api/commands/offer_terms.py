"""The terms of an offer, checked against the clock, the configuration and each other."""

from datetime import timedelta

from owner_api.calls import Call
from owner_api.core.model import Terms
from owner_api.problems import FieldError, Problem, ProblemCode

from .edge import Json, build
from .reward_parts import check_currencies, check_parts


def checked_terms(call: Call, body: Json) -> Terms:
    """Return the terms; raise a problem that names the field and its limit."""
    config = call.config
    lease_max = config.lease_backup_max_s if body["purpose"] == "backup" else config.lease_max_s
    unsaid = {
        "lease_s": min(config.lease_s, lease_max),
        "dispute_window_s": config.dispute_window_s,
    }
    terms = build(Terms, unsaid | body["terms"])
    window = terms.end_at - terms.start_at
    longest = timedelta(seconds=config.offer_window_max_s)
    horizon = timedelta(seconds=config.offer_horizon_s)
    energies = terms.min_energy_wh <= terms.requested_energy_wh <= terms.max_energy_wh
    check_currencies(terms.reward)
    check_parts(terms.reward)
    recharge = terms.recharge
    checks = (
        (terms.end_at > call.now, ProblemCode.WINDOW_IN_PAST, "/terms/end_at", "after now"),
        (window > timedelta(0), ProblemCode.WINDOW_INVALID, "/terms/end_at", "after start_at"),
        (
            window <= longest,
            ProblemCode.WINDOW_INVALID,
            "/terms/end_at",
            f"at most {config.offer_window_max_s} s after start_at",
        ),
        (
            terms.end_at <= call.now + horizon,
            ProblemCode.WINDOW_INVALID,
            "/terms/end_at",
            f"at most {config.offer_horizon_s} s from now",
        ),
        (
            energies,
            ProblemCode.INVALID_BODY,
            "/terms/requested_energy_wh",
            "min_energy_wh ≤ requested_energy_wh ≤ max_energy_wh",
        ),
        (
            terms.lease_s <= lease_max,
            ProblemCode.INVALID_BODY,
            "/terms/lease_s",
            f"at most {lease_max}",
        ),
        # Who has no time to object has no say.
        (
            terms.dispute_window_s >= config.dispute_window_min_s,
            ProblemCode.INVALID_BODY,
            "/terms/dispute_window_s",
            f"at least {config.dispute_window_min_s}",
        ),
        (
            call.now < body["respond_by"] <= terms.end_at,
            ProblemCode.RESPOND_BY_INVALID,
            "/respond_by",
            "after now and not after end_at",
        ),
        (
            recharge is None or recharge.start_at < recharge.by,
            ProblemCode.WINDOW_INVALID,
            "/terms/recharge/by",
            "after recharge.start_at",
        ),
    )
    for holds, code, pointer, limit in checks:
        if not holds:
            error = FieldError(pointer=pointer, code="range", limit=limit)
            raise Problem(code, f"{pointer[1:].replace('/', '.')}: {limit}", errors=(error,))
    return terms
