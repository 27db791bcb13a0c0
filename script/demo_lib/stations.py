"""The stations of one deal as a check: each one is reached in time, or named as the broken one."""

from collections.abc import Callable
from dataclasses import dataclass
import json
from typing import Any, Final

from .books import agreed, read_books
from .hass import HomeAssistantError
from .stage import Demo
from .watcher import State

OFFER_AT_PARK: Final = "offer at the park"
OFFER_IN_HASS: Final = "offer in Home Assistant"
ACCEPTED: Final = "accepted"
AWARDED: Final = "awarded"
DISCHARGING: Final = "discharging"
SETTLED: Final = "settled"
REWARDED: Final = "reward in Home Assistant"
BOOKS_AGREE: Final = "four books agree"
LOG_IS_CLEAN: Final = "Home Assistant's log is clean"

_SOON_S: Final = 30.0
_NEXT_OFFER_S: Final = 180.0
_ENDED: Final = frozenset({"completed", "curtailed", "failed", "revoked", "missed", "lapsed"})


class StationError(Exception):
    """The deal did not get past a station; the message says what was seen there."""

    def __init__(self, station: str, seen: str) -> None:
        self.station = station
        super().__init__(f"broken at station '{station}': {seen}")


@dataclass(slots=True, kw_only=True)
class Check:
    """One deal from the park's offer to the owner's reward, told station by station."""

    demo: Demo
    say: Callable[[str], None]
    break_park: bool = False

    async def run(self) -> None:
        """Follow the deal to its end; raises StationError at the first station not reached."""
        offer_id = await self._offered()
        commitment_id = await self._accept(offer_id)
        await self._awarded(commitment_id)
        await self._delivered(commitment_id)
        await self._settled(commitment_id)
        await self._books_agree(offer_id)
        self._log_is_clean()

    async def next_offer(self) -> None:
        """Wait until another offer is open; raises StationError when none comes."""
        is_open = f"binary_sensor.{self.demo.owner_id}_offer_open"

        async def look() -> bool:
            return await self.demo.watcher.value(is_open) == "on"

        try:
            await self.demo.home.until(look, "there is another offer", _NEXT_OFFER_S)
        except HomeAssistantError as error:
            raise StationError(OFFER_IN_HASS, str(error)) from error

    async def _offered(self) -> str:
        """Read the offer in the park's book, then in Home Assistant."""
        deal = await self._park_deal()
        offer_id = str(deal["offer_id"])
        price, energy_wh = deal["price_per_kwh"], deal["requested_energy_wh"]
        self._reached(OFFER_AT_PARK, f"{offer_id}: {energy_wh} Wh at {price} CNY/kWh")
        event = await self._event(
            OFFER_IN_HASS,
            "event.",
            "_offers",
            lambda facts: facts["offer_id"] == offer_id,
            self.demo.plot.lead_s,
        )
        if event["event_type"] != "offer_presented":
            raise StationError(OFFER_IN_HASS, f"{event['event_type']}: {event.get('reason')}")
        shown = (event["price_per_kwh"], event["energy_wh"])
        if shown != (price, energy_wh):
            raise StationError(OFFER_IN_HASS, f"shows {shown}, the park offered {price, energy_wh}")
        net = event["net_minor"] / 100
        self._reached(OFFER_IN_HASS, f"{offer_id}: net {net:.2f} CNY, answer by {_hour(event)}")
        return offer_id

    async def _park_deal(self) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            if not self.demo.book.exists():
                return None
            deals = json.loads(self.demo.book.read_bytes())["deals"]
            return deals[0] if deals else None

        try:
            found: dict[str, Any] = await self.demo.home.until(look, "an offer", _SOON_S)
        except HomeAssistantError as error:
            raise StationError(OFFER_AT_PARK, f"no offer: {self.demo.park.tail(4)}") from error
        return found

    async def _accept(self, offer_id: str) -> str:
        """Say yes with Home Assistant's own action, as a person's tap would."""
        try:
            answer = await self.demo.home.ask("v2g_owner", "accept_offer", {"offer_id": offer_id})
        except HomeAssistantError as error:
            raise StationError(ACCEPTED, str(error)) from error
        view = answer["answer"]
        decision = view.get("decision") or {}
        if view["state"] != "accepted" or not view["commitment_id"]:
            raise StationError(ACCEPTED, f"the offer is {view['state']}")
        commitment_id = str(view["commitment_id"])
        consented = decision["consented_energy_wh"]
        self._reached(ACCEPTED, f"{commitment_id}: {consented} Wh by {decision['method']}")
        return commitment_id

    async def _awarded(self, commitment_id: str) -> None:
        event = await self._deal_event(AWARDED, commitment_id, {"commitment_scheduled"}, _SOON_S)
        energy_wh = event["committed_energy_wh"]
        self._reached(AWARDED, f"{commitment_id}: {energy_wh} Wh from {event['start_at']}")

    async def _delivered(self, commitment_id: str) -> None:
        """See energy flow in Home Assistant, then see it end as agreed."""
        plot = self.demo.plot
        await self._deal_event(
            DISCHARGING, commitment_id, {"commitment_active"}, plot.lead_s + _SOON_S
        )
        delivered = "sensor." + self._hub("deal_delivered")
        moving = await self.demo.watcher.wait_for(delivered, _some, _SOON_S)
        if moving is None:
            raise StationError(DISCHARGING, "no energy has arrived in Home Assistant")
        self.say(f"  … {moving['state']} {moving['attributes'].get('unit_of_measurement')} so far")
        if self.break_park:
            self.demo.park.kill()
            self.say("  … the park has been killed")
        ends = {f"commitment_{state}" for state in _ENDED}
        event = await self._deal_event(DISCHARGING, commitment_id, ends, plot.window_s + _SOON_S)
        if event["state"] != "completed":
            reason = f"{event['state']} ({event['state_reason']})"
            raise StationError(DISCHARGING, f"ended {reason} after {event['delivered_wh']} Wh")
        self._reached(DISCHARGING, f"{commitment_id}: completed")

    async def _settled(self, commitment_id: str) -> None:
        """See the settlement, then the money on the owner's sensors."""
        event = await self._event(
            SETTLED,
            "event.",
            "_rewards",
            lambda facts: facts["commitment_id"] == commitment_id,
            _SOON_S,
        )
        amount = event["amount_minor"]
        told = f"{event['delivered_wh']} Wh, {amount} fen"
        self._reached(SETTLED, f"{event['settlement_id']}: {told}")
        wanted = f"{amount / 100:g}"
        ending = "sensor." + self._hub("rewards_paid")
        paid = await self.demo.watcher.wait_for(
            ending, lambda state: _number(state) == float(wanted), 2 * _SOON_S
        )
        if paid is None:
            seen = await self.demo.watcher.value(ending)
            raise StationError(REWARDED, f"{seen} CNY paid this month, expected {wanted}")
        self._reached(REWARDED, f"{paid['entity_id']}: {paid['state']} CNY paid this month")

    async def _books_agree(self, offer_id: str) -> None:
        books = await read_books(self.demo, offer_id)
        for book in books:
            self.say(f"  {book.source:<28} {book.delivered_wh:>5} Wh  {book.amount_minor:>4} fen")
        if disagreement := agreed(books):
            raise StationError(BOOKS_AGREE, disagreement)
        book = books[0]
        price = books[-1].price_per_kwh
        self._reached(
            BOOKS_AGREE, f"{price} x {book.delivered_wh} Wh = {book.amount_minor / 100:.2f} CNY"
        )

    def _log_is_clean(self) -> None:
        found = self.demo.complaints()
        if found:
            raise StationError(LOG_IS_CLEAN, "\n".join(found))
        self._reached(LOG_IS_CLEAN, "no warning and no error from v2g_owner")

    async def _deal_event(
        self, station: str, commitment_id: str, kinds: set[str], patience_s: float
    ) -> dict[str, Any]:
        """Return the facts of the deal's first event of some kinds."""
        return await self._event(
            station,
            "event.",
            "_deals",
            lambda facts: facts["commitment_id"] == commitment_id and facts["event_type"] in kinds,
            patience_s,
        )

    async def _event(
        self,
        station: str,
        platform: str,
        key: str,
        wanted: Callable[[dict[str, Any]], bool],
        patience_s: float,
    ) -> dict[str, Any]:
        """Return the facts that an event entity told; raises StationError when it does not."""
        state = await self.demo.watcher.wait_for(
            platform + self.demo.owner_id + key,
            lambda state: "event_type" in state["attributes"] and wanted(state["attributes"]),
            patience_s,
        )
        if state is None:
            raise StationError(station, f"nothing of it in Home Assistant after {patience_s:g} s")
        facts: dict[str, Any] = state["attributes"]
        return facts

    def _hub(self, key: str) -> str:
        return f"{self.demo.owner_id}_{key}"

    def _reached(self, station: str, found: str) -> None:
        self.say(f"✓ {station:<26} {found}")


def _number(state: State) -> float | None:
    try:
        return float(state["state"])
    except ValueError:
        return None


def _some(state: State) -> bool:
    return (_number(state) or 0) > 0


def _hour(event: dict[str, Any]) -> str:
    return str(event["respond_by"])[11:19]
