"""Files may be in S3, or in what speaks like it."""

from pathlib import Path

import pytest

from foundation.errors import ConfigurationError
from foundation.settings import Settings
from tests.integration.transformations.engines.conftest import generated_shop, store
from tests.integration.transformations.engines.object_store import running_object_store
from transformations.engines.selection import open_engine
from transformations.engines.sources import Sources, open_dataset
from transformations.source_tables import source_table


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sign requests with something, and look for no real credentials."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.parametrize("key", ["shop/events.parquet", "shop/ev*.parquet", "*/events.parquet"])
def test_events_are_read_from_a_bucket(settings: Settings, tmp_path: Path, key: str) -> None:
    """A URL of one object, or with `*`, reads what is there, without any extension of DuckDB."""
    folder = tmp_path / "bucket" / "shop"
    folder.mkdir(parents=True)
    shop = generated_shop()
    store(settings, shop, folder)
    with (
        running_object_store(tmp_path) as where,
        open_engine(settings, "duckdb", Sources(events=f"s3://bucket/{key}?{where}"), {}) as opened,
    ):
        rows = opened.execute(source_table("events"))
    assert rows["event_id"].to_pylist() == shop["events"]["event_id"].to_pylist()


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    """An object that does not exist is an error with its URL."""
    (tmp_path / "bucket").mkdir()
    with (
        running_object_store(tmp_path) as where,
        pytest.raises(ConfigurationError, match=r"users: .*s3://bucket/users\.parquet"),
    ):
        open_dataset(f"s3://bucket/users.parquet?{where}", "users")
