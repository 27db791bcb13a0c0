"""After a restore: show the server the receipts of what it lost, so that its log says it again."""

from typing import Final

from .api import Json, OwnerApi
from .api_errors import OwnerApiProblem
from .const import LOGGER

# The record of a replay is itself a receipt; replaying that again would only wrap it once more.
REPLAYED: Final = "receipt.replayed"
_PATH: Final = "/v1/ledger/receipts"
_PARTS: Final = ("jws", "proof", "checkpoint", "key_statements")
# Refused for good: asked again it would be refused again.
_NO: Final = frozenset({"invalid_body", "payload_too_large", "not_found", "method_not_allowed"})


def is_waiting(receipt: Json) -> bool:
    """Tell whether a restore lost what a receipt proves, and nobody has said so to the log yet."""
    lost = receipt.get("missing_since_epoch")
    return (
        lost is not None
        and receipt.get("shown_in_epoch") != lost
        and receipt.get("kind") != REPLAYED
    )


async def async_replay(api: OwnerApi, receipt: Json) -> None:
    """Show one receipt and note what came of it; the server records each once, however often asked.

    Raises OwnerApiError when the API could not be asked: then it is still waiting.
    """
    shown: Json = {name: receipt[name] for name in _PARTS if name in receipt}
    try:
        answer = await api.post(_PATH, shown)
    except OwnerApiProblem as error:
        if error.code not in _NO:
            raise
        LOGGER.debug("A receipt was not taken: %s", error)
        answer = {"serving": True}
    if answer.get("serving"):
        receipt["replayed_as"] = answer.get("receipt_id")
        receipt["shown_in_epoch"] = receipt["missing_since_epoch"]
