"""A made-up shop is of the size that was asked for, plausible, and the same every time."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from foundation.errors import ConfigurationError
from transformations.generated_tables import write_files
from transformations.generator import ID_PREFIX, Shop, generate
from transformations.source_tables import SCHEMAS

UNTIL = datetime(2026, 6, 1, 12, 0, 0, 123_456, tzinfo=UTC)
SHOP = Shop(users=2_000, products=300, events=20_000, days=30, seed=1, until=UNTIL)


def _rows(shop: Shop, table: str) -> pa.Table:
    return pa.concat_tables(generate(shop, table))


def _with(**changes: object) -> Shop:
    return Shop(**{**vars(SHOP), **changes})


@pytest.mark.parametrize("table", SCHEMAS)
def test_tables_have_the_columns_of_the_source_tables(table: str) -> None:
    """Names and types are those that computations expect, ids are unique and begin with gen_."""
    rows = _rows(SHOP, table)
    expected = SCHEMAS[table].to_pyarrow()
    assert rows.column_names == expected.names
    for name in expected.names:
        found = rows.schema.field(name).type
        assert found == expected.field(name).type or pa.types.is_timestamp(found)
        assert expected.field(name).nullable or rows[name].null_count == 0
    assert rows.num_rows == SHOP.row_counts()[table]
    assert len(rows[0].unique()) == rows.num_rows
    assert pc.all(pc.starts_with(rows[0], ID_PREFIX)).as_py()


@pytest.mark.parametrize("events", [1, 2, 20_000, 260_000])
def test_events_end_at_the_instant(events: int) -> None:
    """All lie in the days before the instant, and the newest at it."""
    times = _rows(_with(events=events), "events")["event_timestamp"]
    bounds = pc.min_max(times).as_py()
    assert len(times) == events
    assert bounds["max"] == UNTIL
    assert bounds["min"] > UNTIL - timedelta(days=30)


def test_events_name_known_products_and_users() -> None:
    """No event is of a product or user that the other tables don't have."""
    events = _rows(_with(products=7, users=3), "events")
    for table, column in (("products", "product_id"), ("users", "user_id")):
        known = _rows(_with(products=7, users=3), table)[column].combine_chunks()
        assert pc.all(pc.is_in(events[column], known)).as_py()


def test_users_buy_less_than_they_look_at() -> None:
    """Views outnumber carts, carts purchases; few products and users make most of it."""
    events = _rows(SHOP, "events")
    counts = {c["values"]: c["counts"] for c in pc.value_counts(events["event_type"]).to_pylist()}
    assert counts["view"] > 3 * counts["add_to_cart"] > 3 * counts["purchase"] > 0
    for column, number in (("product_id", 300), ("user_id", 2_000)):
        ordered = sorted(pc.value_counts(events[column]).field("counts").to_pylist(), reverse=True)
        assert sum(ordered[: number // 5]) > 0.4 * sum(ordered)


def test_the_same_shop_gives_the_same_bytes(tmp_path: Path) -> None:
    """Files are equal byte by byte; another seed gives others."""
    first, again, other = (
        {path.name: path.read_bytes() for path in write_files(shop, tmp_path / name)}
        for name, shop in (("first", SHOP), ("again", SHOP), ("other", _with(seed=2)))
    )
    assert first == again
    assert all(first[name] != other[name] for name in first)
    assert pq.read_table(tmp_path / "first" / "events.parquet").equals(_rows(SHOP, "events"))


def test_the_zone_of_the_instant_does_not_matter() -> None:
    """The same instant in another time zone is the same shop."""
    elsewhere = UNTIL.astimezone(timezone(timedelta(hours=5)))
    assert _rows(_with(until=elsewhere), "events").equals(_rows(SHOP, "events"))


@pytest.mark.parametrize(
    "changes",
    [{"users": 0}, {"events": -1}, {"seed": -1}, {"until": datetime(2026, 1, 1)}],  # noqa: DTZ001 - naive on purpose
)
def test_impossible_shops_are_refused(changes: dict[str, object]) -> None:
    """The error names what is wrong."""
    with pytest.raises(ConfigurationError, match=next(iter(changes))):
        _with(**changes)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """The error names the folder."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="file"):
        write_files(SHOP, tmp_path / "file" / "folder")
