"""What an owner's device may call: vehicles, offers, decisions, deals, rewards."""

from typing import Final

from owner_api.server.routing import Route

from .agreements import AGREEMENTS
from .chargers import CHARGERS
from .deals import DEALS
from .money import MONEY
from .vehicles import VEHICLES

ROUTES: Final[tuple[Route, ...]] = (*VEHICLES, *CHARGERS, *AGREEMENTS, *DEALS, *MONEY)
