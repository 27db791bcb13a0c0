"""The demo's dashboard: built-in cards only, so that anyone can make the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

DASHBOARD_PATH: Final = "v2g-owner"

type Card = dict[str, Any]

_NO_OFFER = "### No offer right now\nThe park asks again in a minute or so."


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """Makes cards for entities named by platform, device and key."""

    entities: Mapping[str, str]
    owner_id: str
    vehicle_id: str
    charger_id: str

    def hub(self, platform: str, key: str) -> str:
        """Return an entity of the account."""
        return self.entities[f"{platform}.{self.owner_id}_{key}"]

    def car(self, platform: str, key: str) -> str:
        """Return an entity of the vehicle."""
        return self.entities[f"{platform}.{self.vehicle_id}_{key}"]

    def charger(self, platform: str, key: str) -> str:
        """Return an entity of the charger."""
        return self.entities[f"{platform}.{self.charger_id}_{key}"]


def dashboard(
    entities: Mapping[str, str], *, owner_id: str, vehicle_id: str, charger_id: str
) -> dict[str, Any]:
    """Return a dashboard of our entities, given as ``platform.unique_id`` to entity id."""
    cards = Cards(
        entities=entities, owner_id=owner_id, vehicle_id=vehicle_id, charger_id=charger_id
    )
    view = {
        "title": "V2G Owner",
        "path": "v2g",
        "icon": "mdi:car-electric",
        "type": "sections",
        "max_columns": 3,
        "sections": [_offer(cards), _car(cards), _rewards(cards)],
    }
    return {"title": view["title"], "icon": view["icon"], "views": [view]}


def _section(*cards: Card) -> Card:
    return {"type": "grid", "cards": list(cards)}


def _heading(text: str, icon: str) -> Card:
    return {"type": "heading", "heading": text, "heading_style": "title", "icon": icon}


def _tile(entity_id: str, name: str, *, columns: int = 6, **more: Any) -> Card:  # noqa: ANN401
    return {
        "type": "tile",
        "entity": entity_id,
        "name": name,
        "grid_options": {"columns": columns},
    } | more


def _button(
    entity_id: str, name: str, icon: str, color: str, columns: int, *, vertical: bool = True
) -> Card:
    """Return a tile that presses a button of ours at once."""
    press = {
        "action": "perform-action",
        "perform_action": "button.press",
        "target": {"entity_id": entity_id},
    }
    return _tile(
        entity_id,
        name,
        columns=columns,
        icon=icon,
        color=color,
        vertical=vertical,
        hide_state=True,
        tap_action=press,
        icon_tap_action=press,
    )


def _only(card: Card, entity_id: str, **state: str) -> Card:
    """Show a card only while an entity is in a state (``state=``) or not in it (``state_not=``)."""
    return card | {"visibility": [{"condition": "state", "entity": entity_id} | state]}


def _offer(cards: Cards) -> Card:
    """Show what is offered, what it leaves, and the three answers; then the running deal."""
    is_open = cards.hub("binary_sensor", "offer_open")
    deal = cards.hub("sensor", "deal_state")
    price = cards.hub("sensor", "next_offer_price")
    energy = cards.hub("sensor", "next_offer_energy")
    words = (
        f"{{% set o = '{price}' %}}"
        "### {{ state_attr(o, 'park') }} asks for energy\n"
        f"**{{{{ states('{energy}') | float(0) | round(2) }}}} kWh** at "
        "**{{ states(o) | float(0) | round(4) }} {{ state_attr(o, 'unit_of_measurement') }}**. "
        "The car would still leave with at least "
        "**{{ state_attr(o, 'soc_at_departure_pct') | float(0) | round(1) }} %**; you asked for "
        "{{ state_attr(o, 'soc_min_departure_pct') | float(0) | round(0) }} %."
    )
    net, answer_by = (
        cards.hub("sensor", "next_offer_net"),
        cards.hub("sensor", "next_offer_answer_by"),
    )
    running = (
        _tile(deal, "State"),
        _tile(cards.hub("sensor", "deal_power"), "Power now"),
        _tile(cards.hub("sensor", "deal_delivered"), "Delivered"),
        _tile(cards.hub("sensor", "deal_earned"), "Earned so far", color="green"),
    )
    answers = (
        _button(cards.hub("button", "accept_offer"), "Accept", "mdi:check-bold", "green", 4),
        _button(cards.hub("button", "counter_offer"), "Counter", "mdi:swap-horizontal", "blue", 4),
        _button(cards.hub("button", "decline_offer"), "Decline", "mdi:close-thick", "grey", 4),
    )
    stop = cards.hub("button", "stop")
    return _section(
        _heading("Offer", "mdi:hand-coin"),
        _only({"type": "markdown", "content": words}, is_open, state="on"),
        _only({"type": "markdown", "content": _NO_OFFER}, is_open, state="off"),
        _only(_tile(net, "You keep", color="green"), is_open, state="on"),
        _only(_tile(answer_by, "Answer by"), is_open, state="on"),
        *(_only(answer, is_open, state="on") for answer in answers),
        _heading("Deal", "mdi:transmission-tower-import"),
        _only({"type": "markdown", "content": "No deal is running."}, deal, state="none"),
        *(_only(tile, deal, state_not="none") for tile in running),
        _button(stop, "Stop discharging", "mdi:stop-circle", "red", 12, vertical=False),
    )


def _car(cards: Cards) -> Card:
    """Show the car and what its owner asks for."""
    slider = {"features": [{"type": "numeric-input", "style": "slider"}]}
    return _section(
        _heading("Blue car", "mdi:car-electric"),
        {
            "type": "gauge",
            "entity": cards.car("sensor", "soc"),
            "name": "State of charge",
            "needle": True,
            "segments": [
                {"from": 0, "color": "#db4437"},
                {"from": 20, "color": "#ffa600"},
                {"from": 50, "color": "#43a047"},
            ],
        },
        _tile(cards.car("sensor", "status"), "Status"),
        _tile(cards.car("sensor", "power"), "Power, + into the car"),
        _tile(cards.car("sensor", "available_energy"), "Could offer"),
        _tile(cards.car("sensor", "next_departure"), "Leaves"),
        _heading("On your terms", "mdi:shield-car"),
        _tile(cards.car("switch", "discharge_allowed"), "Discharging allowed", columns=12),
        _tile(cards.car("number", "soc_floor_pct"), "Never below", columns=12, **slider),
        _tile(
            cards.car("number", "soc_min_departure_pct"),
            "At least when leaving",
            columns=12,
            **slider,
        ),
    )


def _rewards(cards: Cards) -> Card:
    """Show the money, and how power and charge went in the last quarter of an hour."""
    return _section(
        _heading("Rewards this month", "mdi:cash-multiple"),
        _tile(cards.hub("sensor", "rewards_pending"), "Pending", color="orange"),
        _tile(cards.hub("sensor", "rewards_confirmed"), "Confirmed", color="blue"),
        _tile(cards.hub("sensor", "rewards_paid"), "Paid", color="green"),
        _tile(cards.charger("sensor", "energy_exported"), "Sold in all"),
        _heading("The last quarter of an hour", "mdi:chart-line"),
        {
            "type": "history-graph",
            "hours_to_show": 0.25,
            "entities": [{"entity": cards.charger("sensor", "power"), "name": "Charger's power"}],
        },
        {
            "type": "history-graph",
            "hours_to_show": 0.25,
            "entities": [{"entity": cards.car("sensor", "soc"), "name": "State of charge"}],
        },
    )
