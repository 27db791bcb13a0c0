"""The action that hands the owner their receipts: proof that needs neither us nor the operator."""

from typing import Final

from homeassistant.core import ServiceCall

from .api import Json
from .const import CONF_RECEIPT_KEY, CONF_SERVER_ID
from .service_targets import entry_of

ATTR_NEWEST: Final = "newest"


async def get_receipts(call: ServiceCall) -> Json:
    """Return the receipts kept here, oldest first, with all that is needed to check them."""
    entry = entry_of(call)
    kept = entry.runtime_data.log.receipts.documents
    trusted = entry.runtime_data.log.trusted
    held = trusted.held if trusted else None
    return {
        "server_id": entry.data[CONF_SERVER_ID],
        "public_key": {"kty": "OKP", "crv": "Ed25519", "x": entry.data[CONF_RECEIPT_KEY]},
        "checkpoint": held.note if held else None,
        "receipts": kept[-call.data[ATTR_NEWEST] :],
    }
