"""Clients of Redis: one node or a cluster, for jobs and for serving."""

from typing import TypeAlias

import redis
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from foundation.endpoints import resolve_endpoints
from foundation.errors import StoreUnavailable
from foundation.settings import Settings

Client: TypeAlias = redis.Redis | redis.RedisCluster
AsyncClient: TypeAlias = redis.asyncio.Redis | redis.asyncio.RedisCluster


def connect(settings: Settings) -> Client:
    """
    Return a client for bulk writes and maintenance.

    It connects at its first command; to a cluster at once, to learn its nodes.

    Raises:
        StoreUnavailable: The cluster can't be reached.
    """
    url = resolve_endpoints(settings).redis_url.get_secret_value()
    kind = redis.RedisCluster if settings.redis_cluster else redis.Redis
    try:
        client: Client = kind.from_url(
            url,
            **_encryption(settings),
            socket_timeout=settings.redis_write_timeout_seconds,
            socket_connect_timeout=settings.redis_connect_timeout_seconds,
        )
    except (redis.RedisError, redis.RedisClusterException) as error:
        raise StoreUnavailable(
            f"Redis Cluster: {error}", hint="FEATURE_STORE_REDIS_URL must name one of its nodes."
        ) from error
    return client


def connect_async(settings: Settings) -> AsyncClient:
    """
    Return a client for serving reads; it connects at its first command.

    It waits for answers as long as its callers let it.
    """
    url = resolve_endpoints(settings).redis_url.get_secret_value()
    kind = redis.asyncio.RedisCluster if settings.redis_cluster else redis.asyncio.Redis
    client: AsyncClient = kind.from_url(
        url,
        **_encryption(settings),
        socket_connect_timeout=settings.redis_connect_timeout_seconds,
        max_connections=settings.redis_max_connections,
        # Once, for a connection that died in the pool; whoever waits for a value can't wait longer.
        retry=Retry(NoBackoff(), retries=1, supported_errors=(redis.ConnectionError,)),
    )
    return client


def _encryption(settings: Settings) -> dict[str, str]:
    """Return what a client of a rediss:// URL is told besides; the server's name is checked."""
    files = {
        "ssl_ca_certs": settings.redis_tls_ca,
        "ssl_certfile": settings.redis_tls_certificate,
        "ssl_keyfile": settings.redis_tls_key,
    }
    return {name: str(path) for name, path in files.items() if path is not None}
