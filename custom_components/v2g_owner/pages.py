"""A list that the API tells page by page, read to its end."""

from typing import Final

from .api import Json, OwnerApi
from .trust_proofs import readable

_MOST_A_PAGE: Final = 200


async def async_every_item(api: OwnerApi, path: str) -> list[Json]:
    """Return all items of a list, in the API's order."""
    found: list[Json] = []
    after = ""
    while True:
        answer = await api.get(f"{path}?limit={_MOST_A_PAGE}{after}")
        with readable(path):
            found += [dict(item) for item in answer["items"]]
        if not answer.get("next_cursor"):
            return found
        after = f"&cursor={answer['next_cursor']}"
