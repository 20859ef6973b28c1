"""Small files of source data, and how the tests load them."""

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from feature_repo.ingestion.loading import load_files
from feature_repo.ingestion.reports import FileReport
from foundation.postgres import Connection
from foundation.settings import Settings

NOW = datetime(2024, 6, 1, tzinfo=UTC)
EVENT_COLUMNS = ("event_id", "user_id", "product_id", "event_type", "event_timestamp")
PRODUCT_COLUMNS = (
    "product_id",
    "title",
    "description",
    "category",
    "price",
    "created_at",
    "updated_at",
)
YEAR = "2024-01-01"

GOOD_EVENT = ("e1", "u1", "p1", "view", YEAR)
GOOD_PRODUCT = ("p1", "Tea", "d", "c", "1", YEAR, YEAR)

Rows = list[tuple[str | None, ...]]


def write_rows(path: Path, columns: tuple[str, ...], rows: Rows) -> Path:
    """Write a CSV or Parquet file, as its name says."""
    if path.suffix == ".parquet":
        schema = pa.schema(dict.fromkeys(columns, pa.string()))
        records = [dict(zip(columns, row, strict=True)) for row in rows]
        parquet.write_table(pa.Table.from_pylist(records, schema=schema), path)
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([columns, *rows])
    return path


def write_events(folder: Path, *rows: tuple[str | None, ...], suffix: str = ".csv") -> Path:
    """Write a file of events."""
    return write_rows(folder / f"events{suffix}", EVENT_COLUMNS, list(rows))


def write_products(folder: Path, *rows: tuple[str | None, ...], suffix: str = ".csv") -> Path:
    """Write a file of products."""
    return write_rows(folder / f"products{suffix}", PRODUCT_COLUMNS, list(rows))


def load(
    settings: Settings, folder: Path, *, events: Path | None = None, products: Path | None = None
) -> list[FileReport]:
    """Load as of NOW, with `rejects.csv` in the folder; return the report of each file."""
    report = load_files(
        settings, events=events, products=products, rejects=folder / "rejects.csv", now=NOW
    )
    return list(report.files)


def stored_rows(postgres: Connection) -> list[list[tuple[Any, ...]]]:
    """Return all events, products and users."""
    with postgres.transaction():
        return [
            postgres.execute(f"TABLE {table} ORDER BY 1").fetchall()
            for table in ("events", "products", "users")
        ]
