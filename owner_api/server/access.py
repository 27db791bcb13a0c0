"""Operations that let somebody in, say who they are, and shut somebody out."""

from functools import partial

from aiohttp import web
import orjson

from owner_api.access.services import Access
from owner_api.calls import Principal
from owner_api.commands import devices, owners, pairing, parks, tokens
from owner_api.problems import ProblemCode
from owner_api.schemas import access as messages
from owner_api.schemas.owner import OWNER_PATCH

from .routing import PAGE, Endpoint, Operation, Route


def access_routes(access: Access) -> tuple[Operation, ...]:
    """Return the operations of access, bound to one server's keys."""
    return (*_credentials(access), *_identity(), _key_set(access))


def _credentials(access: Access) -> tuple[Route, ...]:
    return (
        Route(
            method="POST",
            path="/v1/pair",
            role="public",
            kind="command",
            summary="Trade a one-time pairing code for a device with tokens",
            request=messages.PAIR,
            answer=messages.PAIR_ANSWER,
            status=201,
            secret_answer=True,
            problems=(
                ProblemCode.PAIRING_CODE_INVALID,
                ProblemCode.PAIRING_CODE_EXPIRED,
                ProblemCode.PAIRING_CODE_EXHAUSTED,
                ProblemCode.CONFLICT,
            ),
            handler=partial(pairing.pair, access),
        ),
        Route(
            method="POST",
            path="/v1/token",
            role="public",
            kind="command",
            summary="Refresh a device's tokens, or get a park's (OAuth 2, RFC 6749)",
            request=messages.TOKEN,
            answer=messages.TOKEN_ANSWER,
            media="form",
            # RFC 6749 knows no such key; the refresh grace answers a lost answer instead.
            idempotent=False,
            problems=(
                ProblemCode.INVALID_CLIENT,
                ProblemCode.INVALID_GRANT,
                ProblemCode.UNSUPPORTED_GRANT_TYPE,
            ),
            handler=partial(tokens.grant, access),
        ),
        Route(
            method="POST",
            path="/v1/pairing-codes",
            role="owner",
            kind="command",
            summary="Make the one-time code for the owner's next device",
            request=messages.CODE_CREATE,
            answer=messages.CODE_ANSWER,
            status=201,
            secret_answer=True,
            handler=partial(pairing.create_code, access),
        ),
    )


def _identity() -> tuple[Route, ...]:
    return (
        Route(
            method="GET",
            path="/v1/me",
            role="any",
            kind="query",
            summary="Who the caller is",
            answer=messages.ME,
            handler=owners.me,
            few_rows=True,
            timeless=True,
        ),
        Route(
            method="PATCH",
            path="/v1/me",
            role="owner",
            kind="command",
            summary="Change the owner's name, time zone, language or currency",
            request=OWNER_PATCH,
            answer=messages.ME,
            needs_if_match=True,
            problems=(ProblemCode.CONFLICT,),
            handler=owners.patch_me,
        ),
        Route(
            method="GET",
            path="/v1/devices",
            role="owner",
            kind="query",
            summary="The owner's paired devices",
            query=PAGE,
            answer=messages.DEVICES,
            handler=devices.list_devices,
        ),
        Route(
            method="DELETE",
            path="/v1/devices/{device_id}",
            role="owner",
            kind="command",
            summary="Shut a device out at once",
            status=204,
            problems=(ProblemCode.NOT_FOUND,),
            handler=devices.revoke_device,
        ),
        Route(
            method="GET",
            path="/v1/parks",
            role="owner",
            kind="query",
            summary="Parks an owner can join, and their terms",
            query=PAGE,
            answer=messages.PARKS,
            handler=parks.list_parks,
        ),
    )


def _key_set(access: Access) -> Endpoint:
    body = orjson.dumps(access.keys.jwks())

    async def serve(_request: web.Request, _principal: Principal) -> web.StreamResponse:
        return web.Response(body=body, content_type="application/json")

    return Endpoint(
        method="GET",
        path="/v1/jwks.json",
        role="public",
        kind="query",
        summary="The public keys of this server's tokens and receipts (RFC 7517)",
        answer=messages.JWKS,
        serve=serve,
    )
