"""Names of datasets are those of OpenLineage's naming specification."""

from pathlib import Path

import pytest

from transformations.lineage_datasets import Naming


@pytest.mark.parametrize(
    ("path", "namespace", "name"),
    [
        ("/lake/events/*.parquet", "file", "/lake/events/*.parquet"),
        ("events.parquet", "file", str(Path.cwd() / "events.parquet")),
        ("file:///lake/events", "file", "/lake/events"),
        ("s3://bucket/events/*.parquet?region=eu-central-1", "s3://bucket", "events/*.parquet"),
        ("gs://bucket/events", "gs://bucket", "events"),
    ],
)
def test_files_are_named_by_where_they_are(path: str, namespace: str, name: str) -> None:
    """Credentials and options of a URL are no part of it."""
    naming = Naming("shop", "postgres://db:5432", "shop.public", {"events": path})
    assert naming.table("events") == (namespace, name)
    assert naming.table("products") == ("postgres://db:5432", "shop.public.products")
