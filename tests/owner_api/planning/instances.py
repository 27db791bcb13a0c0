"""Random quote requests, as JSON objects: ordinary, tight, odd and impossible ones."""

from datetime import UTC, datetime, timedelta
import random
from typing import Any

START = datetime(2026, 12, 1, tzinfo=UTC)


def text(moment: datetime) -> str:
    """Write a time as RFC 3339."""
    return moment.isoformat().replace("+00:00", "Z")


def moment(value: str) -> datetime:
    """Read a time."""
    return datetime.fromisoformat(value)


def random_request(seed: int) -> dict[str, Any]:
    """Return one request; equal seeds give equal requests."""
    draw = random.Random(seed)  # noqa: S311 - seeded on purpose, never a secret
    now = START + timedelta(seconds=draw.randrange(0, 86_400, draw.choice([1, 60, 900])))
    longest_s = draw.choice([3, 9, 14, 30]) * 3_600
    stay_s = draw.randrange(longest_s // 5, longest_s, draw.choice([1, 60, 900]))
    capacity = draw.choice([24_000, 45_000, 60_000, 75_500, draw.randrange(10_000, 120_000)])
    floor = draw.choice([10, 20, 25.5, round(draw.uniform(0, 50), 2)])
    ceiling = min(100, floor + draw.choice([50, 70, round(draw.uniform(5, 90), 3)]))
    soc = draw.choice(
        [60, 80, draw.uniform(floor, ceiling), round(draw.uniform(5, 100), 1), max(0, floor - 3)]
    )
    efficiency = draw.choice([0.933, 0.95, 1, round(draw.uniform(0.8, 1), 4)])
    charge_w = draw.choice([3_700, 7_000, 11_000, draw.randrange(0, 22_000)])
    request: dict[str, Any] = {
        "schema": "v2g.quote-request/1",
        "now": text(now),
        "departure_at": text(now + timedelta(seconds=stay_s)),
        "departure_buffer_s": draw.choice([0, 0, 900, 1_234]),
        "vehicle": {
            "usable_capacity_wh": capacity,
            "soc_pct": soc,
            "max_charge_w": charge_w,
            "max_discharge_w": draw.choice([7_000, 11_000, draw.randrange(500, 22_000)]),
            "charge_efficiency": efficiency,
            "discharge_efficiency": draw.choice([efficiency, 0.97, 0.8712]),
        },
        "preferences": {
            "soc_floor_pct": floor,
            "soc_ceiling_pct": ceiling,
            "soc_min_departure_pct": draw.choice(
                [
                    40,
                    50,
                    floor,
                    min(soc, ceiling),
                    draw.uniform(floor, ceiling),
                    round(draw.uniform(0, 100), 1),
                ]
            ),
            "degradation_cost_per_kwh": draw.choice(["0.0600", "0.13", "0"]),
            "min_price_per_kwh": draw.choice(["0", "0", "0.5000"]),
        },
        "tariff": _tariff(draw, now, stay_s),
        "offer": _offer(draw, now, stay_s),
    }
    if draw.random() < 0.6:
        request["later_refill_price_per_kwh"] = f"{draw.uniform(-0.05, 0.8):.4f}"
    if draw.random() < 0.3:
        request["charging"] = _charging(draw, now, stay_s)
    if draw.random() < 0.3:
        request["commitments"] = _commitments(draw, now, stay_s)
    if draw.random() < 0.15:
        request["budget_left_wh"] = draw.randrange(0, 20_000)
    return request


def _tariff(draw: random.Random, now: datetime, stay_s: int) -> list[dict[str, str]]:
    at = now - timedelta(seconds=draw.randrange(0, 7_200))
    step = draw.choice([900, 3_600, 7_200, stay_s])
    levels = draw.choice([["0.3200", "0.6600", "1.0500"], None])
    low = draw.choice([-0.2, 0.1])
    entries: list[dict[str, str]] = []
    while not entries or at < now + timedelta(seconds=stay_s + draw.choice([0, 7_200])):
        price = draw.choice(levels) if levels else f"{draw.uniform(low, 1.2):.4f}"
        entries.append({"start_at": text(at), "price_per_kwh": price})
        at += timedelta(seconds=max(900, draw.choice([step, draw.randrange(900, 2 * step + 901)])))
    return entries


def _offer(draw: random.Random, now: datetime, stay_s: int) -> dict[str, Any]:
    begins = (
        draw.randrange(0, stay_s) if draw.random() < 0.9 else draw.randrange(-3_600, 2 * stay_s)
    )
    lasts = draw.choice([1_800, 3_600, 7_200, draw.randrange(1, stay_s)])
    requested = draw.choice([2_000, 5_000, 8_000, draw.randrange(1, 30_000)])
    offer: dict[str, Any] = {
        "start_at": text(now + timedelta(seconds=begins)),
        "end_at": text(now + timedelta(seconds=begins + lasts)),
        "requested_energy_wh": requested,
        "min_energy_wh": draw.choice([0, 0, 0, requested, draw.randrange(0, requested + 1)]),
        "max_discharge_w": draw.choice([5_000, 7_000, draw.randrange(500, 15_000)]),
        "price_per_kwh": draw.choice(["1.2000", f"{draw.uniform(0, 1.5):.4f}"]),
        "currency": "CNY",
    }
    if draw.random() < 0.15:
        offer["fixed_minor"] = draw.randrange(0, 500)
    if draw.random() < 0.15:
        offer["cap_minor"] = draw.randrange(0, 1_500)
    return offer


def _charging(draw: random.Random, now: datetime, stay_s: int) -> list[dict[str, Any]]:
    entries = []
    at = draw.randrange(-3_600, stay_s)
    for _ in range(draw.randrange(0, 4)):
        lasts = draw.randrange(600, 14_400)
        entry: dict[str, Any] = {
            "start_at": text(now + timedelta(seconds=at)),
            "end_at": text(now + timedelta(seconds=at + lasts)),
            "max_w": draw.choice([3_700, 7_000, draw.randrange(0, 15_000)]),
        }
        if draw.random() < 0.5:
            entry["price_per_kwh"] = f"{draw.uniform(0, 0.6):.3f}"
        entries.append(entry)
        at += lasts + draw.randrange(0, 7_200)
    return entries


def _commitments(draw: random.Random, now: datetime, stay_s: int) -> list[dict[str, Any]]:
    entries = []
    for _ in range(draw.choice([1, 1, 2])):
        begins = draw.randrange(-1_800, stay_s + 600)
        lasts = draw.randrange(900, 7_200)
        power = draw.choice([5_000, 7_000])
        entries.append(
            {
                "start_at": text(now + timedelta(seconds=begins)),
                "end_at": text(now + timedelta(seconds=begins + lasts)),
                "energy_wh": int(power * lasts / 3_600 * draw.uniform(0.1, 1)),
                "max_discharge_w": power,
            }
        )
    return entries
