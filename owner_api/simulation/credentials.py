"""How the parties of the simulation get their tokens: pairing, refreshing, client credentials."""

from collections.abc import Awaitable, Callable

from .client import ApiError, Client, Renew, Token


def park_access(client_id: str, secret: str) -> Renew:
    """Return how a park gets its token: OAuth 2 client credentials."""

    async def renew(client: Client, _token: Token | None) -> Token:
        return await client.grant(
            {
                "grant_type": "client_credentials",
                "client_id": client_id,
                "client_secret": secret,
            }
        )

    return renew


def phone_access(mint_code: Callable[[], Awaitable[str]], name: str) -> Renew:
    """Return how a phone gets its token: by refreshing, else by pairing with a new code."""

    async def renew(client: Client, token: Token | None) -> Token:
        if token and token.refresh:
            try:
                return await client.grant(
                    {"grant_type": "refresh_token", "refresh_token": token.refresh}
                )
            except ApiError as error:
                # Months without the app: the refresh token has died, the owner pairs again.
                if error.code != "invalid_grant":
                    raise
        return await client.pair(await mint_code(), f"{name}'s phone")

    return renew
