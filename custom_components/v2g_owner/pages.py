"""A list that the API tells page by page, read to its end."""

from collections.abc import AsyncIterator
from typing import Final

from .api import Json, OwnerApi
from .trust_proofs import readable

_MOST_A_PAGE: Final = 200


async def async_every_item(api: OwnerApi, path: str) -> list[Json]:
    """Return all items of a list, in the API's order; for what a person has a handful of."""
    return [item async for items in async_pages(api, path) for item in items]


async def async_pages(api: OwnerApi, path: str) -> AsyncIterator[list[Json]]:
    """Yield the items of a list page by page, in the API's order."""
    after = ""
    while True:
        answer = await api.get(f"{path}?limit={_MOST_A_PAGE}{after}")
        with readable(path):
            items = [dict(item) for item in answer["items"]]
        yield items
        if not answer.get("next_cursor"):
            return
        after = f"&cursor={answer['next_cursor']}"
