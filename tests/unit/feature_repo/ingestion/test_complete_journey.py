"""The demo's data set in our columns."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import parquet

from feature_repo.ingestion.complete_journey import write_complete_journey
from feature_repo.ingestion.rules import check_events, check_products

NEWEST = datetime(2024, 6, 1, 12, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Events and products as they were written."""
    events, products = write_complete_journey(tmp_path_factory.mktemp("demo"), newest=NEWEST)
    yield parquet.read_table(events), parquet.read_table(products)


def test_every_transaction_is_one_event(files: tuple[pa.Table, pa.Table]) -> None:
    """None is lost, each has an id of its own, and the newest is when it should be."""
    events, _ = files
    assert events.num_rows == 1_469_307
    assert pc.count_distinct(events["event_id"]).as_py() == events.num_rows
    assert pc.count_distinct(events["user_id"]).as_py() == 2_469
    assert pc.max(events["event_timestamp"]).as_py() == NEWEST


def test_products_have_a_title_a_category_and_a_first_sale(
    files: tuple[pa.Table, pa.Table],
) -> None:
    """Each product of the catalog is there once, created no later than its first sale."""
    events, products = files
    assert products.num_rows == pc.count_distinct(products["product_id"]).as_py() == 92_331
    assert pc.count_distinct(products["category"]).as_py() == 304
    assert products["title"].null_count == products["category"].null_count == 0
    joined = events.join(products.select(["product_id", "created_at"]), "product_id")
    assert not pc.any(pc.less(joined["event_timestamp"], joined["created_at"])).as_py()
    assert pc.min(products["created_at"]).as_py() == pc.min(events["event_timestamp"]).as_py()


def test_a_price_is_the_median_of_unit_prices(files: tuple[pa.Table, pa.Table]) -> None:
    """Compared with a count by hand for the most sold product."""
    _, products = files
    prices = dict(
        zip(products["product_id"].to_pylist(), products["price"].to_pylist(), strict=True)
    )
    assert prices["prod_1082185"] == pytest.approx(0.99, abs=0.01)
    assert pc.min(products["price"]).as_py() >= 0.0


def test_single_rows_are_all_good(files: tuple[pa.Table, pa.Table]) -> None:
    """Nothing but products that the catalog lacks stands in the way of loading them."""
    for table, check in zip(files, (check_events, check_products), strict=True):
        for batch in table.to_batches():
            assert check(batch, NEWEST).reasons.null_count == batch.num_rows


def test_the_same_argument_writes_the_same_files(
    files: tuple[pa.Table, pa.Table], tmp_path: Path
) -> None:
    """Nothing in them is left to chance."""
    again = write_complete_journey(tmp_path, newest=NEWEST)
    assert tuple(map(parquet.read_table, again)) == files
