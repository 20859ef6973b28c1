"""Every engine gives the values that PostgreSQL gives."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest

from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import FeatureType, FeatureVersion
from feature_repo.stores.sql import known_values_query
from foundation.postgres import connect
from foundation.settings import Settings
from tests.integration.transformations.engines.conftest import (
    AS_OF,
    Tables,
    edge_cases,
    generated_shop,
    no_events,
    store,
)
from transformations.computing import compute
from transformations.engines.selection import open_engine
from transformations.engines.sources import Sources
from transformations.expressions import computation_module, is_model, job_expression
from transformations.jobs import Job, jobs_of
from transformations.quality.profile import (
    burst_expression,
    profile_expression,
    profile_record,
)
from transformations.source_tables import SCHEMAS, source_table

pytestmark = pytest.mark.usefixtures("java")

JOBS = [job for job in jobs_of(gather_features()) if not is_model(computation_module(job.leader))]
SHOPS = (generated_shop, edge_cases, no_events)
OTHERS = ("duckdb", "spark")


def _values(settings: Settings, engine: str, sources: Sources, job: Job) -> dict[str, Any]:
    # Dependencies as they would be if they had just been computed.
    queries = {
        known.view_name: str(
            ibis.to_sql(job_expression(Job((known,), ()), as_of=AS_OF), dialect="postgres")
        )
        for known in job.dependencies
    }
    with open_engine(settings, engine, sources, queries) as opened:
        extracted = opened.execute(job_expression(job, as_of=AS_OF))
    values = compute(job, extracted, as_of=AS_OF).values[job.leader.reference]
    found = dict(zip(*values.to_pydict().values(), strict=True))
    assert len(found) == values.num_rows
    is_map = job.leader.feature_type is FeatureType.MAP
    return {key: dict(value) if is_map else value for key, value in found.items()}


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("shop", SHOPS)
@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_values_are_equal(
    settings: Settings, tmp_path: Path, job: Job, shop: Callable[[], Tables], engine: str
) -> None:
    """Each computation gives the same entities the same values, to 1e-9."""
    sources = store(settings, shop(), tmp_path)
    expected = _values(settings, "postgres", Sources(), job)
    _assert_equal(_values(settings, engine, sources, job), expected)


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("shop", SHOPS)
def test_profiles_are_equal(
    settings: Settings, tmp_path: Path, shop: Callable[[], Tables], engine: str
) -> None:
    """What the quality gate sees of the source tables is the same, to the microsecond."""
    sources = store(settings, shop(), tmp_path)
    found = []
    for name, files in (("postgres", Sources()), (engine, sources)):
        with open_engine(settings, name, files, {}) as opened:
            records: list[Any] = [
                profile_record(
                    opened.execute(profile_expression(table, since=since, as_of=AS_OF, until=AS_OF))
                )
                for table in SCHEMAS
                for since in (None, AS_OF - timedelta(days=1))
            ]
            bursts = opened.execute(burst_expression(since=None, as_of=AS_OF))
            found.append([*records, bursts.to_pylist()])
    assert found[0] == found[1]


@pytest.mark.parametrize("engine", OTHERS)
def test_what_has_no_files_comes_from_postgres(
    settings: Settings, tmp_path: Path, engine: str
) -> None:
    """With files of events only, products and users are read from the database."""
    sources = store(settings, generated_shop(), tmp_path)
    [job] = [job for job in JOBS if job.leader.feature_name == "user_category_affinity"]
    expected = _values(settings, "postgres", Sources(), job)
    found = _values(settings, engine, Sources(events=sources.events), job)
    assert expected
    _assert_equal(found, expected)


@pytest.mark.parametrize("engine", ["postgres", *OTHERS])
def test_known_values_are_tables(settings: Settings, tmp_path: Path, engine: str) -> None:
    """Values of dependencies, of every type, are read under the names of their feature views."""
    features = {f.feature_name: f for f in gather_features() if f.version == "1.0.0"}
    popularity, affinity = features["popularity_score"], features["user_category_affinity"]
    sources = store(settings, edge_cases(), tmp_path)
    with connect(settings) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO feature_latest VALUES (%s, %s, %s, '1.0.0', %s)",
            [
                ("p0", popularity.feature_name, "0.25", AS_OF),
                ("u%3A0", affinity.feature_name, '{"ÉLECTRO": 1.0}', AS_OF),
            ],
        )
    queries = {
        feature.view_name: known_values_query(feature, as_of=AS_OF)
        for feature in (popularity, affinity)
    }
    files = Sources() if engine == "postgres" else sources
    with open_engine(settings, engine, files, queries) as opened:
        assert _known(opened.execute, popularity, "float64") == [
            {"product_id": "p0", "feature_value": 0.25}
        ]
        assert _known(opened.execute, affinity, "string") == [
            {"user_id": "u:0", "feature_value": '{"ÉLECTRO": 1.0}'}
        ]


@pytest.mark.parametrize("engine", OTHERS)
def test_collecting_keeps_its_order(settings: Settings, tmp_path: Path, engine: str) -> None:
    """An ordered collection is in the same order everywhere, and leaves out the same rows."""
    sources = store(settings, generated_shop(), tmp_path)
    events = source_table("events")
    collected = events.group_by("user_id").aggregate(
        carts=events.event_id.collect(
            where=events.event_type == "add_to_cart",
            order_by=(events.product_id, events.event_timestamp, events.event_id),
        ),
        types=events.event_type.collect(order_by=(events.event_timestamp, events.event_id)),
    )
    found = []
    for name, files in (("postgres", Sources()), (engine, sources)):
        with open_engine(settings, name, files, {}) as opened:
            rows = opened.execute(collected).to_pylist()
        # Where nothing was collected some engines give null, others an empty array.
        found.append({row["user_id"]: (row["carts"] or [], row["types"]) for row in rows})
    assert found[0] == found[1]


def _known(
    execute: Callable[[Any], pa.Table], feature: FeatureVersion, dtype: str
) -> list[dict[str, Any]]:
    columns = {feature.join_keys[0]: "string", "feature_value": dtype}
    table = ibis.table(ibis.schema(columns), name=feature.view_name)
    rows: list[dict[str, Any]] = execute(table).select(list(columns)).to_pylist()
    return rows


def _assert_equal(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for entity_id, value in expected.items():
        assert found[entity_id] == pytest.approx(value, abs=1e-9), entity_id
