"""What the person who runs the server can do, by name: on a file at rest or on a running server."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from owner_api.access.services import Access
from owner_api.calls import NewId
from owner_api.config import Config
from owner_api.problems import Problem, ProblemCode
from owner_api.store import Tx

from . import devices, erasure, owners, pairing, parks
from .edge import instant

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """What an operator's command is run with."""

    access: Access
    config: Config
    now: datetime
    new_id: NewId


def run(tx: Tx, operator: Operator, name: str, arguments: Mapping[str, Any]) -> Json:
    """Run one of the commands below; raises Problem for an unknown name or bad arguments."""
    command = COMMANDS.get(name)
    if command is None:
        raise Problem(ProblemCode.NOT_FOUND, f"There is no operator's command {name!r}.")
    return command(tx, operator, arguments)


def _owner_add(tx: Tx, operator: Operator, arguments: Mapping[str, Any]) -> Json:
    return owners.add_owner(tx, now=operator.now, new_id=operator.new_id, **arguments)


def _owner_list(tx: Tx, _operator: Operator, _arguments: Mapping[str, Any]) -> Json:
    rows = tx.all("SELECT * FROM owner WHERE erased_at IS NULL ORDER BY owner_id")
    return {"items": [owners.owner_view(row) for row in rows]}


def _owner_erase(tx: Tx, operator: Operator, arguments: Mapping[str, Any]) -> Json:
    return erasure.erase_owner(
        tx,
        owner_id=arguments["owner_id"],
        now=operator.now,
        new_id=operator.new_id,
        config=operator.config,
    )


def _park_add(tx: Tx, operator: Operator, arguments: Mapping[str, Any]) -> Json:
    added = parks.add_park(tx, now=operator.now, new_id=operator.new_id, **arguments)
    key = operator.access.keys.receipt.public_jwk
    return {"client_id": added.park_id, "receipt_key": key} | asdict(added)


def _park_list(tx: Tx, _operator: Operator, _arguments: Mapping[str, Any]) -> Json:
    return {"items": parks.all_views(tx)}


def _park_terms(tx: Tx, _operator: Operator, arguments: Mapping[str, Any]) -> Json:
    version = parks.set_terms(tx, **arguments)
    return {"park_id": arguments["park_id"], "terms_version": version}


def _park_secret(tx: Tx, _operator: Operator, arguments: Mapping[str, Any]) -> Json:
    park_id = arguments["park_id"]
    secret = parks.renew_secret(tx, park_id=park_id)
    return {"client_id": park_id, "park_id": park_id, "client_secret": secret}


def _pair(tx: Tx, operator: Operator, arguments: Mapping[str, Any]) -> Json:
    minted = pairing.mint(
        tx,
        access=operator.access,
        config=operator.config,
        now=operator.now,
        new_id=operator.new_id,
        **arguments,
    )
    return asdict(minted)


def _device_list(tx: Tx, _operator: Operator, arguments: Mapping[str, Any]) -> Json:
    owner = owners.find_owner(tx, arguments["owner_id"])
    return {"items": devices.views(tx, owner["owner_id"])}


def _device_revoke(tx: Tx, operator: Operator, arguments: Mapping[str, Any]) -> Json:
    device_id = arguments["device_id"]
    row = tx.one("SELECT owner_id FROM device WHERE device_id = ?", device_id)
    owner_id = str(row["owner_id"]) if row else ""
    devices.revoke(tx, now=operator.now, owner_id=owner_id, device_id=device_id, reason="operator")
    after = tx.one("SELECT revoked_at FROM device WHERE device_id = ?", device_id)
    assert after is not None
    return {
        "device_id": device_id,
        "owner_id": owner_id,
        "revoked_at": instant(after["revoked_at"]),
    }


COMMANDS: Final[Mapping[str, Callable[[Tx, Operator, Mapping[str, Any]], Json]]] = {
    "owner add": _owner_add,
    "owner list": _owner_list,
    "owner erase": _owner_erase,
    "park add": _park_add,
    "park list": _park_list,
    "park terms": _park_terms,
    "park secret": _park_secret,
    "pair": _pair,
    "device list": _device_list,
    "device revoke": _device_revoke,
}
# Those that write nothing: a server need not run them where it writes.
QUERIES: Final = frozenset({"owner list", "park list", "device list"})
