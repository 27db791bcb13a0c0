"""What a park's dispatcher may call: sessions, offers, awards, instructions, meter, settlement."""

from typing import Final

from owner_api.server.routing import Route

from .commitments import COMMITMENTS
from .offers import OFFERS
from .sessions import SESSIONS
from .settlements import CLAIMS, SETTLEMENTS

ROUTES: Final[tuple[Route, ...]] = (*SESSIONS, *OFFERS, *COMMITMENTS, *SETTLEMENTS, *CLAIMS)
