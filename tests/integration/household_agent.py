"""The agent of a random household: what it says of cars and deals, and which yeses it can prove.

It stands where the coordinator and the log's watch stand. It may be away, and its operator may lie:
a receipt can come late, never, or for less than the deal asks for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.v2g_owner.api_errors import OwnerApiConnectionError, OwnerApiProblem
from custom_components.v2g_owner.executor import ChargerExecutor
from custom_components.v2g_owner.executor_feed import ExecutorFeed
from custom_components.v2g_owner.models import Charger, Park, Preferences, Vehicle
from custom_components.v2g_owner.models_deal import Commitment, Decision
from custom_components.v2g_owner.snapshot import Snapshot
from custom_components.v2g_owner.trust_consent import Consent

from .charger_world import CAPACITY_WH
from .household import Box, Car

LEASE_S = 60
_OFFER: Any = SimpleNamespace(terms=SimpleNamespace(lease_s=LEASE_S))


@dataclass(kw_only=True)
class Yes:
    """An owner's yes, and at which second the home can prove it; never where that is None."""

    decision_id: str
    decided_at: datetime
    end_at: datetime
    max_discharge_w: int
    energy_wh: int
    known_s: int | None
    stopped: bool = False
    out_wh: float = 0.0
    uncounted: bool = False
    """Whether this home could not count all of what left for it."""

    @property
    def consent(self) -> Consent:
        """Return it as a receipt has it."""
        return Consent(
            decision_id=self.decision_id,
            start_at=self.end_at - timedelta(hours=2),
            end_at=self.end_at,
            max_discharge_w=self.max_discharge_w,
            energy_wh=self.energy_wh,
        )


@dataclass(kw_only=True)
class HomeAgent:
    """One agent, for as long as the evening lasts."""

    boxes: list[Box]
    cars: Sequence[Car]
    away: bool = False
    second: int = 0
    ahead: timedelta = timedelta()
    """By how much the home's clock is behind its own."""
    deals: dict[str, Commitment] = field(default_factory=dict)
    yeses: dict[str, Yes] = field(default_factory=dict)
    """By deal: two deals of one yes share it."""
    config_entry: Any = None
    data: Any = None
    last_update_success: bool = False
    _revision: int = 0
    _listeners: list[Callable[[], None]] = field(default_factory=list)
    _ends: list[Callable[[], None]] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        """Return its own time."""
        return dt_util.utcnow() + self.ahead

    # --- the coordinator and the watch of the log, as the home knows them

    @property
    def reads_begun(self) -> int:
        """Tell how often the home has read everything."""
        return self._revision

    newest_read = reads_begun

    @property
    def api(self) -> HomeAgent:
        """Return the way to ask it."""
        return self

    def async_add_listener(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Tell ``listener`` of all that changes."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async_listen = async_add_listener

    def consent(self, deal: Commitment) -> Consent | None:
        """Return the yes to a deal, where a receipt that has arrived proves it."""
        yes = self.yeses.get(deal.commitment_id)
        known = yes is not None and yes.known_s is not None and yes.known_s <= self.second
        return yes.consent if yes is not None and known else None

    async def post(self, _path: str, body: Mapping[str, Any]) -> None:
        """Hear of a stop."""
        self._answers()
        if (deal := self.deals.get(body["commitment_id"])) is not None:
            self.deals[deal.commitment_id] = replace(deal, state="revoked")
            self.tell()

    async def get(self, _path: str) -> Any:
        """Make no plan: nobody says when the cars leave."""
        self._answers()
        raise OwnerApiProblem(409, {"code": "departure_unknown"})

    def _answers(self) -> None:
        if self.away:
            raise OwnerApiConnectionError("away")

    # --- what happens to it

    def attach(
        self, hass: HomeAssistant, entry: MockConfigEntry, hands: Mapping[str, ChargerExecutor]
    ) -> None:
        """Let the home follow it, as after a start with the agent there."""
        self.config_entry = entry
        self.read()
        here: Any = self
        for hand in hands.values():
            self._ends.append(ExecutorFeed(hass, here, here, hand).async_start())

    def detach(self) -> None:
        """Let nobody follow it any more."""
        for end in self._ends:
            end()
        self._ends.clear()

    @property
    def attached(self) -> bool:
        """Tell whether the home follows it."""
        return bool(self._ends)

    @property
    def heard(self) -> bool:
        """Tell whether the home hears what it says now."""
        return self.attached and not self.away

    def read(self) -> None:
        """Let the home read everything anew."""
        self._revision += 1
        nobody: Any = None
        self.data = Snapshot(
            server=nobody,
            owner=nobody,
            last_event_id=self._revision,
            rewards=nobody,
            vehicles={car.vehicle_id: self._vehicle(car) for car in self.cars},
            preferences={car.vehicle_id: self._wishes(car) for car in self.cars},
            chargers={
                box.charger_id: Charger(
                    charger_id=box.charger_id,
                    revision=self._revision,
                    display_name=box.name,
                    evse_id=box.name,
                    max_charge_w=7_360,
                    max_discharge_w=7_360,
                )
                for box in self.boxes
            },
            offers={deal.offer_id: _OFFER for deal in self.deals.values()},
            commitments=dict(self.deals),
        )
        self.last_update_success = True

    def tell(self) -> None:
        """Tell the home what is new, where it hears it."""
        if self.away:
            self.last_update_success = False
        else:
            self.read()
        for listener in tuple(self._listeners):
            listener()

    def step(self) -> None:
        """Let a second pass; a receipt that is due arrives."""
        self.second += 1
        if self.heard and any(yes.known_s == self.second for yes in self.yeses.values()):
            self.tell()

    def grant(self, box: Box, commitment_id: str, car: Car, power_w: int, yes: Yes) -> None:
        """Grant the next lease of a deal; another one at the same charger is over."""
        self.yeses[commitment_id] = yes
        others = {key: deal for key, deal in self.deals.items() if deal.evse_id != box.name}
        now = self.now
        self.deals = others | {
            commitment_id: Commitment(
                commitment_id=commitment_id,
                offer_id=f"off_{yes.decision_id}",
                park=Park(park_id="prk_east"),
                state="active",
                start_at=now,
                end_at=now + timedelta(hours=1),
                committed_energy_wh=yes.energy_wh,
                vehicle_id=car.vehicle_id,
                evse_id=box.name,
                lease_until=now + timedelta(seconds=LEASE_S),
                power_setpoint_w=power_w,
                decision=Decision(
                    decision="accept",
                    decision_id=yes.decision_id,
                    decided_at=yes.decided_at,
                ),
            )
        }
        self.tell()

    def revoke(self, box: Box) -> None:
        """End what runs at a charger."""
        self.deals = {key: deal for key, deal in self.deals.items() if deal.evse_id != box.name}
        self.tell()

    def _vehicle(self, car: Car) -> Vehicle:
        return Vehicle(
            vehicle_id=car.vehicle_id,
            revision=self._revision,
            display_name=car.name,
            usable_capacity_wh=CAPACITY_WH,
            max_charge_w=7_000,
            max_discharge_w=7_000,
        )

    def _wishes(self, car: Car) -> Preferences:
        return Preferences(
            vehicle_id=car.vehicle_id,
            revision=self._revision,
            soc_floor_pct=car.floor_pct,
            soc_ceiling_pct=90.0,
            soc_min_departure_pct=80.0,
            discharge_allowed=car.allowed,
        )
