"""How old a state of charge may be: as the owner says, or as the operator where that is stricter.

While discharging it is judged where the settings are at hand (``guard``). At a consent, and for
what an owner is shown, it is judged deep inside: the server notes its setting when it starts.
"""

from typing import Final

from owner_api.access.services import read_meta, write_meta
from owner_api.config import Config
from owner_api.core.model import Preferences
from owner_api.store.tx import Tx

_AT_CONSENT: Final = "soc_max_age_consent_s"


def note(tx: Tx, config: Config) -> None:
    """Keep what the operator allows, as of this start."""
    write_meta(tx, _AT_CONSENT, str(config.soc_max_age_consent_s))
    tx.lasting.pop(_AT_CONSENT, None)


def at_consent_s(tx: Tx, preferences: Preferences) -> int:
    """Return how old (s) a reading may be when somebody says yes."""
    if _AT_CONSENT not in tx.lasting:
        noted = read_meta(tx, _AT_CONSENT)
        tx.lasting[_AT_CONSENT] = None if noted is None else int(noted)
    # Without a word of the operator's the owner's stands.
    allowed: int | None = tx.lasting[_AT_CONSENT]
    asked = preferences.soc_max_age_consent_s
    return asked if allowed is None else min(asked, allowed)
