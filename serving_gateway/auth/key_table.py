"""The table of API keys in PostgreSQL."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import psycopg

from foundation.endpoints import resolve_endpoints
from foundation.errors import StoreUnavailable, UnknownKey
from foundation.postgres import connect
from foundation.settings import Settings
from serving_gateway.auth.api_keys import ApiKey
from serving_gateway.auth.scopes import AccessScope

_SELECT = """
SELECT key_id, name, scopes, hash, created_at, expires_at, revoked_at FROM api_keys
ORDER BY created_at, key_id
"""
_INSERT = """
INSERT INTO api_keys (key_id, name, scopes, hash, created_at, expires_at)
VALUES (%s, %s, %s, %s, %s, %s)
"""
_REVOKE = "UPDATE api_keys SET revoked_at = coalesce(revoked_at, %(at)s) WHERE key_id = %(key_id)s"


async def read_keys(settings: Settings) -> Mapping[str, ApiKey]:
    """
    Return every key by its id; give up after the time that a connection may take.

    Raises:
        StoreUnavailable: PostgreSQL can't be reached, does not answer, or lacks the table.
    """
    url = resolve_endpoints(settings).postgres_url.get_secret_value()
    try:
        async with (
            asyncio.timeout(settings.postgres_connect_timeout_seconds),
            await psycopg.AsyncConnection.connect(
                url, options="-c timezone=UTC", application_name="feature-store-keys"
            ) as connection,
        ):
            cursor = await connection.execute(_SELECT)
            return {row[0]: _key(row) for row in await cursor.fetchall()}
    except (psycopg.OperationalError, psycopg.ProgrammingError, TimeoutError) as error:
        raise StoreUnavailable(
            f"PostgreSQL: {str(error).strip() or 'no answer in time'}",
            hint="Is it running, and its schema up to date? `make up` sees to both.",
        ) from error


def list_keys(settings: Settings) -> Sequence[ApiKey]:
    """
    Return every key, oldest first.

    Raises:
        StoreUnavailable: PostgreSQL can't be reached.
    """
    with connect(settings) as connection:
        return [_key(row) for row in connection.execute(_SELECT)]


def store_key(settings: Settings, key: ApiKey) -> None:
    """
    Store a new key.

    Raises:
        StoreUnavailable: PostgreSQL can't be reached.
    """
    row = (key.key_id, key.name, sorted(key.scopes), key.digest, key.created_at, key.expires_at)
    with connect(settings) as connection:
        connection.execute(_INSERT, row)


def revoke_key(settings: Settings, key_id: str, *, at: datetime) -> None:
    """
    Revoke a key; one that is revoked already stays so from when it was.

    Raises:
        UnknownKey: There is no such key.
        StoreUnavailable: PostgreSQL can't be reached.
    """
    with connect(settings) as connection:
        found = connection.execute(_REVOKE, {"key_id": key_id, "at": at}).rowcount
    if not found:
        raise UnknownKey(
            f"no API key has the id {key_id!r}",
            hint="`python -m serving_gateway keys list` shows the ids.",
        )


def _key(row: Sequence[Any]) -> ApiKey:
    key_id, name, scopes, digest, created_at, expires_at, revoked_at = row
    known = frozenset(scope for scope in AccessScope if scope in scopes)
    return ApiKey(key_id, name, known, digest, created_at, expires_at, revoked_at)
