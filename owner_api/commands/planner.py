"""Ask the planner one question in the form that is also kept beside the deal."""

from typing import cast

from owner_api.planning.check import check
from owner_api.planning.evaluation import evaluate
from owner_api.planning.quote import answer_to_json, parse_request, quote

from .edge import Json


def ask(request: Json) -> Json:
    """Return the ``v2g.quote/1`` answer to a ``v2g.quote-request/1``."""
    return cast("Json", answer_to_json(quote(parse_request(request))))


def most_energy_wh(request: Json) -> int:
    """Return only ``max_energy_wh`` of the answer: a tenth of the work, for what is shown often."""
    asked = parse_request(request)
    check(asked)
    return evaluate(asked).max_energy_wh
