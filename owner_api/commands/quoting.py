"""Turn what is known of a car and an offer into the one question the planner answers."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from math import ceil
from typing import Final

from owner_api.core.model import NextDeparture, Recharge, Terms
from owner_api.core.owed import OwedRecharges
from owner_api.core.soc import carry
from owner_api.planning.request import (
    ChargingPromise,
    Offer,
    Preferences,
    QuoteRequest,
    TaperStep,
    TariffEntry,
    Vehicle,
)
from owner_api.planning.request_fields import ratio, rounded_down, rounded_up
from owner_api.planning.span import Span, promise_delay_s
from owner_api.store.tx import Tx

from . import measured
from .charger_bounds import bounds
from .limits import budget_left_wh, unsettled_wh, warranty_left_wh
from .records import CommitmentRecord, SessionRecord, VehicleRecord
from .reserved import LiveDeal, before_leaving
from .reward_parts import counted, planned
from .wear_cost import wear_per_kwh

_ISO_LETTERS: Final = 3
_HOUR_S: Final = 3_600


def current_soc(vehicle: VehicleRecord, session: SessionRecord | None) -> Decimal | None:
    """Return the state of charge now: the last reading, carried down by the charger's meter."""
    live = vehicle.live
    if live.soc_pct is None:
        return None
    exported, anchor = live.carried_wh, live.anchor_export_wh
    # The anchor is the bound session's; an older one was read at another meter.
    register = session.live.export_register_wh if session and session.state == "bound" else None
    if register is not None and anchor is not None:
        exported += max(0, register - anchor)
        exported += session.live.unseen_after(live.soc_measured_at) if session else 0
    if not exported:
        return live.soc_pct
    return carry(
        soc_pct=live.soc_pct,
        capacity_wh=vehicle.body.usable_capacity_wh,
        exported_wh=exported,
        discharge_efficiency=vehicle.body.discharge_efficiency,
    ).soc_pct


def offered(vehicle: VehicleRecord, terms: Terms, now: datetime) -> Offer:
    """Return what the planner is asked about when a park offers ``terms``."""
    return Offer(
        start_at=max(terms.start_at, now),
        end_at=terms.end_at,
        requested_energy_wh=terms.requested_energy_wh,
        min_energy_wh=min(terms.min_energy_wh, terms.requested_energy_wh),
        max_discharge_w=terms.max_discharge_w,
        currency=planned_currency(vehicle),
        **planned(counted(vehicle.preferences, vehicle.currency, terms.reward)),
    )


def quote_request(
    tx: Tx,
    vehicle: VehicleRecord,
    session: SessionRecord | None,
    offer: Offer,
    departure: NextDeparture,
    *,
    prices: tuple[TariffEntry, ...],
    deals: Iterable[LiveDeal],
    soc: Decimal,
    recharge: Recharge | None = None,
    leave_out: CommitmentRecord | None = None,
    now: datetime,
) -> QuoteRequest:
    """Return the question about ``offer`` for the planner; any plan must keep the other ``deals``.

    Of a deal that is judged again, ``leave_out``, it must keep those before it: they are judged in
    turn, or the first would fall for the last one and that for the first one's delivery.
    ``recharge`` is what the offer itself promises. Numbers go through the readers of the written
    form: a deal's question is kept as it was asked, and must read back as the same one, digit for
    digit.
    """
    body, preferences = vehicle.body, vehicle.preferences
    others = [deal for deal in deals if leave_out is None or deal.turn < leave_out.turn]
    charger = bounds(tx, vehicle, session)
    given_wh = _given_wh(tx, session, vehicle.live.soc_measured_at, charger.max_charge_w)
    max_discharge_w = charger.max_discharge_w
    if offer.max_discharge_w > max_discharge_w:
        max_discharge_w = charger.discharge_w(offer.max_discharge_w)
    request = QuoteRequest(
        now=now,
        departure_at=departure.departure_at.astimezone(UTC),
        departure_buffer_s=preferences.departure_buffer_s,
        vehicle=Vehicle(
            usable_capacity_wh=body.usable_capacity_wh,
            soc_pct=_read(rounded_down, max(Decimal(0), soc - preferences.soc_margin_pct)),
            max_charge_w=charger.max_charge_w,
            max_discharge_w=max_discharge_w,
            charge_efficiency=_read(ratio, body.charge_efficiency),
            discharge_efficiency=_read(ratio, body.discharge_efficiency),
            warranty_discharge_policy=body.warranty_discharge_policy.value,
            # A sale counts once it has left: two that are agreed must not share what is allowed.
            warranty_left_wh=warranty_left_wh(
                vehicle,
                sum(deal.fixed.energy_wh for deal in others) + unsettled_wh(tx, vehicle),
            ),
        ),
        preferences=Preferences(
            soc_floor_pct=_read(rounded_up, preferences.soc_floor_pct),
            soc_ceiling_pct=_read(rounded_down, preferences.soc_ceiling_pct),
            soc_min_departure_pct=_read(rounded_up, departure.soc_min_departure_pct),
            degradation_cost_per_kwh=wear_per_kwh(vehicle),
            min_price_per_kwh=preferences.min_price_per_kwh,
        ),
        tariff=prices,
        later_refill_price_per_kwh=preferences.later_refill_price_per_kwh,
        charging=None if charger.driven else (),
        taper=tuple(
            TaperStep(
                from_soc_pct=_read(rounded_down, step.from_soc_pct), max_charge_w=step.max_charge_w
            )
            for step in body.taper
        ),
        budget_left_wh=budget_left_wh(tx, vehicle, offer.start_at, leave_out),
        currency=planned_currency(vehicle),
        offer=offer,
    )
    # At a charger of the owner's that is known here this agent promises the charging.
    if recharge is not None or (session is not None and session.recharge is not None):
        owed = OwedRecharges() if session is None else session.owed.given(given_wh)
        if recharge is not None and recharge.guaranteed:
            owed = owed.besides(recharge, for_deal=True)
        request = replace(request, charging=_promised(owed, request))
    if not others:
        return request
    kept = before_leaving(others, Span.of(request).horizon)
    return replace(request, commitments=tuple(kept))


# Most numbers stay what they are from question to question.
@lru_cache(maxsize=2_048)
def _read(reader: Callable[[object], Decimal], value: Decimal) -> Decimal:
    return reader(float(value))


def planned_currency(vehicle: VehicleRecord) -> str:
    """Return the owner's currency; a unit of one's own counts as ISO 4217's XXX, no currency."""
    return vehicle.currency if len(vehicle.currency) == _ISO_LETTERS else "XXX"


def _given_wh(
    tx: Tx, session: SessionRecord | None, read_at: datetime | None, max_charge_w: int
) -> int:
    """Return what of all that is owed may have been in the battery when its charge was read (Wh).

    What came in since is in no reading yet, and still counts as promised. In a session that goes on
    with an earlier one's promise, all that came in until its own first reading was in the battery.
    """
    begin = None if session is None else session.recharge_begin_wh
    if session is None or session.owed.due_at is None or begin is None or read_at is None:
        return 0
    read = measured.imported_by(tx, session, read_at)
    if read is None:
        register, leapt_at = session.live.first_import_register_wh, session.live.counts_from
        if leapt_at is not None and read_at < leapt_at:
            # Of what came in until its registers leapt nobody can say that it did so afterwards.
            after = measured.imported_after(tx, session, leapt_at)
            register = None if after is None else after.wh
        return session.owed.left_wh if register is None else max(0, register - begin)
    # Promise 2: what the meter, which may be read seldom, has not shown by then is in the battery
    # all the same. It is no more than the car takes, nor than the meter shows afterwards.
    since = max(read.at, min(each.promise.start_at for each in session.owed.recharges))
    unseen_s = max(0.0, (read_at - since).total_seconds())
    most_wh = read.wh + ceil(max_charge_w * unseen_s / _HOUR_S)
    after = measured.imported_after(tx, session, read_at)
    return max(0, (most_wh if after is None else min(most_wh, after.wh)) - begin)


def _promised(owed: OwedRecharges, request: QuoteRequest) -> tuple[ChargingPromise, ...]:
    """Return when what is owed is charged at the latest.

    Promise 2: a battery that takes less as it fills needs an earlier end for the same.
    """

    def slower_by(max_w: int) -> timedelta:
        return timedelta(seconds=promise_delay_s(request, max_w))

    return tuple(
        ChargingPromise(
            start_at=latest.start_at,
            # The planner takes off again what the filling battery takes longer.
            end_at=latest.by + slower_by(latest.max_w),
            max_w=latest.max_w,
            price_per_kwh=latest.price_per_kwh,
        )
        for latest in owed.at_the_latest(request.vehicle.max_charge_w, slower_by)
    )
