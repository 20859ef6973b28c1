"""Feast's SDK, materialization and server work on our online store."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pyarrow as pa
import pytest
import redis
from feast import FeatureStore, FeatureView, Field
from feast.infra.offline_stores.contrib.postgres_offline_store.postgres_source import (
    PostgreSQLSource,
)
from feast.types import Float64

from feature_repo.entities import ENTITIES, PRODUCT
from feature_repo.registry.catalog import REPO_PATH
from feature_repo.registry.metadata import FeatureType, FeatureVersion
from feature_repo.registry.views import feature_view
from feature_repo.stores.redis_values import write_values
from foundation.errors import ContractViolation, DefinitionError
from foundation.postgres import connect
from foundation.settings import Settings
from tests.integration.feature_repo.stores.conftest import make_feature

NOW = datetime.now(UTC).replace(microsecond=0)
PAIR: dict[str, Any] = {"entity": "user_product", "join_keys": ("user_id", "product_id")}
FEATURES = [
    make_feature("score", FeatureType.FLOAT),
    make_feature("label", FeatureType.STRING),
    make_feature("embedding", FeatureType.VECTOR, vector_length=3),
    make_feature("shares", FeatureType.MAP),
    make_feature("pair_score", FeatureType.FLOAT, **PAIR),
    make_feature("tight", FeatureType.FLOAT, staleness_tolerance=timedelta(minutes=40)),
]
REFERENCES = {
    feature.feature_name: f"{feature.view_name}:{feature.feature_name}" for feature in FEATURES
}
VALUES: dict[str, Any] = {
    "score": 0.1 + 0.2,
    "label": 'näi"ve\n',
    "embedding": [0.5, -1.25, 3.0],
    "shares": {"b": 0.25, "a": 1.0, "é": 1e-7},
    "pair_score": 0.75,
    "tight": 0.5,
}
AWKWARD = ["a:b", "100%", "a b", "日本", "x%3Ay", '"q"']


@pytest.fixture
def store(settings: Settings) -> Iterator[FeatureStore]:  # noqa: ARG001 - empty stores
    """Yield Feast's store on our configuration, with a feature of every type applied."""
    feast = FeatureStore(repo_path=str(REPO_PATH))
    feast.apply([*ENTITIES, *map(feature_view, FEATURES)])
    yield feast
    own = {feature.view_name for feature in FEATURES}
    views = [view for view in feast.list_feature_views() if view.name in own]
    feast.apply([], objects_to_delete=[*views], partial=False)


@pytest.fixture
def offline(settings: Settings) -> Callable[..., None]:
    """Return a function that stores one value of each given feature in PostgreSQL."""

    def insert(entity_ids: dict[str, str], *, at: datetime = NOW) -> None:
        with connect(settings) as connection, connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO feature_latest VALUES (%s, %s, %s, '1.0.0', %s)",
                [
                    (entity_id, name, json.dumps(VALUES[name]), at)
                    for name, entity_id in entity_ids.items()
                ],
            )

    return insert


def _dump(client: redis.Redis) -> dict[bytes, tuple[Any, int]]:
    return {key: (client.get(key), client.pexpiretime(key)) for key in client.scan_iter()}


def _write_as_jobs_do(client: redis.Redis, feature: FeatureVersion, entity_id: str) -> None:
    with_text = pa.table(
        {
            "entity_id": [entity_id],
            "feature_value": [_canonical(VALUES[feature.feature_name])],
            "timestamp": pa.array([NOW], pa.timestamp("us", "UTC")),
        }
    )
    write_values(client, feature, with_text, now=NOW)


def _canonical(value: Any) -> str:  # noqa: ANN401 - a value of any type
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.replace(".0,", ",").replace(".0]", "]").replace(".0}", "}").replace("e-07", "e-7")


def test_materialize_writes_what_jobs_write(
    store: FeatureStore, offline: Callable[..., None], valkey: redis.Redis
) -> None:
    """From PostgreSQL through Feast: the same keys, texts and expiries, to the byte."""
    identifiers = {feature.feature_name: "p%3A1" for feature in FEATURES}
    identifiers["pair_score"] = "u%3A1:p%251"
    for feature in FEATURES:
        _write_as_jobs_do(valkey, feature, identifiers[feature.feature_name])
    expected = _dump(valkey)
    assert len(expected) == len(FEATURES)
    valkey.flushall()
    offline(identifiers)
    store.materialize_incremental(end_date=NOW + timedelta(seconds=1))
    assert _dump(valkey) == expected


def test_the_sdk_reads_every_type(store: FeatureStore, valkey: redis.Redis) -> None:
    """Values come back as they were; what is missing is None."""
    for feature in FEATURES:
        entity_id = "u1:p1" if feature.feature_name == "pair_score" else "p1"
        _write_as_jobs_do(valkey, feature, entity_id)
    answer = store.get_online_features(
        features=list(REFERENCES.values()),
        entity_rows=[
            {"product_id": "p1", "user_id": "u1"},
            {"product_id": "p2", "user_id": "u1"},
        ],
    ).to_dict()
    for name, value in VALUES.items():
        assert answer[name] == [value, None]


def test_one_request_is_one_round_trip(store: FeatureStore, valkey: redis.Redis) -> None:
    """However many views a request names, Redis is asked once."""
    for feature in FEATURES[:4]:
        _write_as_jobs_do(valkey, feature, "p1")
    read = store.get_online_features
    wanted = [REFERENCES[feature.feature_name] for feature in FEATURES[:4]]
    read(features=wanted, entity_rows=[{"product_id": "p1"}])  # connects
    reads = []
    for _ in range(5):
        before = valkey.info("stats")["total_reads_processed"]
        read(features=wanted, entity_rows=[{"product_id": "p1"}])
        reads.append(valkey.info("stats")["total_reads_processed"] - before)
    # The request and the second INFO; now and then the kernel hands one over in two pieces.
    assert min(reads) == 2


def test_the_asynchronous_sdk_reads_the_same(store: FeatureStore, valkey: redis.Redis) -> None:
    """`get_online_features_async` answers like its synchronous sister."""
    _write_as_jobs_do(valkey, FEATURES[0], "p1")

    async def read() -> dict[str, Any]:
        await store.initialize()
        answer = await store.get_online_features_async(
            features=[REFERENCES["score"]], entity_rows=[{"product_id": "p1"}]
        )
        await store.close()
        result: dict[str, Any] = answer.to_dict()
        return result

    assert asyncio.run(read())["score"] == [VALUES["score"]]


def test_awkward_ids_are_written_and_read(store: FeatureStore, valkey: redis.Redis) -> None:
    """Ids with separators, percent signs, spaces and non-ASCII letters don't meet."""
    frame = pd.DataFrame(
        {
            "product_id": AWKWARD,
            "score": [float(number) for number in range(len(AWKWARD))],
            "event_timestamp": [NOW] * len(AWKWARD),
            "created_at": [NOW] * len(AWKWARD),
        }
    )
    store.write_to_online_store("score_v1_0_0", frame)
    assert valkey.dbsize() == len(AWKWARD)
    answer = store.get_online_features(
        features=[REFERENCES["score"]], entity_rows=[{"product_id": name} for name in AWKWARD]
    ).to_dict()
    assert answer["score"] == list(frame["score"])


def test_nulls_are_not_written(store: FeatureStore, valkey: redis.Redis) -> None:
    """A null in a frame leaves what is there."""
    columns = {"product_id": ["p1", "p2"], "event_timestamp": [NOW] * 2, "created_at": [NOW] * 2}
    store.write_to_online_store("score_v1_0_0", pd.DataFrame({**columns, "score": [None, 0.5]}))
    assert valkey.keys() == [b"feature:score:p2:v1.0.0"]


def test_what_json_can_not_hold_is_refused(store: FeatureStore, valkey: redis.Redis) -> None:
    """Feast's own writes pass no quality gate; still no infinity reaches Redis."""
    columns = {"product_id": ["p1", "p2"], "event_timestamp": [NOW] * 2, "created_at": [NOW] * 2}
    frame = pd.DataFrame({**columns, "score": [0.5, float("inf")]})
    with pytest.raises(ContractViolation, match="infinite"):
        store.write_to_online_store("score_v1_0_0", frame)
    assert valkey.dbsize() == 0


def test_dropping_a_version_removes_its_keys(store: FeatureStore, valkey: redis.Redis) -> None:
    """What leaves the repository leaves Redis; the rest stays."""
    for feature in FEATURES[:2]:
        _write_as_jobs_do(valkey, feature, "p1")
    dropped = store.get_feature_view("score_v1_0_0")
    store.apply([], objects_to_delete=[dropped], partial=False)
    assert valkey.keys() == [b"feature:label:p1:v1.0.0"]


def test_a_view_of_another_kind_is_refused(store: FeatureStore) -> None:
    """A view without our metadata can't be stored, and the error says why."""
    view = FeatureView(
        name="foreign",
        entities=[PRODUCT],
        schema=[Field(name="foreign", dtype=Float64)],
        source=PostgreSQLSource(
            name="foreign", query="SELECT 1", timestamp_field="event_timestamp"
        ),
    )
    with pytest.raises(DefinitionError, match="'foreign' is not a feature version"):
        store._get_provider().online_read(store.config, view, [])  # noqa: SLF001 - no other way in


def test_feast_serve_answers(store: FeatureStore, valkey: redis.Redis, tmp_path: Path) -> None:
    """Feast's own server gives values, statuses and event timestamps."""
    _write_as_jobs_do(valkey, FEATURES[0], "p1")
    assert store.list_feature_views()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(  # noqa: S603 - our own arguments
            [
                *(Path(sys.executable).with_name("feast"), "-c", REPO_PATH),
                *("serve", "--port", str(port), "--workers", "1"),
            ],
            env=dict(os.environ),
            stdout=log,
            stderr=log,
        )
    try:
        answer = _ask(f"http://127.0.0.1:{port}/get-online-features")
    finally:
        server.terminate()
        server.wait()
    assert answer["metadata"]["feature_names"] == ["product_id", "score"]
    score = answer["results"][1]
    assert score["values"] == [VALUES["score"], None]
    assert score["statuses"] == ["PRESENT", "NOT_FOUND"]
    assert datetime.fromisoformat(score["event_timestamps"][0]) == NOW


def _ask(url: str) -> dict[str, Any]:
    deadline = time.monotonic() + 40
    while True:
        try:
            response = httpx.post(
                url,
                json={"features": [REFERENCES["score"]], "entities": {"product_id": ["p1", "p2"]}},
            )
        except httpx.ConnectError:
            assert time.monotonic() < deadline, "feast serve did not start"
            time.sleep(0.2)
        else:
            answer: dict[str, Any] = response.raise_for_status().json()
            return answer
