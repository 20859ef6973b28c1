"""What can't be computed says why, and names it."""

import os
from datetime import datetime
from pathlib import Path

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from foundation.errors import ConfigurationError, ContractViolation, StoreUnavailable
from foundation.settings import Settings
from tests.integration.transformations.engines.conftest import (
    AS_OF,
    edge_cases,
    generated_shop,
    store,
)
from transformations.engines.postgres import PostgresEngine
from transformations.engines.selection import open_engine
from transformations.engines.sources import Sources
from transformations.source_tables import source_table

OTHERS = ["duckdb", "spark"]
NOTHING = ibis.table({"x": "string"}, name="nothing")


def test_engines_are_known(settings: Settings) -> None:
    """Another name is refused, with the names there are."""
    with (
        pytest.raises(ConfigurationError, match="postgres, duckdb, spark"),
        open_engine(settings, "flink", Sources(), {}),
    ):
        pass


def test_postgres_reads_no_files(settings: Settings) -> None:
    """Files named to PostgreSQL would be ignored, so they are refused."""
    with (
        pytest.raises(ConfigurationError, match="no files"),
        open_engine(settings, "postgres", Sources(events="e"), {}),
    ):
        pass


@pytest.mark.parametrize("engine", OTHERS)
def test_events_need_files(settings: Settings, engine: str) -> None:
    """The other engines are for events in files."""
    with (
        pytest.raises(ConfigurationError, match=f"{engine} needs to know where"),
        open_engine(settings, engine, Sources(users="u"), {}),
    ):
        pass


@pytest.mark.usefixtures("java")
@pytest.mark.parametrize("engine", OTHERS)
def test_missing_files_are_named(settings: Settings, tmp_path: Path, engine: str) -> None:
    """The error names table and path."""
    with (
        pytest.raises(ConfigurationError, match=r"events: .*/nothing\.parquet"),
        open_engine(settings, engine, Sources(events=str(tmp_path / "nothing.parquet")), {}),
    ):
        pass


@pytest.mark.usefixtures("java")
@pytest.mark.parametrize("engine", OTHERS)
def test_missing_columns_are_named(settings: Settings, tmp_path: Path, engine: str) -> None:
    """The error names path and column."""
    store(settings, edge_cases(), tmp_path)
    path = tmp_path / "events.parquet"
    pq.write_table(edge_cases()["events"].drop_columns("event_type"), path)
    with (
        pytest.raises(ContractViolation, match=r"events\.parquet has no column event_type"),
        open_engine(settings, engine, Sources(events=str(path)), {}),
    ):
        pass


@pytest.mark.usefixtures("java")
@pytest.mark.parametrize("engine", ["postgres", *OTHERS])
def test_unknown_tables_are_refused(settings: Settings, tmp_path: Path, engine: str) -> None:
    """An expression over a table that is nowhere fails by name."""
    sources = store(settings, edge_cases(), tmp_path)
    files = Sources() if engine == "postgres" else sources
    with (
        open_engine(settings, engine, files, {}) as opened,
        pytest.raises(ContractViolation, match="nothing"),
    ):
        opened.execute(NOTHING)


@pytest.mark.parametrize("rows", [1, 200_000])
def test_a_connection_that_breaks_is_an_outage(settings: Settings, rows: int) -> None:
    """Before the first row, or after many; not an error of the driver's."""
    dying = f"""
    SELECT repeat('x', 1000) AS x, CASE WHEN n = {rows} THEN pg_terminate_backend(pg_backend_pid())
    END AS y FROM generate_series(1, {rows}) AS n
    """  # noqa: S608 - our own SQL
    queries = {NOTHING.get_name(): dying}
    with (
        PostgresEngine.open(settings, queries) as engine,
        pytest.raises(StoreUnavailable, match="PostgreSQL: "),
    ):
        engine.execute(NOTHING.order_by("x"))
    with (
        PostgresEngine.open(settings) as engine,
        pytest.raises(StoreUnavailable, match="PostgreSQL: "),
    ):
        list(engine.stream(dying, rows_per_batch=100))


def test_what_postgresql_refuses_to_stream_is_no_outage(settings: Settings) -> None:
    """Nor is a table that it can't make."""
    with (
        PostgresEngine.open(settings) as engine,
        pytest.raises(ContractViolation, match=r"refused a query.*nowhere"),
    ):
        list(engine.stream("SELECT * FROM nowhere", rows_per_batch=100))
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([1])], names=["x", "x"])
    with (
        pytest.raises(ContractViolation, match="refused a transaction"),
        PostgresEngine.open(settings, tables={"twice": twice}),
    ):
        pass


@pytest.mark.usefixtures("java")
@pytest.mark.parametrize("engine", OTHERS)
def test_times_without_zone_are_utc(settings: Settings, tmp_path: Path, engine: str) -> None:
    """Files need not say that their times are UTC, and may be finer or coarser."""
    sources = store(settings, edge_cases(), tmp_path)
    users = pa.table({"user_id": ["u"], "created_at": pa.array([AS_OF.replace(tzinfo=None)])})
    pq.write_table(users, tmp_path / "users.parquet", coerce_timestamps="ms")
    with open_engine(settings, engine, sources, {}) as opened:
        [row] = opened.execute(source_table("users")).to_pylist()
    assert isinstance(row["created_at"], datetime)
    assert row["created_at"] == AS_OF


def test_files_that_change_their_types_are_refused(settings: Settings, tmp_path: Path) -> None:
    """A later file of another schema than the first is found when it is read."""
    store(settings, edge_cases(), tmp_path)
    folder = tmp_path / "all"
    folder.mkdir()
    events = edge_cases()["events"]
    pq.write_table(events, folder / "1.parquet")
    texts = pa.array(["yesterday"] * events.num_rows)
    pq.write_table(events.set_column(4, "event_timestamp", texts), folder / "2.parquet")
    with (
        open_engine(settings, "duckdb", Sources(events=str(folder)), {}) as opened,
        pytest.raises(ContractViolation, match=r"event_timestamp|yesterday"),
    ):
        opened.execute(source_table("events"))


def test_too_little_memory_is_a_matter_of_settings(settings: Settings, tmp_path: Path) -> None:
    """The setting that helps is named."""
    small = Settings.model_validate({**settings.model_dump(), "duckdb_memory_megabytes": 64})
    sources = store(settings, generated_shop(), tmp_path)
    events = source_table("events").select("event_id")
    pairs = events.cross_join(events.view().rename(other="event_id"))
    with (
        open_engine(small, "duckdb", sources, {}) as opened,
        pytest.raises(ConfigurationError, match="FEATURE_STORE_DUCKDB_MEMORY_MEGABYTES"),
    ):
        opened.execute(pairs.aggregate(ids=pairs.event_id.collect()))


@pytest.mark.parametrize(
    ("home", "path", "message"),
    [("nowhere", os.environ["PATH"], "JAVA_HOME"), (None, "", "there is none")],
)
def test_a_missing_java_is_explained(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    home: str | None,
    path: str,
    message: str,
) -> None:
    """Without Java the error says what to install and set."""
    monkeypatch.setenv("PATH", path)
    if home is None:
        monkeypatch.delenv("JAVA_HOME", raising=False)
    else:
        monkeypatch.setenv("JAVA_HOME", str(tmp_path / home))
    with (
        pytest.raises(ConfigurationError, match=f"(?s){message}.*Java 17 or later"),
        open_engine(settings, "spark", Sources(events="e"), {}),
    ):
        pass
