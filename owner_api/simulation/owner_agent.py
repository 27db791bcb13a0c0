"""A simulated owner's phone: pairs with a code, tells telemetry and plans, decides, stops.

The car's guard hears of a yes from here, at the moment the owner gives it, and of nothing the API
concludes: that is what makes it a witness.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from .car import Car
from .client import ApiError, Client
from .guard import Yes
from .wishes import Answer, Wishes

# What an offer or deal may answer when it ended between the owner's look and the owner's tap.
_TOO_LATE = frozenset(("offer_closed", "offer_expired", "stale_terms", "commitment_closed"))
# The car has changed since the offer was shown: the API judges again at the tap.
_NO_LONGER = frozenset(
    ("not_feasible", "below_floor", "soc_stale", "soc_unknown", "departure_unknown")
)


@dataclass(slots=True)
class OwnedCar:
    """A car, its wishes and what the phone remembers about it."""

    car: Car
    wishes: Wishes
    vehicle_id: str
    leave_at: datetime | None = None
    told_soc_at: datetime | None = None
    departures_etag: str = ""
    looked_at: set[str] = field(default_factory=set)
    deals: dict[str, str | None] = field(default_factory=dict)
    outcomes: dict[str, dict[str, Any]] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)


class OwnerAgent:
    """One owner with one phone and one or more cars; sees only what the owner's routes show."""

    def __init__(self, name: str, client: Client, now: Callable[[], datetime]) -> None:
        self.name = name
        self.client = client
        self.cars: list[OwnedCar] = []
        self._now = now

    async def own(
        self, car: Car, wishes: Wishes, park_id: str, *, floor_told: bool = True
    ) -> OwnedCar:
        """Register a car, say the wishes, and join the park under its current terms.

        Without ``floor_told`` (test only) the API believes that this owner has no lower limit.
        """
        spec = car.nameplate or car.spec
        vehicle = await self.client.post(
            "/v1/vehicles",
            {
                "display_name": car.name,
                "usable_capacity_wh": spec.usable_capacity_wh,
                "max_charge_w": spec.max_charge_w,
                "max_discharge_w": spec.max_discharge_w,
                "charge_efficiency": spec.charge_efficiency,
                "discharge_efficiency": spec.discharge_efficiency,
                "warranty_discharge_policy": "allowed",
                "taper": [
                    {"from_soc_pct": step.from_soc_pct, "max_charge_w": step.max_charge_w}
                    for step in spec.taper
                ],
            },
        )
        owned = OwnedCar(car=car, wishes=wishes, vehicle_id=vehicle["vehicle_id"])
        await self.set_wishes(owned, wishes, floor_told=floor_told)
        parks = _items(await self.client.get("/v1/parks"))
        park = next(each for each in parks if each["park_id"] == park_id)
        await self.client.post(
            "/v1/agreements",
            {
                "park_id": park_id,
                "terms_version": park["terms_version"],
                "vehicle_ids": [owned.vehicle_id],
            },
        )
        self.cars.append(owned)
        return owned

    async def set_wishes(self, owned: OwnedCar, wishes: Wishes, *, floor_told: bool = True) -> None:
        """Send the owner's preferences for one car."""
        path = f"/v1/vehicles/{owned.vehicle_id}/preferences"
        _, etag = await self.client.read(path)
        told = wishes.preferences()
        if not floor_told:
            told |= {"soc_floor_pct": 0, "soc_min_departure_pct": 0}
        await self.client.patch(path, told, etag)
        owned.wishes = wishes
        owned.car.guard.floor_pct = wishes.floor_pct

    async def set_leave(self, owned: OwnedCar, leave_at: datetime | None) -> None:
        """Tell when the car leaves next; None takes back what was told before."""
        if leave_at is None and owned.leave_at is None:
            return
        path = f"/v1/vehicles/{owned.vehicle_id}/departures"
        if not owned.departures_etag:
            _, owned.departures_etag = await self.client.read(path)
        one_off = None if leave_at is None else {"departure_at": leave_at.isoformat()}
        _, owned.departures_etag = await self.client.patch(
            path, {"one_off": one_off}, owned.departures_etag
        )
        owned.leave_at = leave_at

    async def report(self, owned: OwnedCar, *, plugged_in: bool = True) -> None:
        """Send what the car tells now: state of charge from its gauge, plugged in or not."""
        at = self._now()
        told = owned.car.tell_soc(at)
        plug = {"measured_at": at.isoformat(), "plugged_in": plugged_in}
        soc = {
            "measured_at": told.measured_at.isoformat(),
            "soc_pct": told.soc_pct,
            "soc_source": "direct",
        }
        # What the car itself dates earlier is another reading than the plug's.
        readings = [plug | soc] if told.measured_at == at else [soc, plug]
        await self.client.post(f"/v1/vehicles/{owned.vehicle_id}/telemetry", {"readings": readings})
        owned.told_soc_at = at
        owned.car.guard.last_soc_at = told.taken_at

    async def tell_prices(self, owned: OwnedCar, entries: list[tuple[datetime, Decimal]]) -> None:
        """Tell what charging will cost from each instant on, CNY per kWh."""
        told = [{"start_at": at.isoformat(), "price_per_kwh": str(price)} for at, price in entries]
        await self.client.post(f"/v1/vehicles/{owned.vehicle_id}/prices", {"entries": told})

    async def look(self, owned: OwnedCar, offer_id: str) -> Answer:
        """Open the offer a push message named: answer by the owner's own mind, once a revision.

        Returns the answer given now. Where a rule has answered already, the owner hears of it and
        knows the rule's words.
        """
        offer = await self.client.get(f"/v1/offers/{offer_id}")
        key = f"{offer_id}/{offer['revision']}"
        if key in owned.looked_at:
            return Answer.SILENCE
        owned.looked_at.add(key)
        decision = offer["decision"]
        if offer["state"] == "presented":
            answer = owned.wishes.policy(offer)
            await self._answer(owned, offer, answer)
            return answer
        if offer["state"] == "accepted" and decision["method"] == "rule":
            self._hear_of_rule(owned, offer, decision["consented_energy_wh"])
        return Answer.SILENCE

    async def stop(self, owned: OwnedCar, offer_id: str) -> None:
        """Press stop: the guard's clock starts before the API hears of it."""
        charger = owned.car.charger
        if charger:
            charger.advance(self._now())
        owned.car.guard.pressed_stop(
            offer_id,
            self._now(),
            reachable=charger is None or charger.reachable,
            lease_until=charger.lease_until if charger else None,
        )
        await self.client.post("/v1/stops", {"vehicle_id": owned.vehicle_id})

    async def outcome(self, owned: OwnedCar, offer_id: str) -> dict[str, Any]:
        """Read how a deal ended, its settlement and the owner's own economics."""
        commitment_id = owned.deals.get(offer_id)
        if commitment_id is None:
            offer = await self.client.get(f"/v1/offers/{offer_id}")
            commitment_id = owned.deals[offer_id] = offer["commitment_id"]
        deal: dict[str, Any] = await self.client.get(f"/v1/commitments/{commitment_id}")
        owned.outcomes[offer_id] = deal
        return deal

    async def recharge_broken(self, owned: OwnedCar) -> bool:
        """Tell whether the API says that a park broke its recharge promise to this car."""
        sessions = _items(await self.client.get("/v1/sessions"))
        return any(
            each["recharge_broken"] for each in sessions if each["vehicle_id"] == owned.vehicle_id
        )

    async def confirm(self, settlement_id: str) -> None:
        """Confirm a settlement, so that nobody waits for the dispute window."""
        await self.client.post(f"/v1/settlements/{settlement_id}/confirmation", {})

    def _hear_of_rule(self, owned: OwnedCar, offer: dict[str, Any], energy_wh: int) -> None:
        """Record the yes of the rule the owner wrote, if it covers these terms; else nothing."""
        least = owned.wishes.rule_min_price
        price = offer["terms"]["reward"]["price_per_kwh"]
        if least is not None and Decimal(price) >= Decimal(least):
            self._record_yes(owned, offer, energy_wh)

    async def _answer(self, owned: OwnedCar, offer: dict[str, Any], answer: Answer) -> None:
        if answer is Answer.SILENCE:
            return
        body: dict[str, Any] = {
            "offer_id": offer["offer_id"],
            "revision": offer["revision"],
            "terms_sha256": offer["terms_sha256"],
            "decision": answer.value,
            "method": "tap",
            "actor": {"user": self.name},
        }
        energy_wh = int(offer["evaluation"]["quoted_energy_wh"])
        if answer is Answer.ACCEPT:
            body["energy_wh"] = energy_wh
        if answer is Answer.COUNTER:
            body["price_per_kwh"] = owned.wishes.counter_price or owned.wishes.min_price
        try:
            decided = await self.client.post("/v1/decisions", body)
        except ApiError as error:
            if error.code not in _TOO_LATE | _NO_LONGER:
                raise
            owned.refusals[error.code] = owned.refusals.get(error.code, 0) + 1
            return
        if answer is Answer.ACCEPT:
            self._record_yes(owned, decided, energy_wh)

    def _record_yes(self, owned: OwnedCar, offer: dict[str, Any], energy_wh: int) -> None:
        terms = offer["terms"]
        leave_at = offer["evaluation"]["departure_at"]
        forecast = owned.leave_at is None and leave_at is not None
        owned.deals[offer["offer_id"]] = offer["commitment_id"]
        owned.car.guard.said_yes(
            Yes(
                deal=offer["offer_id"],
                energy_wh=energy_wh,
                start_at=datetime.fromisoformat(terms["start_at"]),
                end_at=datetime.fromisoformat(terms["end_at"]),
                backup=offer["purpose"] == "backup",
                leave_at=datetime.fromisoformat(leave_at) if forecast else None,
            )
        )


def _items(answer: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a list or a page of one
    return list(answer["items"] if isinstance(answer, dict) else answer)
