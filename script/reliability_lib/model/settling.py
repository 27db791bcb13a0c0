"""Steps of settlements: agreed, disputed, corrected, paid."""

from typing import Any

from .things import (
    Settlement,
)
from .world import World


class Settling(World):
    """Both sides at the books."""

    async def _settle(self, settlement: Settlement) -> None:
        twin, now = self.twin, self.now
        owner, park = settlement.deal.car.owner, settlement.deal.stay.park
        about = settlement.settlement_id
        draw = self.chance.random()
        body: dict[str, Any]
        if draw < 0.15:
            path, body = "/v1/settlements/{settlement_id}/confirmation", {}
            answer = await self.send(owner, "POST", path, body, settlement_id=about)
            self.agree("owner agrees", answer, twin.agree(settlement, owner=True))
        elif draw < 0.35:
            path, body = "/v1/park/settlements/{settlement_id}/confirmation", {}
            answer = await self.send(park, "POST", path, body, settlement_id=about)
            self.agree("park agrees", answer, twin.agree(settlement, owner=False))
        elif draw < 0.6:
            path, body = "/v1/settlements/{settlement_id}/dispute", {"reason": "my meter says less"}
            answer = await self.send(owner, "POST", path, body, settlement_id=about)
            self.agree("dispute", answer, twin.dispute(settlement, now))
        elif draw < 0.75:
            ordered = settlement.deal.committed_wh
            delivered = self.chance.choice((0, 400, ordered // 3, ordered, ordered + 1))
            path, body = (
                "/v1/park/settlements/{settlement_id}/correction",
                {"delivered_wh": delivered, "reason": "meter was read again"},
            )
            answer = await self.send(park, "POST", path, body, settlement_id=about)
            self.agree("correction", answer, twin.correct(settlement, delivered, now))
        else:
            reference = self.chance.choice(("BANK-1", "BANK-2"))
            path, body = "/v1/park/settlements/{settlement_id}/payment", {"reference": reference}
            answer = await self.send(park, "POST", path, body, settlement_id=about)
            self.agree("payment", answer, twin.pay(settlement, reference))
