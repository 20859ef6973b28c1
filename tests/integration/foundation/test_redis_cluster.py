"""Reads of a cluster go to the nodes that have the keys, as far as is known, and learn where."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import redis

from foundation.errors import ConfigurationError
from foundation.redis import cluster_map
from foundation.redis_cluster import Address, ClusterMap
from foundation.redis_commands import Keys
from foundation.settings import Settings
from tests.integration.clusters import HOST, running_node

KEYS = [f"key {number}" for number in range(300)]


def _settings(url: str) -> Settings:
    return Settings.model_validate(
        {"redis_url": url, "redis_cluster": True, "postgres_url": "postgresql://nowhere"}
    )


@pytest.fixture
async def nodes(cluster: redis.RedisCluster, cluster_port: int) -> AsyncIterator[ClusterMap]:
    """Yield the map of a cluster that holds the keys, each its own name, for a minute."""
    for key in KEYS:
        cluster.set(key, key, ex=60)
    known = cluster_map(_settings(f"redis://{HOST}:{cluster_port}"))
    await known.refresh()
    yield known
    await known.close()


async def _read(nodes: ClusterMap, keys: Sequence[str]) -> dict[str, bytes | None]:
    found: dict[str, bytes | None] = {}
    for address in {nodes.owner(key) for key in keys}:
        assert address is not None
        part = [key for key in keys if nodes.owner(key) == address]
        found |= zip(part, await nodes.reads(address).mget([Keys.unlike(part)]), strict=True)
    return found


async def test_every_key_is_where_the_map_says(
    nodes: ClusterMap, cluster: redis.RedisCluster
) -> None:
    """On three nodes, with its expiry; a key that nobody has is missing where it would be."""
    owners = {nodes.owner(key) for key in KEYS}
    assert owners == {Address(node.host, node.port) for node in cluster.get_primaries()}
    expected: dict[str, bytes | None] = {key: key.encode() for key in KEYS}
    assert await _read(nodes, [*KEYS, "nothing"]) == expected | {"nothing": None}
    owner = nodes.owner(KEYS[0])
    assert owner is not None
    [expiry] = await nodes.reads(owner).expiries(KEYS[:1])
    assert expiry == cluster.pexpiretime(KEYS[0])


async def test_a_key_that_has_moved_is_missing_until_the_nodes_are_asked(
    nodes: ClusterMap, cluster: redis.RedisCluster
) -> None:
    """And costs no other key its value."""
    cluster.delete(KEYS[0])
    old = cluster.get_node_from_key(KEYS[0])
    new = next(node for node in cluster.get_primaries() if node.name != old.name)
    identity = cluster.get_redis_connection(new).execute_command("CLUSTER MYID").decode()
    for node in cluster.get_primaries():
        cluster.get_redis_connection(node).execute_command(
            "CLUSTER SETSLOT", cluster.keyslot(KEYS[0]), "NODE", identity
        )
    cluster.get_redis_connection(new).set(KEYS[0], "moved")
    expected: dict[str, bytes | None] = {key: key.encode() for key in KEYS[1:]}
    assert await _read(nodes, KEYS) == expected | {KEYS[0]: None}
    assert nodes.is_outdated
    await nodes.refresh()
    assert await _read(nodes, KEYS) == expected | {KEYS[0]: b"moved"}
    assert not nodes.is_outdated


async def test_who_knows_nothing_says_so() -> None:
    """No node can be reached."""
    known = cluster_map(_settings(f"redis://{HOST}:1"))
    with pytest.raises(redis.ConnectionError, match="no node tells"):
        await known.refresh()
    assert not known.is_known
    await known.close()


async def test_a_node_that_knows_no_cluster_is_not_believed(tmp_path: Path) -> None:
    """Such as one that came back without its memory."""
    with running_node(tmp_path / "node") as node:
        known = cluster_map(_settings(f"redis://{HOST}:{node.port}"))
        with pytest.raises(redis.ConnectionError, match="knows of no cluster"):
            await known.refresh()
        assert not known.is_known
        await known.close()


async def test_a_single_node_is_no_cluster(settings: Settings) -> None:
    """It is reached otherwise, or says that it is none."""
    with pytest.raises(ConfigurationError, match="over the network"):
        cluster_map(settings.model_copy(update={"redis_cluster": True}))


async def test_who_leaves_is_not_told_of_errors(nodes: ClusterMap) -> None:
    """Nor is anybody else: no future is left with an error that nobody looks at."""
    owner = nodes.owner(KEYS[0])
    assert owner is not None
    reads = nodes.reads(owner)
    await reads.mget([Keys.unlike(KEYS[:1])])
    its_own = [key for key in KEYS if nodes.owner(key) == owner]
    leaving = asyncio.create_task(reads.mget([Keys.unlike(its_own)]))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await reads.close()
