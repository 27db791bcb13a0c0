"""Watch a running discharge: doubt means stop. Promises 2 and 3 at every tick and reading."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from owner_api.config import Config
from owner_api.core.machine import CommitmentState
from owner_api.core.soc import SocEstimate, carry, headroom_wh, too_old
from owner_api.store.tx import Tx

from . import deals
from .limits import PACK_TEMPERATURE_C
from .records import CommitmentRecord, SessionRecord, VehicleRecord

# Endings that nobody chose: the link, the device or the plug gave way.
_FAILURES: Final = frozenset({"blind", "lease", "unplugged"})
_METER_ERROR_W: Final = 500
_WRONG_VEHICLE_PCT: Final = Decimal(5)
_WRONG_VEHICLE_SHARE: Final = Decimal("0.2")


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """What a running deal may still do.

    With ``stop`` it must end as ``state``. Without, ``energy_wh`` (AC Wh) may yet leave before
    ``sure_until``, and it will then end as ``state`` for ``next_stop``.
    """

    stop: str | None
    state: CommitmentState
    energy_wh: int = 0
    next_stop: str = ""
    sure_until: datetime | None = None


def watch(
    vehicle: VehicleRecord,
    session: SessionRecord,
    deal: CommitmentRecord,
    now: datetime,
    config: Config,
    *,
    clock: datetime | None = None,
) -> Watch:
    """Return whether the discharge may go on, assuming the worst since the last reading.

    Where ``now`` is a moment that has passed, ``clock`` is the present.
    """
    exported = worst_export_wh(session, deal, now)
    estimate = estimated_soc(vehicle, session, deal, exported)
    given = exported - (deal.begin_register_wh or 0)
    left = deal.energy_limit_wh - given
    reason = _blind(vehicle, session, estimate, now, config, clock)
    reason = reason or _unfit(vehicle, session, deal)
    margin, carry_max = vehicle.preferences.soc_margin_pct, Decimal(repr(config.soc_carry_max_pct))
    if reason or estimate is None or vehicle.live.soc_measured_at is None:
        ended = CommitmentState.FAILED if reason in _FAILURES else CommitmentState.CURTAILED
        return Watch(stop=reason or "soc_stale", state=ended)
    full = deal.energy_limit_wh >= deal.committed_energy_wh
    bounds = (
        (left, "delivered" if full else "departure_minimum"),
        (_room_wh(vehicle, estimate.soc_pct - margin, floor_pct(vehicle, deal)), "floor"),
        (_room_wh(vehicle, carry_max, estimate.carried_pct), "soc_stale"),
    )
    energy, binding = min(bounds, key=lambda bound: bound[0])
    done = binding == "delivered"
    state = CommitmentState.COMPLETED if done else CommitmentState.CURTAILED
    # What two seconds and one step of the meter would use is gone: a lease has whole seconds.
    spent = energy <= 0 or 0 <= (energy - 1) * 3600 < -2 * deal.setpoint_w
    return Watch(
        stop=binding if spent else None,
        state=state,
        energy_wh=0 if spent else energy,
        next_stop=binding,
        sure_until=vehicle.live.soc_measured_at + _oldest(vehicle, config),
    )


def _room_wh(vehicle: VehicleRecord, soc_pct: Decimal, bound_pct: Decimal) -> int:
    """Return the AC energy (Wh) between two states of charge."""
    return headroom_wh(
        soc_pct=soc_pct,
        floor_pct=bound_pct,
        capacity_wh=vehicle.body.usable_capacity_wh,
        discharge_efficiency=vehicle.body.discharge_efficiency,
    )


def _oldest(vehicle: VehicleRecord, config: Config) -> timedelta:
    """Return how old a reading may be while discharging: the stricter of the two who say so."""
    asked = vehicle.preferences.soc_max_age_discharge_s
    return timedelta(seconds=min(asked, config.soc_max_age_discharge_s))


def floor_pct(vehicle: VehicleRecord, deal: CommitmentRecord) -> Decimal:
    """Return the floor that holds: the stricter of the one at consent and the one now."""
    return max(deal.soc_floor_pct, vehicle.preferences.soc_floor_pct)


def worst_export_wh(session: SessionRecord, deal: CommitmentRecord, now: datetime) -> int:
    """Return the export register (Wh) if the charger did the most it was allowed until now.

    Or more, where it was seen to.
    """
    seen = session.live.export_register_wh or deal.last_register_wh or 0
    told, since = seen + deal.powered_wh, session.live.seen_at or deal.instructed_at
    if not deal.worst_setpoint_w or since is None or deal.lease_until is None:
        return told
    until, power_w = min(now, deal.lease_until), deal.worst_setpoint_w
    if session.live.bare_power is not None:
        power_w = min(power_w, session.live.bare_power[0])
    seconds = max(0.0, (until - since).total_seconds())
    return max(told, seen + int(-power_w * seconds / 3600) + 1)


def estimated_soc(
    vehicle: VehicleRecord, session: SessionRecord, deal: CommitmentRecord, exported_wh: int
) -> SocEstimate | None:
    """Return the last reading carried down by the meter, rounded down; None without a reading."""
    live = vehicle.live
    if live.soc_pct is None:
        return None
    anchor = live.anchor_export_wh
    if anchor is None:
        anchor = (
            session.live.export_register_wh
            if deal.begin_register_wh is None
            else (deal.begin_register_wh)
        )
    return carry(
        soc_pct=live.soc_pct,
        capacity_wh=vehicle.body.usable_capacity_wh,
        exported_wh=live.carried_wh + max(0, exported_wh - (anchor or 0)),
        discharge_efficiency=vehicle.body.discharge_efficiency,
    )


def _blind(
    vehicle: VehicleRecord,
    session: SessionRecord,
    estimate: SocEstimate | None,
    now: datetime,
    config: Config,
    clock: datetime | None,
) -> str | None:
    """Return why the state of charge cannot be trusted, None when it can."""
    read_at = vehicle.live.soc_measured_at
    if estimate is None or read_at is None or now - read_at >= _oldest(vehicle, config):
        return "soc_stale"
    if estimate.carried_pct > Decimal(repr(config.soc_carry_max_pct)):
        return "soc_stale"
    seen = max(read_at, session.live.seen_at or read_at)
    blind_after = timedelta(seconds=config.blind_after_s)
    return "blind" if too_old(seen, now, blind_after, clock) else None


def _unfit(vehicle: VehicleRecord, session: SessionRecord, deal: CommitmentRecord) -> str | None:
    """Return a stop for a pack out of its temperature, another car, or more than was agreed to."""
    low, high = PACK_TEMPERATURE_C
    told = (vehicle.live.pack_temperature_c, session.live.pack_temperature_c)
    if any(pack is not None and not low <= pack <= high for pack in told):
        return "temperature"
    if vehicle.live.plugged_in is False:
        return "unplugged"
    if (session.live.newest_power_w or 0) < -_most_w(deal):
        return "site"
    return "wrong_vehicle" if _wrong_vehicle(vehicle, deal) else None


def _most_w(deal: CommitmentRecord) -> int:
    """Return the power (W) beyond which no meter's error explains what a charger draws.

    Promise 3: the consent names the power, and covers no more.
    """
    return deal.terms.max_discharge_w * 6 // 5 + _METER_ERROR_W


def _wrong_vehicle(vehicle: VehicleRecord, deal: CommitmentRecord) -> bool:
    """Return whether meter and car disagree by more than 5 points or 20 %, the larger."""
    live = vehicle.live
    start, begin = deal.soc_at_start_pct, deal.begin_register_wh
    if (
        start is None
        or begin is None
        or live.soc_pct is None
        or live.anchor_export_wh is None
        or live.soc_measured_at is None
        or deal.started_at is None
        or live.soc_measured_at <= deal.started_at
    ):
        return False
    metered = Decimal(max(0, live.anchor_export_wh - begin))
    capacity = vehicle.body.usable_capacity_wh
    expected = metered / vehicle.body.discharge_efficiency / capacity * 100
    tolerance = max(_WRONG_VEHICLE_PCT, expected * _WRONG_VEHICLE_SHARE)
    return abs((start - live.soc_pct) - expected) > tolerance


def lease_over(deal: CommitmentRecord, now: datetime) -> bool:
    """Return whether a running deal's lease has ended before its window did."""
    until = deal.lease_until
    running = deal.state is CommitmentState.ACTIVE
    return running and until is not None and now >= until < deal.end_at


def end_lease(tx: Tx, deal: CommitmentRecord, now: datetime, config: Config) -> None:
    """End a deal whose lease ran out: all was given, or the park has gone silent."""
    assert deal.lease_until is not None
    # Judged as of the lease's end, so that a late tick tells the same story as a punctual one.
    if not enforce(tx, deal, deal.lease_until, config, clock=now):
        deals.finish(tx, deal, CommitmentState.FAILED, "lease", now)


def enforce(
    tx: Tx,
    deal: CommitmentRecord,
    now: datetime,
    config: Config,
    *,
    clock: datetime | None = None,
) -> bool:
    """Stop the deal if it may not go on; return whether it was stopped (``clock``: see watch)."""
    if deal.state is not CommitmentState.ACTIVE:
        return False
    vehicle = VehicleRecord.find(tx, deal.vehicle_id)
    session = SessionRecord.find(tx, deal.session_id)
    found = watch(vehicle, session, deal, now, config, clock=clock)
    if found.stop is None:
        return False
    return deals.finish(tx, deal, found.state, found.stop, now)
