"""The cars, tariffs and offers the planner is timed on: seeded, ordinary, and feasible."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
import random

from owner_api.planning.quote import Offer, Preferences, QuoteRequest, TariffEntry, Vehicle

NOW = datetime(2026, 12, 1, 17, tzinfo=UTC)
HORIZONS = {96: timedelta(minutes=15), 576: timedelta(minutes=5)}  # a day, and two


def request_with(steps: int, seed: int) -> QuoteRequest:
    """Return one car's stay of `steps` tariff steps; equal arguments give equal requests.

    The tariff has a price of its own in every step (0.10-1.20 per kWh, four decimals), so that
    no two steps can be joined. The car arrives with 35-60 %, must leave with 60-85 %; the offer
    is a two-hour window in the first half of the stay, for 4-14 kWh at 0.20-1.50: what is accepted,
    what calls for a counter-offer and what is declined.
    """
    draw = random.Random(seed * 1_000 + steps)  # noqa: S311 - seeded on purpose, never a secret
    step = HORIZONS[steps]
    start = draw.randrange(4, steps // 2)
    begin = NOW + step * start
    return QuoteRequest(
        now=NOW,
        departure_at=NOW + step * steps,
        departure_buffer_s=0,
        vehicle=Vehicle(
            usable_capacity_wh=draw.choice([45_000, 60_000, 75_000]),
            soc_pct=Decimal(draw.randrange(350, 601)) / 10,
            max_charge_w=draw.choice([7_000, 7_400, 11_000]),
            max_discharge_w=draw.choice([7_000, 11_000]),
            charge_efficiency=Decimal("0.933"),
            discharge_efficiency=Decimal("0.933"),
        ),
        preferences=Preferences(
            soc_floor_pct=Decimal(20),
            soc_ceiling_pct=Decimal(90),
            soc_min_departure_pct=Decimal(draw.randrange(60, 86)),
            degradation_cost_per_kwh=Decimal("0.0600"),
            min_price_per_kwh=Decimal(0),
        ),
        tariff=tuple(
            TariffEntry(
                start_at=NOW + step * index,
                price_per_kwh=Decimal(draw.randrange(1_000, 12_001)).scaleb(-4),
            )
            for index in range(steps)
        ),
        later_refill_price_per_kwh=Decimal(draw.randrange(2_000, 5_001)).scaleb(-4),
        offer=Offer(
            start_at=begin,
            end_at=begin + timedelta(hours=2),
            requested_energy_wh=draw.randrange(4_000, 14_001),
            min_energy_wh=0,
            max_discharge_w=7_000,
            price_per_kwh=Decimal(draw.randrange(2_000, 15_001)).scaleb(-4),
            currency="CNY",
        ),
    )
