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
    """At its computation frequency."""
    repository = definitions.get_repository_def()
    schedules = {each.name: each.cron_schedule for each in repository.schedule_defs}
    assert schedules["popularity_score_v1_0_0_schedule"] == "*/5 * * * *"
    assert schedules["product_freshness_score_v1_0_0_schedule"] == "0 */1 * * *"
    assert schedules["user_category_affinity_v1_0_0_schedule"] == "0 0 * * *"


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
