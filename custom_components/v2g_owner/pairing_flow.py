"""Redeem a pairing code, or give a pairing back: what every way into the flow shares."""

from typing import Any, Final

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry, ConfigEntryState, ConfigFlow
from homeassistant.const import CONF_URL
from homeassistant.core import callback
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from .api import OwnerApi
from .api_errors import OwnerApiCertificateError, OwnerApiError, OwnerApiProblem
from .const import (
    CONF_DEVICE_ID,
    CONF_KEY_SHA256,
    CONF_OWNER_ID,
    CONF_PAIRING_CODE,
    CONF_RECEIPT_KEY,
    CONF_REFRESH_TOKEN,
    CONF_SERVER_ID,
    LOGGER,
)
from .credentials import async_give_back
from .pairing import InsecureUrlError, InvalidUrlError, PairingInput, device_name, read_pairing
from .pin import key_pin

_CODE_PROBLEMS: Final = frozenset(
    {"pairing_code_invalid", "pairing_code_expired", "pairing_code_exhausted", "rate_limited"}
)


class PairingFlow(ConfigFlow):
    """Talks to an owner API that has not paired with us yet, and names what goes wrong."""

    def __init__(self) -> None:
        """Start without knowing whose account it will be."""
        self._owner_name = ""

    def _read(
        self, url: str, code: str, errors: dict[str, str], key_sha256: str | None = None
    ) -> PairingInput | None:
        """Return what was typed, or name the field that is wrong in ``errors``."""
        field = CONF_URL if self.source != SOURCE_REAUTH else "base"
        try:
            return read_pairing(url, code, key_sha256)
        except InsecureUrlError:
            errors[field] = "insecure_url"
        except InvalidUrlError:
            errors[field] = "invalid_url"
        return None

    def _api(self, found: PairingInput) -> OwnerApi:
        """Return a client for an address that has not paired yet."""
        session = async_get_clientsession(self.hass)
        return OwnerApi(session, found.url, pin=key_pin(found.key_sha256))

    async def _async_pair(
        self, found: PairingInput, errors: dict[str, str]
    ) -> dict[str, Any] | None:
        """Redeem the code and return the entry's data, or say in ``errors`` why not."""
        try:
            api = self._api(found)
            # Who answers is asked first: a code tried on a stranger is a code given away.
            await api.server()
            pairing = await api.pair(found.code, device_name(self.hass.config.location_name))
            self._owner_name = str((await api.get("/v1/me")).get("display_name") or "")
        except OwnerApiProblem as error:
            known = error.code in _CODE_PROBLEMS
            errors[CONF_PAIRING_CODE] = error.code if known else "pairing_refused"
        except ValueError:
            errors[CONF_PAIRING_CODE] = "pairing_code_invalid"
        except OwnerApiCertificateError:
            errors["base"] = "certificate_unknown"
        except OwnerApiError as error:
            errors["base"] = error.translation_key
        except Exception:  # noqa: BLE001 - whatever it is, the form says so and can be sent again
            LOGGER.exception("Unexpected trouble while pairing")
            errors["base"] = "unknown"
        else:
            return {
                CONF_URL: found.url,
                CONF_KEY_SHA256: found.key_sha256,
                CONF_RECEIPT_KEY: pairing.receipt_key,
                CONF_SERVER_ID: pairing.server_id,
                CONF_OWNER_ID: pairing.owner_id,
                CONF_DEVICE_ID: pairing.device_id,
                CONF_REFRESH_TOKEN: pairing.refresh_token,
            }
        return None

    async def _async_same_server(
        self, found: PairingInput, entry: ConfigEntry, errors: dict[str, str]
    ) -> bool:
        """Tell whether the server we paired with answers at another address."""
        try:
            server = await self._api(found).server()
        except OwnerApiCertificateError:
            errors["base"] = "certificate_unknown"
            return False
        except OwnerApiError as error:
            key = error.translation_key
            errors["base"] = key if key in {"cannot_connect", "bad_answer"} else "unknown"
            return False
        if server.get("server_id") != entry.data[CONF_SERVER_ID]:
            errors[CONF_URL] = "different_server"
            return False
        return True

    @callback
    def _async_load_again(self, entry: ConfigEntry) -> None:
        """Try once more where loading failed: only a loaded entry follows its own changes."""
        if entry.state in {ConfigEntryState.SETUP_ERROR, ConfigEntryState.SETUP_RETRY}:
            self.hass.config_entries.async_schedule_reload(entry.entry_id)

    async def _async_unpair(self, data: dict[str, Any]) -> None:
        """Give a device back that nobody will use."""
        api = OwnerApi(
            async_get_clientsession(self.hass),
            data[CONF_URL],
            pin=key_pin(data[CONF_KEY_SHA256]),
            refresh_token=data[CONF_REFRESH_TOKEN],
        )
        await async_give_back(api, data[CONF_DEVICE_ID])
