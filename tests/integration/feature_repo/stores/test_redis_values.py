"""Values in Redis are fresh, newest, and removable, on one node and on a cluster."""

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from feature_repo.registry.metadata import FeatureType
from feature_repo.stores.redis_reads import read_texts, read_timed_texts
from feature_repo.stores.redis_values import delete_values, write_values
from foundation.errors import ContractViolation, StoreUnavailable
from foundation.redis import Client, connect, connect_async
from foundation.redis_commands import Keys
from foundation.redis_pipeline import PipelinedReads
from foundation.settings import Settings
from tests.integration.clusters import HOST, running_cluster
from tests.integration.feature_repo.stores.conftest import make_feature

# Microseconds that milliseconds can't hold.
NOW = datetime.now(UTC).replace(microsecond=123_456)
FEATURE = make_feature("score", FeatureType.FLOAT)
write = partial(write_values, feature=FEATURE, now=NOW)


def _values(texts: dict[str, str], timestamp: datetime = NOW) -> pa.Table:
    return pa.table(
        {
            "entity_id": pa.array(list(texts), pa.string()),
            "feature_value": pa.array(list(texts.values()), pa.string()),
            "timestamp": pa.array([timestamp] * len(texts), pa.timestamp("us", "UTC")),
        }
    )


@pytest.fixture(params=["node", "cluster"])
def client(request: pytest.FixtureRequest) -> Client:
    """Return a client of one node, then of a cluster."""
    fixture = {"node": "valkey", "cluster": "cluster"}[request.param]
    connected: Client = request.getfixturevalue(fixture)
    return connected


def test_a_value_has_its_key_its_text_and_its_life(client: Client) -> None:
    """The key is the specification's, and expires a tolerance after the event timestamp."""
    assert write(client, values=_values({"prod_1": "0.87"})) == 1
    key = "feature:score:prod_1:v1.0.0"
    assert client.get(key) == b"0.87"
    expected = NOW + FEATURE.staleness_tolerance
    assert client.pexpiretime(key) == int(expected.timestamp() * 1_000)


def test_an_older_value_never_replaces_a_newer_one(client: Client) -> None:
    """Order of writing does not matter; order of event timestamps does."""
    minute = timedelta(minutes=1)
    assert write(client, values=_values({"a": "2"})) == 1
    assert write(client, values=_values({"a": "1", "b": "1"}, NOW - minute)) == 1
    assert client.get("feature:score:a:v1.0.0") == b"2"
    assert client.get("feature:score:b:v1.0.0") == b"1"
    assert write(client, values=_values({"b": "3"}, NOW)) == 1
    assert client.get("feature:score:b:v1.0.0") == b"3"


def test_an_equally_old_value_is_a_correction(client: Client) -> None:
    """The same event timestamp replaces; writing the same again changes nothing."""
    write(client, values=_values({"a": "1"}))
    write(client, values=_values({"a": "2"}))
    before = client.dump("feature:score:a:v1.0.0")
    write(client, values=_values({"a": "2"}))
    assert client.dump("feature:score:a:v1.0.0") == before
    assert client.get("feature:score:a:v1.0.0") == b"2"


def test_what_is_no_correction_replaces_older_values_only(client: Client) -> None:
    """An equally old value stays, for it may be the correction of this one."""
    write(client, values=_values({"a": "1"}))
    late = _values({"a": "2", "c": "2"})
    assert write(client, values=late, replaces_equal=False) == 1
    assert client.get("feature:score:a:v1.0.0") == b"1"
    assert client.get("feature:score:c:v1.0.0") == b"2"
    newer = _values({"a": "3"}, NOW + timedelta(milliseconds=1))
    assert write(client, values=newer, replaces_equal=False) == 1


@pytest.mark.parametrize(
    ("age", "stored"),
    [
        (timedelta(hours=1), 0),
        (timedelta(minutes=20), 1),
        (timedelta(days=9), 0),
    ],
)
def test_what_is_stale_is_not_stored(client: Client, age: timedelta, stored: int) -> None:
    """A value whose life is over has no place where everything is fresh."""
    assert write(client, values=_values({"a": "1"}, NOW - age)) == stored
    assert client.exists("feature:score:a:v1.0.0") == stored


def test_many_values_of_mixed_ages_all_arrive(client: Client) -> None:
    """More rows than one call takes, two event timestamps, a sliced table."""
    texts = {f"p{n}": str(n) for n in range(2_500)}
    newer, older = (
        _values(texts),
        _values({f"q{n}": "1" for n in range(700)}, NOW - timedelta(1 / 48)),
    )
    together = pa.concat_tables([newer.slice(100), older])
    assert write(client, values=together) == 3_100
    found = read_timed_texts(
        client,
        [FEATURE] * 3,
        ["feature:score:p99:v1.0.0", "feature:score:p100:v1.0.0", "feature:score:q699:v1.0.0"],
    )
    assert found[0] is None
    assert [timed and timed[0] for timed in found[1:]] == [b"100", b"1"]


def test_values_with_times_of_their_own_live_as_long(client: Client) -> None:
    """Every row of one table can have its own event timestamp, and expires by it."""
    ages = {f"p{n}": timedelta(seconds=n) for n in range(600)}
    tables = [_values({name: f"{age.seconds}"}, NOW - age) for name, age in ages.items()]
    assert write(client, values=pa.concat_tables(tables)) == len(ages)
    keys = [f"feature:score:{name}:v1.0.0" for name in ages]
    expected = [
        (b"%d" % age.seconds, NOW.replace(microsecond=123_000) - age) for age in ages.values()
    ]
    assert read_timed_texts(client, [FEATURE] * len(keys), keys) == expected


def test_of_one_entity_the_newest_row_stays(client: Client) -> None:
    """Whatever the order of the table; of equally old ones the last."""
    second = timedelta(seconds=1)
    rows = [("1", NOW - second), ("2", NOW), ("3", NOW), ("4", NOW - 2 * second)]
    write(client, values=pa.concat_tables([_values({"a": text}, at) for text, at in rows]))
    assert client.get("feature:score:a:v1.0.0") == b"3"


@pytest.mark.parametrize("column", ["entity_id", "feature_value", "timestamp"])
def test_nulls_are_refused_before_anything_is_stored(valkey: redis.Redis, column: str) -> None:
    """A row without id, value or timestamp breaks the contract, and says which."""
    complete = _values({"a": "1", "b": "2"})
    place = complete.column_names.index(column)
    holed = pa.array([complete[column][0].as_py(), None], complete[column].type)
    with pytest.raises(ContractViolation, match=f"1 of 2 rows have no {column}"):
        write(valkey, values=complete.set_column(place, column, holed))
    assert valkey.dbsize() == 0


def test_what_does_not_expire_is_not_a_value(valkey: redis.Redis) -> None:
    """A key without an expiry, or just expired, has no event timestamp to tell."""
    valkey.set("feature:score:a:v1.0.0", "1")
    assert read_timed_texts(valkey, [FEATURE], ["feature:score:a:v1.0.0"]) == [None]


def test_writes_follow_a_slot_that_moved(cluster: redis.RedisCluster) -> None:
    """A client that has known the cluster for long finds the new owner."""
    key = "feature:score:a:v1.0.0"
    nodes = cluster.get_primaries()
    old = cluster.get_node_from_key(key)
    new = next(node for node in nodes if node.name != old.name)
    identity = cluster.get_redis_connection(new).execute_command("CLUSTER MYID").decode()
    for node in nodes:
        cluster.get_redis_connection(node).execute_command(
            "CLUSTER SETSLOT", cluster.keyslot(key), "NODE", identity
        )
    assert write(cluster, values=_values({"a": "1"})) == 1
    assert cluster.get_redis_connection(new).get(key) == b"1"


def test_an_unreachable_cluster_is_said_to_be_unavailable() -> None:
    """Its client asks for the nodes when it is made."""
    settings = Settings.model_validate(
        {
            "redis_url": "redis://127.0.0.1:1",
            "redis_cluster": True,
            "postgres_url": "postgresql://nowhere",
        }
    )
    with pytest.raises(StoreUnavailable, match="Redis Cluster"):
        connect(settings)


def test_ids_of_any_kind_are_stored_under_their_own_keys(client: Client) -> None:
    """Spaces, colons, percent signs, braces and non-ASCII letters survive."""
    ids = ["a b", "x%3Ay", "é:%", "{tag}", "日本", "v1.0.0", '"', "\r\n"]
    write(client, values=_values({identifier: f"{n}" for n, identifier in enumerate(ids)}))
    keys = [f"feature:score:{identifier}:v1.0.0" for identifier in ids]
    found = read_timed_texts(client, [FEATURE] * len(ids), keys)
    assert [timed and timed[0] for timed in found] == [b"%d" % n for n in range(len(ids))]


def test_a_value_tells_its_event_timestamp(client: Client) -> None:
    """To the millisecond; a missing value is None."""
    write(client, values=_values({"a": "1"}))
    keys = ["feature:score:a:v1.0.0", "feature:score:b:v1.0.0"]
    there, missing = read_timed_texts(client, [FEATURE] * 2, keys)
    assert there == (b"1", NOW.replace(microsecond=123_000))
    assert missing is None


def test_removal_takes_one_version_only(client: Client) -> None:
    """Neither another version or feature goes, nor an id that looks like the version."""
    write(client, values=_values({f"p{n}": "1" for n in range(3_000)} | {"x%3Av1.0.0": "1"}))
    others = [
        make_feature("score", FeatureType.FLOAT, version="1.0.1"),
        make_feature("score", FeatureType.FLOAT, version="11.0.0"),
        make_feature("score_b", FeatureType.FLOAT),
    ]
    for other in others:
        write_values(client, other, _values({"p1": "1", "v1.0.0": "1"}), now=NOW)
    assert delete_values(client, "score", "1.0.0") == 3_001
    everything = (
        client.keys(target_nodes=redis.RedisCluster.PRIMARIES)
        if isinstance(client, redis.RedisCluster)
        else client.keys()
    )
    assert sorted(everything) == sorted(
        f"feature:{other.feature_name}:{identifier}:v{other.version}".encode()
        for other in others
        for identifier in ("p1", "v1.0.0")
    )


async def test_texts_come_in_the_order_of_their_keys(
    settings: Settings, valkey: redis.Redis
) -> None:
    """None where there is nothing."""
    write(valkey, values=_values({"a": "1", "c": "3"}))
    client = connect_async(settings)
    assert isinstance(client, redis.asyncio.Redis)
    reads = PipelinedReads(client)
    keys = [f"feature:score:{identifier}:v1.0.0" for identifier in "cbac"]
    assert await read_texts(reads, [Keys.unlike(keys)]) == [b"3", None, b"1", b"3"]
    await reads.close()
    await client.aclose()


def test_a_dead_node_costs_its_own_values(tmp_path: Path) -> None:
    """Which are missing, and said to be; the others' are stored."""
    texts = {f"p{number}": "1" for number in range(100)}
    with running_cluster(tmp_path) as nodes:
        client = redis.RedisCluster(HOST, nodes[1].port, socket_timeout=1.0)
        keys = {f"feature:score:{name}:v1.0.0": name for name in texts}
        owned = [k for k in keys if client.get_node_from_key(k).port != nodes[0].port]
        nodes[0].process.kill()
        nodes[0].process.wait()
        with pytest.raises(StoreUnavailable):
            write(client, values=_values(texts))
        assert 0 < len(owned) < len(texts)
        assert [client.get(key) for key in owned] == [b"1"] * len(owned)
        client.close()


def test_a_dead_redis_is_said_to_be_unavailable() -> None:
    """The driver's error becomes ours."""
    client = redis.Redis(port=1, retry=Retry(NoBackoff(), retries=0))
    with pytest.raises(StoreUnavailable, match="Redis"):
        write(client, values=_values({"a": "1"}))
    client.close()


def test_a_full_redis_is_said_to_be_unavailable(valkey: redis.Redis) -> None:
    """Refused writes are an error, not a silent loss."""
    valkey.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(StoreUnavailable, match="maxmemory"):
            write(valkey, values=_values({f"p{n}": "1" * 1_000 for n in range(5_000)}))
    finally:
        valkey.config_set("maxmemory", "0")
