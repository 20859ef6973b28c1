"""Loading any mix of good and bad rows equals a slow and obvious reference."""

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from feature_repo.ingestion.loading import load_files
from foundation.postgres import connect
from foundation.settings import Settings

NOW = datetime(2024, 6, 1, tzinfo=UTC)
COLUMNS = ("event_id", "user_id", "product_id", "event_type", "event_timestamp")
EVENT_TYPES = ("view", "add_to_cart", "purchase")
PRODUCTS = ("p1", "p:2", "p\n3")

Row = tuple[str, ...]

# Few values a column, so that ids repeat and rows meet what is stored.
rows_strategy = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["e1", "e2", "e3", "é\t4", "\\N", ""]),
            st.sampled_from(["u1", 'u"2', " "]),
            st.sampled_from([*PRODUCTS, "p9"]),
            st.sampled_from([*EVENT_TYPES, "glance"]),
            st.sampled_from(
                [
                    "2024-01-01",
                    "2024-01-01T01:00:00+01:00",
                    "2024-02-29 12:00:00.123456",
                    "2024-06-01T00:00:00Z",
                    "2024-06-01T00:00:01Z",
                    "2023-02-29",
                    "",
                ]
            ),
        ),
        st.just(("too", "short")),
    ),
    max_size=12,
)


def _reference(stored: dict[str, Row], rows: list[Row]) -> tuple[dict[str, Row], int, int]:
    """Return the events after loading rows one by one, and how many were loaded and rejected."""
    events, seen, loaded, rejected = dict(stored), set(), 0, 0
    for row in rows:
        parsed = _parse(row)
        if parsed is None or parsed[0] in seen:
            rejected += 1
            continue
        event_id = parsed[0]
        seen.add(event_id)
        if event_id not in events:
            events[event_id] = parsed
            loaded += 1
        elif events[event_id] != parsed:
            rejected += 1
    return events, loaded, rejected


def _parse(row: Row) -> Row | None:
    if len(row) != len(COLUMNS) or not all(value.strip() for value in row):
        return None
    *others, text = row
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    if others[3] not in EVENT_TYPES or others[2] not in PRODUCTS or instant > NOW:
        return None
    return (*others, instant.isoformat())


@pytest.fixture
def shop(settings: Settings) -> Settings:
    """Settings of a store that has products and no events."""
    with connect(settings) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO products VALUES (%s, 't', NULL, NULL, NULL, %s, %s)",
            [(product, NOW, NOW) for product in PRODUCTS],
        )
    return settings


@given(st.lists(rows_strategy, min_size=1, max_size=3))
@hypothesis_settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_files_loaded_one_after_the_other(
    shop: Settings, tmp_path: Path, files: list[list[Row]]
) -> None:
    """Counts add up, and events and users are those of the reference."""
    with connect(shop) as connection:
        connection.execute("TRUNCATE events, users")
    expected: dict[str, Row] = {}
    for rows in files:
        path = tmp_path / "events.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([COLUMNS, *rows])
        (report,) = load_files(shop, events=path, rejects=tmp_path / "rejects.csv", now=NOW).files
        expected, loaded, rejected = _reference(expected, rows)
        assert (report.read, report.loaded, report.rejected) == (len(rows), loaded, rejected)
        assert report.loaded + report.unchanged + report.rejected == report.read
        assert (_events(shop), _users(shop)) == (expected, _first_events(expected))


def _events(settings: Settings) -> dict[str, Row]:
    with connect(settings) as connection:
        rows = connection.execute("TABLE events").fetchall()
    return {row[0]: (*row[:4], row[4].isoformat()) for row in rows}


def _users(settings: Settings) -> dict[str, str]:
    with connect(settings) as connection:
        rows = connection.execute("TABLE users").fetchall()
    return {user_id: created_at.isoformat() for user_id, created_at in rows}


def _first_events(events: dict[str, Row]) -> dict[str, str]:
    users = {user_id for _, user_id, *_ in events.values()}
    return {
        user_id: min(row[4] for row in events.values() if row[1] == user_id) for user_id in users
    }
