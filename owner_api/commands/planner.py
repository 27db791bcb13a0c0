"""Ask the planner one question, as it stands or in the form that is kept beside a deal."""

from typing import cast

from owner_api.planning.answer_json import answer_to_json, judgement_to_json
from owner_api.planning.departure import Prices
from owner_api.planning.quote import parse_request, quote, quote_accepted
from owner_api.planning.request import QuoteRequest

from .edge import Json


def judgement(request: QuoteRequest, *, counter: bool = True, prices: Prices | None = None) -> Json:
    """Return the answer to a request as far as an owner sees it.

    Without ``counter`` no other terms are looked for where the offer's own are good. ``prices``
    tells the tariff up to a later leave time.
    """
    short = None if counter else quote_accepted(request)
    return cast("Json", judgement_to_json(short or quote(request, prices)))


def ask(request: Json) -> Json:
    """Return the ``v2g.quote/1`` answer to a ``v2g.quote-request/1``."""
    return cast("Json", answer_to_json(quote(parse_request(request))))
