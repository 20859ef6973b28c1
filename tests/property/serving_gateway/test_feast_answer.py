"""An answer in the form of `feast serve` is the one that Feast would build of the same values."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
from feast.feature_server_utils import _timestamp_to_str, _value_to_native
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import FeatureType, FeatureVersion
from feature_repo.stores.json_values import VALUE_TYPES, encode
from feature_repo.stores.keys import entity_id
from feature_repo.stores.protos import proto_value
from serving_gateway.columns import Found
from serving_gateway.feast_answer import NO_VALUE, feast_answer
from serving_gateway.feast_plan import FeastPlan, plan_read
from serving_gateway.reading import CollectedColumn, Reading

NOW = datetime(2026, 11, 23, tzinfo=UTC)
NOTHING = [None, "NOT_FOUND", "1970-01-01T00:00:00Z"]
MODEL = gather_features()[0]
ids = st.text(st.sampled_from('a:%"\\é'), max_size=2)
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-3, 3).map(float)
singles = st.floats(width=32, allow_nan=False, allow_infinity=False)
VALUES: dict[FeatureType, st.SearchStrategy[Any]] = {
    FeatureType.FLOAT: numbers,
    FeatureType.STRING: ids,
    FeatureType.VECTOR: st.lists(singles, min_size=2, max_size=2),
    FeatureType.MAP: st.dictionaries(ids, numbers, max_size=3),
}
ages = st.sampled_from([timedelta(seconds=1), timedelta(milliseconds=5), timedelta(microseconds=7)])
JOIN_KEYS = [("user_id",), ("product_id",), ("user_id", "product_id")]


def _feature(number: int, feature_type: FeatureType, join_keys: tuple[str, ...]) -> FeatureVersion:
    return MODEL.model_copy(
        update={
            "feature_name": f"made_up_{number}",
            "feature_type": feature_type,
            "join_keys": join_keys,
            "staleness_tolerance": timedelta(milliseconds=500),
        }
    )


features = st.lists(
    st.tuples(st.sampled_from(list(VALUES)), st.sampled_from(JOIN_KEYS)), min_size=1, max_size=4
).map(lambda kinds: [_feature(number, *kind) for number, kind in enumerate(kinds)])
entity_rows = st.lists(st.tuples(ids, ids), min_size=1, max_size=5)


def _text(feature: FeatureVersion, value: object) -> bytes:
    if isinstance(value, dict):
        value = list(value.items())
    kind = feature.feature_type
    text: str = encode(pa.array([value], VALUE_TYPES[kind]), kind)[0].as_py()
    return text.encode()


def _plan(features: list[FeatureVersion], rows: list[tuple[str, str]]) -> FeastPlan:
    users, products = zip(*rows, strict=True)
    return plan_read(
        Catalog(features, {}),
        {"user_id": list(users), "product_id": list(products)},
        [f"{feature.view_name}:{feature.feature_name}" for feature in features],
        None,
        has_full_names=True,
    )


def _shown(text: bytes, timestamp: datetime, feature: FeatureVersion) -> list[Any]:
    """Return value, status and timestamp as Feast shows them."""
    since = timestamp - datetime(1970, 1, 1, tzinfo=UTC)
    proto = SimpleNamespace(seconds=since // timedelta(seconds=1), nanos=since.microseconds * 1_000)
    is_stale = NOW - timestamp >= feature.staleness_tolerance
    status = "OUTSIDE_MAX_AGE" if is_stale else "PRESENT"
    native = _value_to_native(proto_value(text, feature.feature_type))
    return [native, status, _timestamp_to_str(proto)]


def _take(
    collected: CollectedColumn, tier: str, data: st.DataObject, known: dict[str, list[Any]]
) -> None:
    """Let a tier have some of the missing values, and note how Feast shows them."""
    feature = collected.column.feature
    texts: list[bytes | None] = []
    times: list[datetime | None] = []
    for row in collected.missing:
        age = data.draw(st.none() | ages)
        text = None if age is None else _text(feature, data.draw(VALUES[feature.feature_type]))
        texts.append(text)
        times.append(None if age is None else NOW - age)
        if text is not None and age is not None:
            known[collected.column.entity_ids[row]] = _shown(text, NOW - age, feature)
    collected.take(tier, Found(texts, times), now=NOW)


@given(features=features, rows=entity_rows, data=st.data())
def test_the_answer_is_feasts(
    features: list[FeatureVersion], rows: list[tuple[str, str]], data: st.DataObject
) -> None:
    """Whatever ids and values hold, from one tier or two, fresh, stale or missing."""
    plan = _plan(features, rows)
    reading = Reading.of([column.column for column in plan.columns])
    expected = []
    for collected in reading.columns:
        known: dict[str, list[Any]] = {}
        for tier in ("online", "offline"):
            _take(collected, tier, data, known)
        collected.fill(NO_VALUE)
        places = [("user_id", "product_id").index(k) for k in collected.column.feature.join_keys]
        row_ids = [entity_id([row[place] for place in places]) for row in rows]
        expected.append([known.get(row_id, NOTHING) for row_id in row_ids])
    answer = json.loads(feast_answer(plan, reading, has_views=False))
    results = answer["results"][len(plan.join_keys) :]
    shown = [
        list(zip(r["values"], r["statuses"], r["event_timestamps"], strict=True)) for r in results
    ]
    # In JSON 1 differs from 1.0.
    assert json.dumps(shown, sort_keys=True) == json.dumps(expected, sort_keys=True)
    given_keys = {"user_id": [user for user, _ in rows], "product_id": [p for _, p in rows]}
    assert [r["values"] for r in answer["results"][: len(plan.join_keys)]] == [
        given_keys[join_key] for join_key in plan.join_keys
    ]
