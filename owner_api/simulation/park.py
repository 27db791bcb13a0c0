"""A simulated park: its chargers, its sessions, its own books, and the public API in between."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import aiohttp

from .charger import Charger
from .client import ApiError, Client, LinkDownError
from .deal import Deal
from .faults import Faults
from .kept_log import KeptLog
from .world import World

_LOOK_AGAIN_S: Final = 0.2
_OF_THE_LOG: Final = ("checkpoint.new", "ledger.epoch")


class Park:
    """One dispatcher with its chargers; everything it knows of cars comes from API and meters."""

    def __init__(
        self, park_id: str, client: Client, world: World, faults: Faults | None = None
    ) -> None:
        self.park_id = park_id
        self.client = client
        self.world = world
        self.faults = faults or Faults()
        self.deals: dict[str, Deal] = {}
        self.by_commitment: dict[str, Deal] = {}
        self.last_seq = 0
        self.on_settled: Callable[[Deal], None] | None = None
        self.on_stop: Callable[[Deal], None] | None = None
        self.log: KeptLog | None = None
        self._chargers: dict[str, Charger] = {}
        self._reader: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._answered: set[str] = set()

    async def open(self) -> None:
        """Start reading the park's event stream from its beginning."""
        self._reader = asyncio.get_running_loop().create_task(self._read_events())

    async def close(self) -> None:
        """Stop reading the stream."""
        if self._reader:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    async def heard(self, seq: int) -> None:
        """Return once the stream has been read up to ``seq``."""
        while self.last_seq < seq and self.client.link_up:
            if self._reader is None or self._reader.done():
                await self.open()
            self._news.clear()
            # The reader may have gone between the look and the wait: look again now and then.
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AGAIN_S):
                    await self._news.wait()

    async def plug_in(
        self, charger: Charger, *, member_ref: str | None, recharge: dict[str, Any] | None = None
    ) -> str:
        """Open a session for the car that was just plugged in; returns its id."""
        body: dict[str, Any] = {
            "evse_id": charger.evse_id,
            "plugged_in_at": self.world.now().isoformat(),
        }
        if member_ref:
            body["member_ref"] = member_ref
        if recharge:
            body["recharge"] = recharge
        session = await self.client.post("/v1/park/sessions", body)
        session_id: str = session["session_id"]
        self._chargers[session_id] = charger
        return session_id

    def serves(self, session_id: str) -> bool:
        """Tell whether the session's car is still plugged in here."""
        return session_id in self._chargers

    async def unplug(self, session_id: str) -> None:
        """Report that the car has gone."""
        self._chargers.pop(session_id, None)
        await self.client.post(
            f"/v1/park/sessions/{session_id}/end", {"unplugged_at": self.world.now().isoformat()}
        )

    async def members(self) -> list[str]:
        """Return the pseudonyms this park may use for the vehicles whose owners have joined."""
        found: list[str] = []
        query = {"limit": "200"}
        while True:
            answer = await self.client.get("/v1/park/members", **query)
            found += [item["member_ref"] for item in answer["items"]]
            if not answer.get("next_cursor"):
                return found
            query["cursor"] = answer["next_cursor"]

    async def available_wh(self, session_id: str, start_at: datetime, end_at: datetime) -> int:
        """Ask what a session could give in a window, Wh, in steps of 500."""
        answer = await self.client.post(
            "/v1/park/availability",
            {
                "session_id": session_id,
                "start_at": start_at.isoformat(),
                "end_at": end_at.isoformat(),
            },
        )
        return int(answer["available_energy_wh"])

    async def offer(
        self, session_id: str, *, purpose: str, respond_by: datetime, terms: dict[str, Any]
    ) -> Deal:
        """Offer to buy; the answer already says whether the API declined it for the owner."""
        shown = await self.client.post(
            "/v1/park/offers",
            {
                "session_id": session_id,
                "purpose": purpose,
                "respond_by": respond_by.isoformat(),
                "terms": terms,
            },
        )
        deal = Deal(
            offer_id=shown["offer_id"],
            session_id=session_id,
            charger=self._chargers[session_id],
            purpose=purpose,
            terms=terms,
            terms_sha256=shown["terms_sha256"],
            respond_by=respond_by,
            state=shown["state"],
        )
        self.deals[deal.offer_id] = deal
        self._note_offer(deal, shown)
        self.world.note_deadline(f"{deal.offer_id} answer", respond_by)
        return deal

    async def meet_counter(self, deal: Deal) -> bool:
        """Answer a counter with a revision at the owner's price; False when it is too dear."""
        counter = deal.counter or {}
        asked = counter.get("price_per_kwh")
        if asked is None or deal.best_price is None or Decimal(asked) > deal.best_price:
            return False
        energy_wh = counter.get("energy_wh") or deal.terms["requested_energy_wh"]
        deal.terms = deal.terms | {
            "reward": deal.terms["reward"] | {"price_per_kwh": asked},
            "requested_energy_wh": min(energy_wh, deal.terms["requested_energy_wh"]),
        }
        shown = await self.client.post(
            f"/v1/park/offers/{deal.offer_id}/revisions",
            {
                "revision": deal.revision + 1,
                "respond_by": deal.respond_by.isoformat(),
                "terms": deal.terms,
            },
        )
        self._note_offer(deal, shown)
        return True

    async def award(self, deal: Deal) -> bool:
        """Award what the owner consented to; False when it is too late."""
        self.world.note_deadline(f"{deal.offer_id} end", deal.end_at)
        try:
            await self.client.post(
                f"/v1/park/commitments/{deal.commitment_id}/award",
                {
                    "order_reference": f"PO-{deal.offer_id[-12:]}",
                    "terms_sha256": deal.terms_sha256,
                    "committed_energy_wh": deal.consented_wh,
                },
            )
        except ApiError as error:
            if error.status != 409:
                raise
            return False
        return True

    async def settle(self, deal: Deal) -> None:
        """Confirm a provisional settlement that agrees with the park's own meter, else correct it.

        A charger that was out of reach tells its last register late, perhaps after the API has
        settled on what it knew. While the own register is unknown, nothing is said.
        """
        shown = deal.settlement
        if shown is None or shown["state"] != "provisional" or deal.end_register_wh is None:
            return
        path = f"/v1/park/settlements/{shown['settlement_id']}"
        if shown["settlement_id"] in self._answered:
            return
        self._answered.add(shown["settlement_id"])
        if shown["delivered_wh"] == min(deal.delivered_wh, shown["ordered_wh"]):
            await self.client.post(f"{path}/confirmation", {})
            return
        await self.client.post(
            f"{path}/correction",
            {
                "delivered_wh": min(deal.delivered_wh, shown["ordered_wh"]),
                "reason": "The charger's last register arrived after the settlement.",
            },
        )

    async def pay(self, deal: Deal) -> None:
        """Mark a final settlement as paid, with the park's own reference."""
        assert deal.settlement is not None
        settlement_id = deal.settlement["settlement_id"]
        await self.client.post(
            f"/v1/park/settlements/{settlement_id}/payment",
            {"reference": f"PAY-{deal.offer_id[-12:]}"},
        )

    async def _read_events(self) -> None:
        with suppress(aiohttp.ClientError, LinkDownError):
            async for seq, kind, data in self.client.events(self.last_seq):
                if self.log and kind in _OF_THE_LOG:
                    self.log.hear(data.get("checkpoint", ""))
                else:
                    self._hear(kind, data)
                self.last_seq = seq
                self._news.set()

    def _hear(self, kind: str, data: dict[str, Any]) -> None:
        family, _, event = kind.partition(".")
        if family == "offer" and (deal := self.deals.get(data["offer_id"])):
            self._note_offer(deal, data)
        elif family in ("commitment", "stop") and (deal := self._deal_of(data)):
            if event == "requested":
                deal.asked_to_stop = not self.faults.stop
                if self.on_stop:
                    self.on_stop(deal)
            if "state" in data and not (self.faults.stop and data["state"] == "revoked"):
                deal.commitment_state = data["state"]
        elif family == "settlement" and (deal := self._deal_of(data)):
            deal.settlement = data
            if self.on_settled:
                self.on_settled(deal)
        else:
            return
        if deal.over or event != "progress":
            self.world.ring(deal.bell)

    def _deal_of(self, data: dict[str, Any]) -> Deal | None:
        return self.by_commitment.get(data["commitment_id"])

    def _note_offer(self, deal: Deal, shown: dict[str, Any]) -> None:
        deal.state, deal.reason = shown["state"], shown.get("reason")
        deal.commitment_id = shown.get("commitment_id") or deal.commitment_id
        if deal.commitment_id:
            self.by_commitment[deal.commitment_id] = deal
        deal.revision, deal.terms_sha256 = shown["revision"], shown["terms_sha256"]
        decision = shown.get("decision")
        deal.counter = decision.get("counter_terms") if decision else None
        if decision and decision.get("consented_energy_wh"):
            deal.consented_wh = int(decision["consented_energy_wh"])
