"""Promise 9: gross, refill, losses, wear and net recomputed from `cost_lines` with decimals only.

`recompute` and `balances` use nothing but `decimal`: they are what an owner could write.
"""

from collections.abc import Iterator
from copy import deepcopy
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
import json
import subprocess
import sys
from typing import Any

import pytest

from .instances import random_request

OFFERS = 200
UNIT = {"price": Decimal("0.0001"), "energy": Decimal(1), "ratio": Decimal("0.0001")}


def recompute(lines: dict[str, Any]) -> tuple[dict[str, int], dict[str, str]]:
    """Return the rounded lines with their net, and the lines before rounding, in minor units."""
    with localcontext(prec=60):
        minor_per_wh = Decimal(10) ** lines["minor_digits"] / 1000
        sold = Decimal(lines["energy_wh"])
        gross = Decimal(lines["price_per_kwh"]) * sold * minor_per_wh
        fixed = Decimal(lines["fixed_minor"] or 0)
        if lines["requested_energy_wh"] is not None:
            fixed = fixed * sold / lines["requested_energy_wh"]
        # Two lines of a settlement: the price and the fixed reward.
        whole = sum(int(line.quantize(0, ROUND_HALF_EVEN)) for line in (gross, fixed))
        gross += fixed
        uncapped = gross
        if lines["cap_minor"] is not None:
            gross = min(gross, Decimal(lines["cap_minor"]))
            whole = min(whole, lines["cap_minor"])
        bought = sum(
            Decimal(line["price_per_kwh"])
            * (Decimal(line["with_offer_wh"]) - Decimal(line["without_offer_wh"]))
            for line in lines["charge"]
        )
        stored = lines["stored_at_departure"]
        used = Decimal(stored["with_offer_wh"]) - Decimal(stored["without_offer_wh"])
        charge, discharge = (
            Decimal(lines["charge_efficiency"]),
            Decimal(lines["discharge_efficiency"]),
        )
        extra = (bought - Decimal(lines["refill_price_per_kwh"]) * used / charge) * minor_per_wh
        exact = {
            "gross_minor": gross,
            "refill_minor": charge * discharge * extra,
            "losses_minor": (1 - charge * discharge) * extra,
            "wear_minor": Decimal(lines["wear_per_kwh"]) * sold * minor_per_wh,
        }
        rounded = {name: int(value.quantize(0, ROUND_HALF_EVEN)) for name, value in exact.items()}
        rounded["gross_minor"] = whole
        rounded["net_minor"] = 2 * rounded["gross_minor"] - sum(rounded.values())
        exact["uncapped_minor"] = uncapped
        shown = {name: f"{value.quantize(Decimal('1e-9')):f}" for name, value in exact.items()}
    return rounded, {name: text if Decimal(text) else "0.000000000" for name, text in shown.items()}


def balances(lines: dict[str, Any]) -> bool:
    """Say whether the energies add up: what was charged more, sold and lost is what is missing."""
    charged = sum(
        (
            Decimal(line["with_offer_wh"]) - Decimal(line["without_offer_wh"])
            for line in lines["charge"]
        ),
        Decimal(0),
    )
    stored = lines["stored_at_departure"]
    gained = Decimal(stored["with_offer_wh"]) - Decimal(stored["without_offer_wh"])
    sold = Decimal(lines["energy_wh"]) / Decimal(lines["discharge_efficiency"])
    missing = charged * Decimal(lines["charge_efficiency"]) - sold - gained
    return abs(missing) < Decimal("1e-6")


def agrees(answer: dict[str, Any]) -> bool:
    """Say whether an answer's money follows from its cost lines."""
    lines = answer["cost_lines"]
    rounded, shown = recompute(lines)
    return bool(
        balances(lines)
        and shown == lines["before_rounding"]
        and rounded == {**answer["breakdown"], "net_minor": answer["net_minor"]}
    )


@pytest.fixture(scope="module")
def answers() -> list[dict[str, Any]]:
    """Return what the command line answers to random requests, those with money in them."""
    requests = "\n".join(json.dumps(random_request(seed)) for seed in range(5_000, 5_600))
    script = "from owner_api.quote_command import quote_command; quote_command()"
    run = subprocess.run(
        [sys.executable, "-c", script, "-", "--jsonl"],
        input=requests.encode(),
        capture_output=True,
        check=True,
    )
    found = [json.loads(line) for line in run.stdout.splitlines()]
    return [answer for answer in found if answer["cost_lines"] is not None][:OFFERS]


def test_two_hundred_receipts_are_recomputed_to_the_minor_unit(
    answers: list[dict[str, Any]],
) -> None:
    """Promise 9: decimals and the receipt alone give the same figures."""
    assert len(answers) == OFFERS
    for answer in answers:
        assert agrees(answer), answer["cost_lines"]


def test_any_one_input_changed_by_one_unit_is_noticed(answers: list[dict[str, Any]]) -> None:
    """Promise 9: no figure of a receipt can be bent on its own."""
    bent = 0
    for answer in answers:
        for change, lines in _bent(answer["cost_lines"]):
            assert not agrees({**answer, "cost_lines": lines}), (change, answer["cost_lines"])
            bent += 1
    assert bent > 10 * OFFERS


def _bent(lines: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield copies of the lines with one input one unit higher."""

    def copy() -> dict[str, Any]:
        return deepcopy(lines)

    for name in ("energy_wh", "fixed_minor", "cap_minor", "requested_energy_wh"):
        if lines[name] is not None:
            bent = copy()
            bent[name] += 1
            yield name, bent
    for name, unit in (
        ("price_per_kwh", "price"),
        ("wear_per_kwh", "price"),
        ("charge_efficiency", "ratio"),
        ("discharge_efficiency", "ratio"),
        ("refill_price_per_kwh", "price"),
    ):
        if name == "refill_price_per_kwh" and _stored_alike(lines):
            continue  # nothing is refilled later, so its price does not enter
        bent = copy()
        bent[name] = str(Decimal(bent[name]) + UNIT[unit])
        yield name, bent
    for index, line in enumerate(lines["charge"]):
        for name in ("with_offer_wh", "without_offer_wh"):
            bent = copy()
            bent["charge"][index][name] = str(Decimal(line[name]) + UNIT["energy"])
            yield name, bent
        if line["with_offer_wh"] != line["without_offer_wh"]:
            bent = copy()
            price = Decimal(line["price_per_kwh"]) + UNIT["price"]
            bent["charge"][index]["price_per_kwh"] = str(price)
            yield "charge price", bent
    for name in ("with_offer_wh", "without_offer_wh"):
        bent = copy()
        value = Decimal(lines["stored_at_departure"][name]) + UNIT["energy"]
        bent["stored_at_departure"][name] = str(value)
        yield f"stored {name}", bent


def _stored_alike(lines: dict[str, Any]) -> bool:
    stored = lines["stored_at_departure"]
    return bool(stored["with_offer_wh"] == stored["without_offer_wh"])
