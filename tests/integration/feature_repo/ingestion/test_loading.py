"""Files of source data, good and bad, end up in PostgreSQL and in the rejects file."""

import csv
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from feature_repo.ingestion.loading import load_files
from foundation.errors import ConfigurationError
from foundation.postgres import Connection
from foundation.settings import Settings
from tests.integration.feature_repo.ingestion.files import (
    GOOD_EVENT,
    GOOD_PRODUCT,
    NOW,
    YEAR,
    load,
    stored_rows,
    write_events,
    write_products,
)

BAD_EVENTS = [
    (("e2", "", "p1", "view", YEAR), "missing user_id"),
    (("", "u1", "p1", "view", YEAR), "missing event_id"),
    (("e2", "u1", None, "view", YEAR), "missing product_id"),
    (("e2", "u1", "p1", "glance", YEAR), "unknown event_type"),
    (("e2", "u1", "p1", "view", None), "missing event_timestamp"),
    (("e2", "u1", "p1", "view", "2024-02-30"), "unparsable event_timestamp"),
    (("e2", "u1", "p1", "view", "2024-06-01T00:00:01Z"), "future event_timestamp"),
    (("e1", "u1", "p1", "view", YEAR), "duplicate event_id"),
    (("stored", "u9", "p1", "view", YEAR), "event_id already stored with other content"),
    (("e2", "u1", "p9", "view", YEAR), "unknown product"),
]
BAD_PRODUCTS = [
    ((None, "Tea", "d", "c", "1", YEAR, YEAR), "missing product_id"),
    (("p2", " ", "d", "c", "1", YEAR, YEAR), "missing title"),
    (("p2", "Tea", "d", "c", "-1", YEAR, YEAR), "negative price"),
    (("p2", "Tea", "d", "c", "cheap", YEAR, YEAR), "unparsable price"),
    (("p2", "Tea", "d", "c", "1", "once", YEAR), "unparsable created_at"),
    (("p2", "Tea", "d", "c", "1", None, YEAR), "missing created_at"),
    (("p2", "Tea", "d", "c", "1", YEAR, "2023-12-31"), "updated_at before created_at"),
    (("p1", "Tea", "d", "c", "1", YEAR, YEAR), "duplicate product_id"),
]


def _rejects(folder: Path) -> list[dict[str, str]]:
    with (folder / "rejects.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_every_kind_of_bad_row_is_rejected_with_line_and_reason(
    settings: Settings, postgres: Connection, tmp_path: Path, suffix: str
) -> None:
    """The good rows around them are loaded."""
    first_line = 2 if suffix == ".csv" else 1
    products = write_products(tmp_path, GOOD_PRODUCT, *(r for r, _ in BAD_PRODUCTS), suffix=suffix)
    stored = ("stored", "u1", "p1", "view", YEAR)
    kept = ("kept", "u1", "p1", "view", YEAR)
    load(settings, tmp_path, products=products, events=write_events(tmp_path, stored, kept))
    events = write_events(
        tmp_path, GOOD_EVENT, *(row for row, _ in BAD_EVENTS), kept, suffix=suffix
    )

    of_products, of_events = load(settings, tmp_path, products=products, events=events)

    assert (of_products.read, of_products.unchanged, of_products.rejected) == (9, 1, 8)
    assert (of_events.read, of_events.loaded, of_events.unchanged) == (12, 1, 1)
    expected = [
        (str(path), str(line), reason, _record_start(row))
        for path, bad in ((events, BAD_EVENTS), (products, BAD_PRODUCTS))
        for line, (row, reason) in enumerate(bad, start=first_line + 1)
    ]
    found = [
        (row["file"], row["line"], row["reason"], _record_start(json.loads(row["record"]).values()))
        for row in _rejects(tmp_path)
    ]
    assert found == expected
    assert of_events.reasons == {reason: 1 for _, reason in BAD_EVENTS}
    assert [row[0] for row in stored_rows(postgres)[0]] == ["e1", "kept", "stored"]


def _record_start(values: Iterable[str | None]) -> list[str | None]:
    """Return the columns before any instant; those look different once they were parsed."""
    return [value or None for value in list(values)[:4]]


def test_malformed_records_are_rejected_and_later_lines_stay_right(
    settings: Settings, tmp_path: Path
) -> None:
    """A record with too few or too many fields is kept as its text."""
    load(settings, tmp_path, products=write_products(tmp_path, GOOD_PRODUCT))
    events = tmp_path / "events.csv"
    events.write_text(
        "event_timestamp,event_type,product_id,user_id,event_id\n"
        "short\n"
        f"{YEAR},view,p1,u1,e1\n"
        f'{YEAR},view,p1,"u\n\n2",e2,"a ""quote"""\n'
        f"{YEAR},view,p9,u1,e3\n"
        f"{YEAR},view,p1,u1,e4,\n"
    )
    (report,) = load(settings, tmp_path, events=events)
    assert (report.read, report.loaded, report.rejected) == (5, 1, 4)
    found = [(row["line"], row["reason"]) for row in _rejects(tmp_path)]
    malformed = "wrong number of fields"
    assert found == [("2", malformed), ("4", malformed), ("7", "unknown product"), ("8", malformed)]
    assert json.loads(_rejects(tmp_path)[1]["record"]).startswith(f'{YEAR},view,p1,"u\n\n2"')


def test_loading_twice_changes_nothing(
    settings: Settings, postgres: Connection, tmp_path: Path
) -> None:
    """All rows count as unchanged, and the tables keep their row versions."""
    files = {
        "products": write_products(
            tmp_path, GOOD_PRODUCT, ("p2", "Ü", None, None, None, YEAR, YEAR)
        ),
        "events": write_events(tmp_path, GOOD_EVENT, ("e2", "u1", "p2", "purchase", "2023-01-01")),
    }
    first = load(settings, tmp_path, **files)
    before = _row_versions(postgres)
    second = load(settings, tmp_path, **files)
    assert _row_versions(postgres) == before
    assert [(report.loaded, report.unchanged) for report in first] == [(2, 0), (2, 0)]
    assert [(report.loaded, report.unchanged) for report in second] == [(0, 2), (0, 2)]
    assert not (tmp_path / "rejects.csv").exists()


def _row_versions(postgres: Connection) -> list[list[tuple[Any, ...]]]:
    with postgres.transaction():
        return [
            postgres.execute("SELECT xmin::text, * FROM events ORDER BY 2").fetchall(),
            postgres.execute("SELECT xmin::text, * FROM products ORDER BY 2").fetchall(),
            postgres.execute("SELECT xmin::text, * FROM users ORDER BY 2").fetchall(),
        ]


def test_a_changed_product_is_updated(
    settings: Settings, postgres: Connection, tmp_path: Path
) -> None:
    """A null that became a value is a change too; the other product stays."""
    without_price = ("p2", "Milk", None, None, None, YEAR, YEAR)
    load(settings, tmp_path, products=write_products(tmp_path, GOOD_PRODUCT, without_price))
    with_price = ("p2", "Milk", None, None, "0.5", YEAR, YEAR)
    (report,) = load(
        settings, tmp_path, products=write_products(tmp_path, GOOD_PRODUCT, with_price)
    )
    assert (report.loaded, report.updated, report.unchanged) == (0, 1, 1)
    prices = postgres.execute("SELECT price FROM products ORDER BY product_id").fetchall()
    assert prices == [(1.0,), (0.5,)]


def test_an_event_never_changes(settings: Settings, postgres: Connection, tmp_path: Path) -> None:
    """The same id with other content is rejected; the stored event stays."""
    products = write_products(tmp_path, GOOD_PRODUCT)
    load(settings, tmp_path, products=products, events=write_events(tmp_path, GOOD_EVENT))
    other = ("e1", "u1", "p1", "purchase", YEAR)
    (report,) = load(settings, tmp_path, events=write_events(tmp_path, other))
    assert report.reasons == {"event_id already stored with other content": 1}
    assert postgres.execute("SELECT event_type FROM events").fetchall() == [("view",)]


def test_users_are_created_at_their_first_event(
    settings: Settings, postgres: Connection, tmp_path: Path
) -> None:
    """An earlier event that comes later moves a user back, a later one does not move it on."""
    load(settings, tmp_path, products=write_products(tmp_path, GOOD_PRODUCT))
    for name, day in (("e1", "2024-01-02"), ("e2", "2024-01-01"), ("e3", "2024-01-03")):
        load(settings, tmp_path, events=write_events(tmp_path, (name, "u1", "p1", "view", day)))
    users = postgres.execute("TABLE users").fetchall()
    assert users == [("u1", datetime(2024, 1, 1, tzinfo=UTC))]


def test_only_the_good_occurrence_of_an_id_counts(settings: Settings, tmp_path: Path) -> None:
    """An event is no duplicate of one that was refused itself."""
    of_unknown_product = ("e1", "u1", "p9", "view", YEAR)
    of_unknown_type = ("e1", "u1", "p1", "glance", YEAR)
    reports = load(
        settings,
        tmp_path,
        products=write_products(tmp_path, GOOD_PRODUCT),
        events=write_events(tmp_path, of_unknown_product, of_unknown_type, GOOD_EVENT),
    )
    assert reports[1].loaded == 1
    assert reports[1].reasons == {"unknown event_type": 1, "unknown product": 1}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_awkward_text_arrives_as_it_was(
    settings: Settings, postgres: Connection, tmp_path: Path, suffix: str
) -> None:
    """Whatever means something to CSV, to COPY or to a terminal is only text."""
    texts = [
        "tab\there",
        'say "hi", \\ and \\N and \\t',
        "two\nlines\r\nand a half\r",
        "naïve 日本語 🛒",
        "'; DROP TABLE events; --",
        "\\.",
        " spaces ",
    ]
    rows = [(f"p{n}{text}", text, text, text, "1", YEAR, YEAR) for n, text in enumerate(texts)]
    load(settings, tmp_path, products=write_products(tmp_path, *rows, suffix=suffix))
    stored = postgres.execute(
        "SELECT product_id, title, description, category FROM products ORDER BY product_id"
    )
    assert stored.fetchall() == [row[:4] for row in rows]


def test_typed_parquet_columns_are_accepted(
    settings: Settings, postgres: Connection, tmp_path: Path
) -> None:
    """Numbers as ids, timestamps, decimals and columns without any value need no text."""
    path = tmp_path / "products.parquet"
    instants = pa.array([NOW, NOW], pa.timestamp("ns", "Europe/Berlin"))
    table = pa.table(
        {
            "product_id": [1, 2],
            "title": pa.array(["Tea", None]).dictionary_encode(),
            "description": pa.nulls(2),
            "category": pa.array(["c", "c"], pa.large_string()),
            "price": pa.array([1, 2]).cast(pa.decimal128(21, 2)),
            "created_at": instants,
            "updated_at": instants,
        }
    )
    parquet.write_table(table, path)
    (report,) = load(settings, tmp_path, products=path)
    assert report.reasons == {"missing title": 1}
    stored = postgres.execute(
        "SELECT product_id, title, description, category, price, created_at, updated_at "
        "FROM products"
    ).fetchall()
    assert stored == [("1", "Tea", None, "c", 1.0, NOW, NOW)]


def test_an_event_of_this_instant_is_loaded(settings: Settings, tmp_path: Path) -> None:
    """Only what comes after `now` is in the future."""
    at, after = NOW, NOW + timedelta(microseconds=1)
    events = write_events(
        tmp_path,
        ("e1", "u1", "p1", "view", at.isoformat()),
        ("e2", "u1", "p1", "view", after.isoformat()),
    )
    reports = load(
        settings, tmp_path, products=write_products(tmp_path, GOOD_PRODUCT), events=events
    )
    assert reports[1].loaded == 1
    assert reports[1].reasons == {"future event_timestamp": 1}


def test_no_file_is_an_error(settings: Settings) -> None:
    """Loading nothing is a mistake in the call."""
    with pytest.raises(ConfigurationError, match="nothing to load"):
        load_files(settings, now=NOW)
