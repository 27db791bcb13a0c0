"""The demo's dashboard: built-in cards only, so that anyone can make the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

type Card = dict[str, Any]

_NO_OFFER = (
    "### No offer right now\n"
    "The park asks again in a minute. Until then the car is charged from its roof."
)


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
    return {"title": "V2G Owner", "views": [view]}


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


def _button(entity_id: str, name: str, icon: str, color: str, columns: int) -> Card:
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
        vertical=True,
        hide_state=True,
        tap_action=press,
        icon_tap_action=press,
    )


def _offer(cards: Cards) -> Card:
    """Show what is offered, what it leaves, and the three answers; then the running deal."""
    is_open = cards.hub("binary_sensor", "offer_open")
    price = cards.hub("sensor", "next_offer_price")
    words = (
        f"{{% set o = '{price}' %}}"
        "### {{ state_attr(o, 'park') }} asks for energy\n"
        f"**{{{{ states('{cards.hub('sensor', 'next_offer_energy')}', with_unit=True) }}}}** at "
        "**{{ states(o, with_unit=True) }}**. The car would leave with "
        "**{{ state_attr(o, 'soc_at_departure_pct') | round(0) }} %**; you asked for "
        "{{ state_attr(o, 'soc_min_departure_pct') | round(0) }} %."
    )

    def only(card: Card, state: str) -> Card:
        condition = {"condition": "state", "entity": is_open, "state": state}
        return card | {"visibility": [condition]}

    return _section(
        _heading("Offer", "mdi:hand-coin"),
        only({"type": "markdown", "content": words}, "on"),
        only({"type": "markdown", "content": _NO_OFFER}, "off"),
        only(_tile(cards.hub("sensor", "next_offer_net"), "You keep", color="green"), "on"),
        only(_tile(cards.hub("sensor", "next_offer_answer_by"), "Answer by"), "on"),
        _button(cards.hub("button", "accept_offer"), "Accept", "mdi:check-bold", "green", 4),
        _button(cards.hub("button", "counter_offer"), "Counter", "mdi:swap-horizontal", "blue", 4),
        _button(cards.hub("button", "decline_offer"), "Decline", "mdi:close-thick", "grey", 4),
        _heading("Deal", "mdi:transmission-tower-import"),
        _tile(cards.hub("sensor", "deal_state"), "State"),
        _tile(cards.hub("sensor", "deal_power"), "Power now"),
        _tile(cards.hub("sensor", "deal_delivered"), "Delivered"),
        _tile(cards.hub("sensor", "deal_earned"), "Earned so far", color="green"),
        _button(cards.hub("button", "stop"), "Stop discharging", "mdi:stop-circle", "red", 12),
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
        _tile(cards.hub("sensor", "rewards_pending"), "Pending", color="orange", columns=4),
        _tile(cards.hub("sensor", "rewards_confirmed"), "Confirmed", color="blue", columns=4),
        _tile(cards.hub("sensor", "rewards_paid"), "Paid", color="green", columns=4),
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
        _tile(cards.charger("sensor", "energy_exported"), "Energy from the car, ever", columns=12),
    )
