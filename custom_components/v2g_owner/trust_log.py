"""Judge whether the log that the operator shows only grew from what we hold.

Every answer of the API is a claim. Signatures, proofs and the checkpoint we kept decide; what they
do not carry is a contradiction, never a network fault.
"""

from dataclasses import dataclass, replace

from .api import OwnerApi
from .trust_epoch import NewEpoch, opened_since
from .trust_keys import Keyring, TrustError, UnknownKeyError, keyring, vouched
from .trust_note import Checkpoint, read_note
from .trust_proofs import LogContradictionError, prove_growth, prove_said, read_items
from .trust_receipt import issuer


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """What we go by: the server, the keys we trust (as JWK ``x``), the last checkpoint."""

    server_id: str
    keys: tuple[str, ...]
    held: Checkpoint | None = None

    @property
    def keyring(self) -> Keyring:
        """The trusted keys by thumbprint."""
        return keyring(*self.keys)


async def judge(
    api: OwnerApi, trusted: Trusted, note: str, *, is_head: bool
) -> tuple[Trusted, NewEpoch | None]:
    """Return what to trust after a checkpoint was shown, and the new epoch where one began.

    ``is_head``: the log is now no longer than this. Else it may be old news, late on its way.
    Raises LogContradictionError, or OwnerApiError when the API could not be asked.
    """
    try:
        try:
            shown = read_note(note, trusted.keyring)
        except UnknownKeyError:
            trusted = replace(trusted, keys=await _followed(api, trusted, note))
            shown = read_note(note, trusted.keyring)
    except TrustError as error:
        raise LogContradictionError("unknown_key", str(error), note) from error
    if shown.server_id != trusted.server_id:
        raise LogContradictionError("rewritten", "the log of another server", note)
    held = trusted.held
    if held is None:
        return replace(trusted, held=shown), None
    if shown.epoch > held.epoch:
        opened = await opened_since(api, trusted.keyring, held, shown)
        return replace(trusted, held=shown), opened
    if (shown.epoch, shown.size) < (held.epoch, held.size):
        if is_head:
            raise LogContradictionError(
                "shorter", f"{shown.size} entries where {held.size} were signed", note
            )
        if shown.epoch == held.epoch:
            await prove_growth(api, shown, held, note)
        return trusted, None
    await prove_growth(api, held, shown, note)
    return replace(trusted, held=shown), None


async def _followed(api: OwnerApi, trusted: Trusted, note: str) -> tuple[str, ...]:
    """Return our keys and those that they vouch for *and* whose entry the shown log holds."""
    keys, found = list(trusted.keys), []
    for item in await read_items(api, "/v1/ledger/keys"):
        said = {name: item.get(name) for name in ("key_id", "x", "statement")}
        try:
            x = vouched(str(said["statement"]), keyring(*keys), issuer(trusted.server_id))
        except TrustError:
            # Older than what we pinned, or bent: nobody here trusts it, and nothing hangs on it.
            continue
        if x == said["x"] and x not in keys:
            keys.append(x)
            found.append((item, said))
    shown = read_note(note, keyring(*keys))
    for item, said in found:
        await prove_said(api, "key", item, said, shown)
    return tuple(keys)
