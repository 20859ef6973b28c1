"""Clients of Redis: one node or a cluster, for jobs and for serving."""

from typing import Any, TypeAlias

import redis
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from foundation.endpoints import resolve_endpoints
from foundation.errors import ConfigurationError, StoreUnavailable
from foundation.redis_cluster import Address, ClusterMap
from foundation.settings import Settings

Client: TypeAlias = redis.Redis | redis.RedisCluster
AsyncClient: TypeAlias = redis.asyncio.Redis | redis.asyncio.RedisCluster

_PORT = 6379


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
    if not settings.redis_cluster:
        return serving_client(settings)
    client: AsyncClient = redis.asyncio.RedisCluster.from_url(
        resolve_endpoints(settings).redis_url.get_secret_value(), **_for_serving(settings)
    )
    return client


def serving_client(settings: Settings) -> redis.asyncio.Redis:
    """Return a client of the node that the URL names, whether or not it belongs to a cluster."""
    return redis.asyncio.Redis.from_url(
        resolve_endpoints(settings).redis_url.get_secret_value(), **_for_serving(settings)
    )


def cluster_map(settings: Settings) -> ClusterMap:
    """
    Return a map of the cluster, for serving reads; it is asked for when it is needed.

    Raises:
        ConfigurationError: The URL names no node of a cluster.
    """

    def client_of(address: Address) -> redis.asyncio.Redis:
        client = serving_client(settings)
        client.connection_pool.connection_kwargs.update(address._asdict())
        return client

    named = serving_client(settings).connection_pool.connection_kwargs
    if "host" not in named:
        raise ConfigurationError(
            "the nodes of a Redis Cluster are reached over the network",
            hint="FEATURE_STORE_REDIS_URL must name one of them, as redis://host:port.",
        )
    return ClusterMap(client_of, Address(named["host"], named.get("port", _PORT)))


def _for_serving(settings: Settings) -> dict[str, Any]:
    return {
        **_encryption(settings),
        "socket_connect_timeout": settings.redis_connect_timeout_seconds,
        "max_connections": settings.redis_max_connections,
        # Once, for a connection that died in the pool; whoever waits for a value can't wait longer.
        "retry": Retry(NoBackoff(), retries=1, supported_errors=(redis.ConnectionError,)),
    }


def _encryption(settings: Settings) -> dict[str, str]:
    """Return what a client of a rediss:// URL is told besides; the server's name is checked."""
    files = {
        "ssl_ca_certs": settings.redis_tls_ca,
        "ssl_certfile": settings.redis_tls_certificate,
        "ssl_keyfile": settings.redis_tls_key,
    }
    return {name: str(path) for name, path in files.items() if path is not None}
