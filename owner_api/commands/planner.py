"""Ask the planner one question in the form that is also kept beside the deal."""

from typing import cast

from owner_api.planning import reach
from owner_api.planning.quote import answer_to_json, parse_request, quote

from .edge import Json


def ask(request: Json) -> Json:
    """Return the ``v2g.quote/1`` answer to a ``v2g.quote-request/1``."""
    return cast("Json", answer_to_json(quote(parse_request(request))))


def most_energy_wh(request: Json) -> int:
    """Return only ``max_energy_wh`` of the answer: a small part of the work, and shown often."""
    return reach.most_energy_wh(parse_request(request))
