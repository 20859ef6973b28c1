"""Callers of `feast serve`, and Feast's own client, get from the gateway what they know."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import redis
import uvicorn
from feast import FeatureStore, RepoConfig
from feast.errors import FeatureServiceNotFoundException, FeatureViewNotFoundException
from feast.feature_server import get_app
from feast.permissions.client.http_auth_requests_wrapper import HttpSessionManager

from feature_repo.features.user_factors import FACTOR_COUNT
from feature_repo.registry.catalog import REPO_PATH, Catalog, read_catalog
from feature_repo.registry.metadata import Status
from feature_repo.stores.keys import entity_id, redis_keys
from foundation import clock
from foundation.postgres import connect
from foundation.settings import Settings
from tests.integration.serving_gateway.conftest import gateway_on, read_metrics, serving

PATH = "/get-online-features"
POPULARITY = "popularity_score_v1_0_0:popularity_score"
NEWER = "popularity_score_v1_1_0:popularity_score"
CATEGORIES = "user_category_affinity_v1_0_0:user_category_affinity"
FACTORS = "product_factors_v1_0_0:product_factors"
AFFINITY = "user_product_affinity_v1_0_0:user_product_affinity"
FRESHNESS = "product_freshness_score_v1_0_0:product_freshness_score"
EVERYTHING = [POPULARITY, CATEGORIES, FACTORS, AFFINITY]
REST = ",1" * (FACTOR_COUNT - 3)
PAIRS = {"user_id": ["u1", "u:2", "u1", "u1"], "product_id": ["p1", "p%", "p1", "nobody"]}

STORED = [
    ("popularity_score", "1.0.0", ["p1"], "0.87"),
    ("popularity_score", "1.0.0", ["p%"], "1"),
    ("popularity_score", "1.0.0", ["7"], "0.7"),
    ("popularity_score", "1.0.0", ["7.0"], "1e-07"),
    ("popularity_score", "1.0.0", ["True"], "1e+21"),
    ("popularity_score", "1.0.0", ["12345678901234567890"], "0"),
    ("popularity_score", "1.1.0", ["p1"], "0.5"),
    ("user_category_affinity", "1.0.0", ["u1"], '{"BOOKS":0.25,"Spiel & \\"Spaß\\":1,":1}'),
    ("user_category_affinity", "1.0.0", ["u:2"], '{"BOOKS":-3}'),
    ("user_category_affinity", "1.0.0", ["u3"], "{}"),
    ("product_factors", "1.0.0", ["p1"], f"[0.1,-1,2.5e-10{REST}]"),
    ("product_factors", "1.0.0", ["p%"], f"[0.3,2,3{REST}]"),
    ("user_product_affinity", "1.0.0", ["u1", "p1"], "0.5"),
    ("user_product_affinity", "1.0.0", ["u:2", "p%"], "-2"),
]


@pytest.fixture(scope="module")
def feast_server(applied: Settings) -> Iterator[httpx.Client]:  # noqa: ARG001 - its registry
    """Yield a client of the server that `feast serve` runs."""
    app = get_app(FeatureStore(repo_path=str(REPO_PATH)))
    config = uvicorn.Config(app, port=0, log_level="critical")
    with serving(config) as url, httpx.Client(base_url=url) as client:
        yield client


@pytest.fixture
def stored(gateway: httpx.Client, valkey: redis.Redis) -> httpx.Client:
    """Return a client of a gateway over values of every type."""
    for feature_name, version, join_keys, text in STORED:
        [key] = redis_keys(feature_name, version, [entity_id(join_keys)])
        valkey.set(key, text, px=100_000 + len(text))
    return gateway


def _remote_store(gateway: httpx.Client) -> FeatureStore:
    """Return a Feast feature store whose online store is the gateway."""
    config = FeatureStore(repo_path=str(REPO_PATH)).config
    online_store = {"type": "remote", "path": str(gateway.base_url).rstrip("/")}
    fields = config.model_dump(include={"project", "provider", "entity_key_serialization_version"})
    registry = config.registry.model_dump(include={"registry_type", "path"})
    return FeatureStore(config=RepoConfig(**fields, registry=registry, online_store=online_store))


@pytest.fixture
def remote_store(stored: httpx.Client) -> Iterator[FeatureStore]:
    """Yield Feast's own client of the gateway."""
    yield _remote_store(stored)
    HttpSessionManager.close_session()


def _exact(answer: Any) -> str:  # noqa: ANN401 - any JSON
    """Return JSON in a form in which 1 differs from 1.0."""
    return json.dumps(answer, sort_keys=True)


@pytest.mark.parametrize(
    "body",
    [
        {"entities": {"product_id": ["p1", "p%", "nobody", "p1"]}, "features": [POPULARITY]},
        {"entities": {"product_id": ["p1"]}, "features": [POPULARITY, FACTORS]},
        {"entities": PAIRS, "features": EVERYTHING},
        {"entities": PAIRS, "features": EVERYTHING[::-1], "full_feature_names": True},
        {"entities": PAIRS, "feature_service": "recommendation_v1", "features": ["passed over"]},
        {
            "entities": {"product_id": ["p1", "nobody"]},
            "features": [NEWER, POPULARITY],
            "full_feature_names": True,
            "include_feature_view_version_metadata": True,
        },
        {"entities": {"user_id": ["u3"]}, "features": [CATEGORIES]},
        {"entities": {"product_id": [7, 7.0, True]}, "features": [POPULARITY]},
        {"entities": {"product_id": [12345678901234567890]}, "features": [POPULARITY]},
        {"entities": {"product_id": ["p1"], "user_id": [7]}, "features": [POPULARITY]},
        {
            "entities": {"user_id": [None], "x": ["?"], "category": [1.5], "product_id": ["p1"]},
            "features": [POPULARITY],
        },
        {"entities": {"product_id": ["", "a\0", "é:%", "日本"]}, "features": [POPULARITY]},
        {
            "entities": {"product_id": ["p1"]},
            "features": ["popularity_score_v1_0_0@latest:popularity_score"],
            "full_feature_names": True,
        },
        {"entities": {"product_id": ["p1"]}, "features": [POPULARITY], "new_field": 1},
    ],
)
def test_an_answer_is_that_of_feast_serve(
    stored: httpx.Client, feast_server: httpx.Client, body: dict[str, Any]
) -> None:
    """Value by value, type by type, status by status, timestamp by timestamp."""
    expected = feast_server.post(PATH, json=body)
    answer = stored.post(PATH, json=body)
    assert (answer.status_code, expected.status_code) == (200, 200), answer.text
    assert answer.headers["content-type"] == expected.headers["content-type"]
    assert _exact(answer.json()) == _exact(expected.json())


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("features", ["nothing_v1_0_0:nothing"], "FeatureViewNotFoundException"),
        ("features", ["popularity_score_v9_0_0:popularity_score"], "FeatureViewNotFoundException"),
        ("feature_service", "nobody_v1", "FeatureServiceNotFoundException"),
    ],
)
def test_what_is_unknown_is_told_as_feast_tells_it(
    stored: httpx.Client, feast_server: httpx.Client, field: str, value: object, error: str
) -> None:
    """With a status, a class and a message that Feast's client raises again."""
    body = {"entities": {"product_id": ["p1"]}, field: value}
    expected, answer = feast_server.post(PATH, json=body), stored.post(PATH, json=body)
    assert answer.status_code == expected.status_code == 404
    told, known = json.loads(answer.json()), json.loads(expected.json())
    assert told["module"] == known["module"]
    assert told["class"] == known["class"] == error
    assert "Deployed" in told["message"]


@pytest.mark.parametrize(
    ("body", "status", "mentioned"),
    [
        ({"entities": {"product_id": ["p1"]}}, 422, "no features"),
        ({"entities": {}, "features": [POPULARITY]}, 422, "entities"),
        ({"entities": {"product_id": []}, "features": [POPULARITY]}, 422, "entities"),
        ({"entities": {"product_id": "p1"}, "features": [POPULARITY]}, 422, "entities.product_id"),
        ({"entities": {"product_id": [["p1"]]}, "features": [POPULARITY]}, 422, "entities"),
        ({"entities": {"product_id": [None]}, "features": [POPULARITY]}, 422, "product_id"),
        ({"entities": {"user_id": ["u1"]}, "features": [POPULARITY]}, 422, "product_id"),
        ({"entities": {"product_id": ["p1"]}, "features": [AFFINITY]}, 422, "user_id"),
        (
            {"entities": {"product_id": ["p1", "p2"], "x": ["u"]}, "features": [POPULARITY]},
            422,
            "one number",
        ),
        ({"entities": {"product_id": ["p1"]}, "features": ["popularity_score"]}, 422, "reference"),
        (
            {"entities": {"product_id": ["p1"]}, "features": ["popularity_score_v1_0_0:score"]},
            422,
            "It has 'popularity_score'",
        ),
        (
            {
                "entities": {"product_id": ["p1"]},
                "features": ["popularity_score_v1_0_0@v2:popularity_score"],
            },
            422,
            "version numbers",
        ),
        (
            {"entities": {"product_id": ["p1"]}, "features": [POPULARITY, NEWER]},
            422,
            "full_feature_names",
        ),
        ({"entities": {"product_id": ["p1"] * 1_001}, "features": [POPULARITY]}, 413, "1000"),
    ],
)
def test_what_feast_fails_at_is_refused(
    stored: httpx.Client, body: dict[str, Any], status: int, mentioned: str
) -> None:
    """With a problem that says what to change, where `feast serve` answers 500."""
    answer = stored.post(PATH, json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert mentioned in answer.json()["detail"] + answer.json()["hint"]


@pytest.mark.parametrize("path", ["/materialize", "/push", "/write-to-online-store", "/search"])
def test_other_routes_of_feast_serve_are_not_ours(gateway: httpx.Client, path: str) -> None:
    """Writing is the jobs' work."""
    answer = gateway.post(path, json={})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("features", "rows"),
    [
        ([POPULARITY], [{"product_id": "p1"}, {"product_id": "p%"}, {"product_id": "nobody"}]),
        (
            EVERYTHING,
            [
                {"user_id": "u1", "product_id": "p1"},
                {"user_id": "u:2", "product_id": "p%"},
                {"user_id": "u1", "product_id": "nobody"},
                {"user_id": "u1", "product_id": "p1"},
            ],
        ),
    ],
)
def test_feasts_remote_client_reads_the_gateway(
    remote_store: FeatureStore, features: list[str], rows: list[dict[str, str]]
) -> None:
    """An unmodified client gets what Feast reads from Redis itself, of every type."""
    local = FeatureStore(repo_path=str(REPO_PATH))
    expected = local.get_online_features(features=features, entity_rows=rows)
    answer = remote_store.get_online_features(features=features, entity_rows=rows)
    assert _exact(answer.to_dict()) == _exact(expected.to_dict())
    assert answer.to_df().dtypes.equals(expected.to_df().dtypes)
    full = remote_store.get_online_features(
        features=features, entity_rows=rows, full_feature_names=True
    ).to_dict()
    assert "popularity_score_v1_0_0__popularity_score" in full


def test_feasts_remote_client_reads_a_service(remote_store: FeatureStore) -> None:
    """By its name; it raises Feast's errors."""
    rows = [{"user_id": "u1", "product_id": "p1"}]
    service = remote_store.get_feature_service("recommendation_v1")
    found = remote_store.get_online_features(features=service, entity_rows=rows).to_dict()
    assert found["popularity_score"] == [0.87]
    assert found["user_product_affinity"] == [0.5]
    service.name = "nobody_v1"
    with pytest.raises(FeatureServiceNotFoundException, match="ranking_v1"):
        remote_store.get_online_features(features=service, entity_rows=rows)
    with pytest.raises(FeatureViewNotFoundException, match="popularity_score_v1_0_0"):
        remote_store.get_online_features(features=["a:b"], entity_rows=rows)
    with pytest.raises(RuntimeError, match="422"):
        remote_store.get_online_features(features=[POPULARITY], entity_rows=[{"user_id": "u1"}])


def test_lower_tiers_answer_too(gateway: httpx.Client, settings: Settings) -> None:
    """What `feast serve` has not: values of PostgreSQL, flagged if stale, and computed ones."""
    now = clock.now().replace(microsecond=0)
    with connect(settings) as connection:
        connection.execute(
            "INSERT INTO feature_latest "
            '(entity_id, feature_name, feature_value, version, "timestamp") '
            "VALUES ('p1', 'popularity_score', '1', '1.0.0', %s - interval '1 hour')",
            (now,),
        )
        connection.execute(
            "INSERT INTO products VALUES ('p2', 'Milk', 'd', 'c', 1.0, %s - interval '1 day', %s)",
            (now, now),
        )
    body = {"entities": {"product_id": ["p2", "p1"]}, "features": [POPULARITY, FRESHNESS]}
    answer = gateway.post(PATH, json=body)
    _, popularity, freshness = answer.json()["results"]
    assert _exact(popularity["values"]) == "[null, 1.0]"
    assert popularity["statuses"] == ["NOT_FOUND", "OUTSIDE_MAX_AGE"]
    hour_ago = (now.timestamp() - 3_600) // 1
    assert clock.now().fromisoformat(popularity["event_timestamps"][1]).timestamp() == hour_ago
    assert 0.9 < freshness["values"][0] < 1
    assert freshness["statuses"] == ["PRESENT", "NOT_FOUND"]
    assert "X-Degraded" not in answer.headers


def test_declared_defaults_are_not_served(gateway: httpx.Client) -> None:
    """`feast serve` knows none: who switches must not get other values without a word."""
    body = {"entities": {"product_id": ["nobody"]}, "features": [POPULARITY]}
    before = read_metrics(gateway)
    [_, popularity] = gateway.post(PATH, json=body).json()["results"]
    assert popularity == {
        "values": [None],
        "statuses": ["NOT_FOUND"],
        "event_timestamps": ["1970-01-01T00:00:00Z"],
    }
    labels = 'feature_name="popularity_score",served_from="default",version="1.0.0"'
    name = f"feature_requests_total{{{labels}}}"
    assert read_metrics(gateway)[name] == before.get(name, 0) + 1


def test_entities_may_be_called_by_their_name(stored: httpx.Client) -> None:
    """As Feast allows still: `product` is `product_id`."""
    body = {"entities": {"product": ["p1"], "user": ["u1"]}, "features": [POPULARITY]}
    answer = stored.post(PATH, json=body).json()
    assert answer["metadata"]["feature_names"] == ["product_id", "user_id", "popularity_score"]


def test_a_value_of_another_type_is_none(stored: httpx.Client, valkey: redis.Redis) -> None:
    """Whoever stored it."""
    for feature_name, identifier in [
        ("popularity_score", "p1"),
        ("product_factors", "p1"),
        ("user_category_affinity", "u1"),
    ]:
        [key] = redis_keys(feature_name, "1.0.0", [identifier])
        valkey.set(key, '{"a":"b","c":1}', px=100_000)
    body = {
        "entities": {"product_id": ["p1"], "user_id": ["u1"]},
        "features": [POPULARITY, FACTORS, CATEGORIES],
    }
    answer = stored.post(PATH, json=body)
    assert answer.status_code == 200
    results = answer.json()["results"][2:]
    assert [result["values"] for result in results] == [[None]] * 3
    assert [result["statuses"] for result in results] == [["NOT_FOUND"]] * 3


def _with_statuses() -> Catalog:
    catalog = read_catalog()
    statuses = {"1.0.0": Status.RETIRED, "1.1.0": Status.DEPRECATED}
    now = clock.now()
    features = [
        f.model_copy(update={"status": statuses[f.version], "deprecated_at": now})
        if f.feature_name == "popularity_score" and f.version in statuses
        else f
        for f in catalog.features
    ]
    return Catalog(features, catalog.services)


def test_versions_are_those_of_the_views(applied: Settings, valkey: redis.Redis) -> None:
    """Retired ones are refused, deprecated ones announced, staged ones served."""
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        [key] = redis_keys("popularity_score", version, ["p1"])
        valkey.set(key, '{"view":1}' if version == "2.0.0" else "0.5", px=100_000)
    entities = {"product_id": ["p1"]}
    with gateway_on(applied, _with_statuses) as client:
        retired = client.post(PATH, json={"entities": entities, "features": [POPULARITY]})
        deprecated = client.post(PATH, json={"entities": entities, "features": [NEWER]})
        staged = client.post(
            PATH,
            json={"entities": entities, "features": ["popularity_score_v2_0_0:popularity_score"]},
        )
    assert retired.status_code == 409
    assert "retired" in retired.json()["detail"]
    assert deprecated.headers["X-Deprecated-Features"] == "popularity_score==1.1.0"
    assert _exact(staged.json()["results"][1]["values"]) == '[{"view": 1.0}]'


def test_a_tier_that_is_down_is_told(applied: Settings) -> None:
    """Redis does not answer: nulls, a header that says so, and no error."""
    settings = Settings.model_validate({**applied.model_dump(), "redis_url": "redis://127.0.0.1:1"})
    with gateway_on(settings) as client:
        answer = client.post(
            PATH, json={"entities": {"product_id": ["p1"]}, "features": [POPULARITY]}
        )
    assert answer.json()["results"][1]["values"] == [None]
    assert answer.headers["X-Degraded"] == "true"
