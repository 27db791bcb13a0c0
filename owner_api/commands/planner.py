"""Ask the planner one question, as it stands or in the form that is kept beside a deal."""

from typing import cast

from owner_api.planning.quote import answer_to_json, parse_request, quote
from owner_api.planning.request import QuoteRequest

from .edge import Json


def answer(request: QuoteRequest) -> Json:
    """Return the ``v2g.quote/1`` answer to a request."""
    return cast("Json", answer_to_json(quote(request)))


def ask(request: Json) -> Json:
    """Return the ``v2g.quote/1`` answer to a ``v2g.quote-request/1``."""
    return answer(parse_request(request))
