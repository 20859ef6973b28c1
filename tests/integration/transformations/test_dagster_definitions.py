"""Dagster sees every feature version, its lineage, schedule and checks, and can compute it."""

import dagster as dg
import pytest

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.gather import gather_features
from foundation.postgres import connect
from foundation.settings import Settings
from tests.integration.transformations.conftest import AS_OF
from transformations.dagster_definitions import build_definitions

CATALOG = Catalog(
    features=gather_features(), services={"recommendation_v1": ["user_category_affinity==1.0.0"]}
)
AFFINITY = dg.AssetKey(["user_category_affinity", "v1_0_0"])
CATEGORIES = dg.AssetKey(["category_popularity", "v1_0_0"])
DEPENDENCY, DEPENDENT = "category_popularity_v1_0_0", "user_category_affinity_v1_0_0"
PARTITION = f"{AS_OF:%Y-%m-%dT00:00}"


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    """Return the definitions of a catalog of all features."""
    return build_definitions(CATALOG)


def _materialize(definitions: dg.Definitions, *keys: dg.AssetKey) -> dg.ExecuteInProcessResult:
    job = definitions.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(
            asset_selection=list(keys),
            partition_key=PARTITION,
            instance=instance,
            raise_on_error=False,
        )


def test_lineage_is_that_of_the_registry(definitions: dg.Definitions) -> None:
    """From source tables over dependencies to feature services."""
    graph = definitions.resolve_asset_graph()
    assert graph.get(AFFINITY).parent_keys == {
        CATEGORIES,
        *(dg.AssetKey(name) for name in ("events", "products", "users")),
    }
    service = dg.AssetKey(["feature_service", "recommendation_v1"])
    assert graph.get(service).parent_keys == {AFFINITY}
    assert not graph.has(dg.AssetKey(["popularity_score", "v2_0_0"]))  # staged


def test_every_job_has_its_schedule(definitions: dg.Definitions) -> None:
    """At its computation frequency, together with those that it depends on."""
    repository = definitions.get_repository_def()
    schedules = {each.name: each.cron_schedule for each in repository.schedule_defs}
    assert schedules["popularity_score_v1_0_0_schedule"] == "*/5 * * * *"
    assert schedules["product_freshness_score_v1_0_0_schedule"] == "0 */1 * * *"
    assert schedules[f"{DEPENDENCY}__{DEPENDENT}_schedule"] == "0 0 * * *"


def test_a_partition_is_the_values_as_of_its_end(
    shop: Settings, definitions: dg.Definitions
) -> None:
    """Dependencies first; checks and counts are shown."""
    with connect(shop) as connection:
        connection.execute("UPDATE events SET event_timestamp = event_timestamp - interval '1 day'")
    result = _materialize(definitions, CATEGORIES, AFFINITY)
    assert result.success
    with connect(shop) as connection:
        rows = connection.execute(
            "SELECT DISTINCT feature_name, timestamp::text FROM feature_values ORDER BY 1"
        ).fetchall()
    assert rows == [
        ("category_popularity", "2026-06-02 00:00:00+00"),
        ("user_category_affinity", "2026-06-02 00:00:00+00"),
    ]
    assert all(evaluation.passed for evaluation in result.get_asset_check_evaluations())


def test_a_failed_check_is_shown(shop: Settings, definitions: dg.Definitions) -> None:
    """The asset is not materialized, and its check says what was expected."""
    with connect(shop) as connection:
        connection.execute("UPDATE products SET category = NULL")
    result = _materialize(definitions, CATEGORIES)
    assert not result.success
    failed = [e for e in result.get_asset_check_evaluations() if not e.passed]
    assert [evaluation.check_name for evaluation in failed] == ["completeness"]


def test_what_depends_on_a_failure_is_skipped(shop: Settings, definitions: dg.Definitions) -> None:
    """By Dagster in one run; by the record of the last one where it is started alone."""
    with connect(shop) as connection:
        connection.execute("UPDATE products SET category = NULL")
    job = definitions.resolve_job_def(f"{DEPENDENCY}__{DEPENDENT}_job")
    config = {"config": {"now": True}}
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            run_config={"ops": {DEPENDENCY: config, DEPENDENT: config}},
            partition_key=PARTITION,
            instance=instance,
            raise_on_error=False,
        )
        assert result.is_node_failed(DEPENDENCY)
        assert result.is_node_untouched(DEPENDENT)
        alone = job.execute_in_process(
            run_config={"ops": {DEPENDENT: config}},
            asset_selection=[AFFINITY],
            partition_key=PARTITION,
            instance=instance,
            raise_on_error=False,
        )
    assert not alone.success
    with connect(shop) as connection:
        rows = connection.execute(
            "SELECT feature_name, status FROM computation_runs ORDER BY started_at"
        ).fetchall()
    assert rows == [("category_popularity", "failed"), ("user_category_affinity", "skipped")]


def test_transient_failures_are_tried_again(
    shop: Settings, definitions: dg.Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the settings say."""
    assert shop
    monkeypatch.setenv("FEATURE_STORE_REDIS_URL", "redis://127.0.0.1:1")
    monkeypatch.setenv("FEATURE_STORE_RETRY_DELAYS_SECONDS", "[0.1, 0.1]")
    assert not _materialize(definitions, CATEGORIES).success
    with connect(shop) as connection:
        rows = connection.execute(
            "SELECT attempt, status FROM computation_runs ORDER BY 1"
        ).fetchall()
    assert rows == [(1, "failed"), (2, "failed"), (3, "failed")]
