"""The live park's own record of its deals: a file anyone may check."""

from pathlib import Path
from typing import Any

import orjson

from .deal import Deal


class Book:
    """The park's own record of its deals, written anew after every change."""

    def __init__(self, path: Path, park_id: str) -> None:
        self._path = path
        self._park_id = park_id

    def write(self, deals: list[Deal]) -> None:
        """Replace the file at once, so that a reader never sees half of it."""
        record = {"park_id": self._park_id, "deals": [_entry(deal) for deal in deals]}
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2))
        fresh.replace(self._path)


def _entry(deal: Deal) -> dict[str, Any]:
    settlement = deal.settlement or {}
    return {
        "offer_id": deal.offer_id,
        "state": deal.state,
        "reason": deal.reason,
        "price_per_kwh": deal.terms["reward"]["price_per_kwh"],
        "requested_energy_wh": deal.terms["requested_energy_wh"],
        "commitment_id": deal.commitment_id,
        "commitment_state": deal.commitment_state,
        "begin_register_wh": deal.begin_register_wh,
        "end_register_wh": deal.end_register_wh,
        "delivered_wh": deal.delivered_wh,
        "owed_minor": deal.owed_minor,
        "settlement_id": settlement.get("settlement_id"),
        "settlement_state": settlement.get("state"),
        "reward_status": (settlement.get("reward") or {}).get("status"),
        "payment_reference": (settlement.get("reward") or {}).get("reference"),
    }
