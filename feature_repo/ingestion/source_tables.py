"""The source tables: what a row must fulfil beside the others, and how good rows are merged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

import pyarrow as pa

from feature_repo.ingestion.columns import EVENT_COLUMNS, PRODUCT_COLUMNS, Kind
from feature_repo.ingestion.rules import Checked, check_events, check_products


@dataclass(frozen=True)
class SourceTable:
    """
    How one source table is loaded.

    Attributes:
        name: Of the table.
        columns: What a file must have.
        check: Finds what is wrong with single rows, given the current instant.
        staging: Temporary table of the rows whose form is good, with their lines.
        create_staging: The statement that creates it.
        refusals: Reasons to refuse staged rows in the light of all others, tried in this order:
            each a reason and the DELETE, on the alias `staged`, of the rows that it concerns.
        update: Brings stored rows up to date with staged ones; none where rows never change.
        insert: Adds the staged rows that are not stored.
        derive: What follows from the staged rows.
    """

    name: LiteralString
    columns: Mapping[str, Kind]
    check: Callable[[pa.RecordBatch, datetime], Checked]
    staging: LiteralString
    create_staging: LiteralString
    refusals: Sequence[tuple[LiteralString, LiteralString]]
    update: LiteralString | None
    insert: LiteralString
    derive: Sequence[LiteralString]


PRODUCTS = SourceTable(
    name="products",
    columns=PRODUCT_COLUMNS,
    check=check_products,
    staging="staged_products",
    create_staging="""
        CREATE TEMP TABLE staged_products
            (line bigint, product_id text, title text, description text, category text,
             price double precision, created_at timestamptz, updated_at timestamptz)
        ON COMMIT DROP
        """,
    refusals=[
        (
            "duplicate product_id",
            """
            DELETE FROM staged_products AS staged
            USING (SELECT product_id, min(line) AS line FROM staged_products
                   GROUP BY product_id HAVING count(*) > 1) AS earliest
            WHERE staged.product_id = earliest.product_id AND staged.line > earliest.line
            """,
        ),
    ],
    update="""
        UPDATE products AS kept
        SET title = staged.title, description = staged.description, category = staged.category,
            price = staged.price, created_at = staged.created_at, updated_at = staged.updated_at
        FROM staged_products AS staged
        WHERE kept.product_id = staged.product_id
          AND (kept.title, kept.description, kept.category,
               kept.price, kept.created_at, kept.updated_at)
              IS DISTINCT FROM
              (staged.title, staged.description, staged.category,
               staged.price, staged.created_at, staged.updated_at)
        """,
    insert="""
        INSERT INTO products
            (product_id, title, description, category, price, created_at, updated_at)
        SELECT product_id, title, description, category, price, created_at, updated_at
        FROM staged_products AS staged
        WHERE NOT EXISTS (SELECT FROM products WHERE products.product_id = staged.product_id)
        ORDER BY line
        """,
    derive=["ANALYZE products"],
)

EVENTS = SourceTable(
    name="events",
    columns=EVENT_COLUMNS,
    check=check_events,
    staging="staged_events",
    create_staging="""
        CREATE TEMP TABLE staged_events
            (line bigint, event_id text, user_id text, product_id text, event_type text,
             event_timestamp timestamptz)
        ON COMMIT DROP
        """,
    refusals=[
        (
            "unknown product",
            """
            DELETE FROM staged_events AS staged
            WHERE NOT EXISTS (SELECT FROM products WHERE products.product_id = staged.product_id)
            """,
        ),
        (
            "duplicate event_id",
            """
            DELETE FROM staged_events AS staged
            USING (SELECT event_id, min(line) AS line FROM staged_events
                   GROUP BY event_id HAVING count(*) > 1) AS earliest
            WHERE staged.event_id = earliest.event_id AND staged.line > earliest.line
            """,
        ),
        (
            "event_id already stored with other content",
            """
            DELETE FROM staged_events AS staged
            USING events
            WHERE staged.event_id = events.event_id
              AND (staged.user_id, staged.product_id, staged.event_type, staged.event_timestamp)
                  IS DISTINCT FROM
                  (events.user_id, events.product_id, events.event_type, events.event_timestamp)
            """,
        ),
    ],
    update=None,
    insert="""
        INSERT INTO events (event_id, user_id, product_id, event_type, event_timestamp)
        SELECT event_id, user_id, product_id, event_type, event_timestamp
        FROM staged_events AS staged
        WHERE NOT EXISTS (SELECT FROM events WHERE events.event_id = staged.event_id)
        ORDER BY event_timestamp
        """,
    derive=[
        """
        INSERT INTO users AS kept (user_id, created_at)
        SELECT user_id, min(event_timestamp) FROM staged_events GROUP BY user_id
        ON CONFLICT (user_id) DO UPDATE SET created_at = excluded.created_at
        WHERE excluded.created_at < kept.created_at
        """,
        "ANALYZE events",
        "ANALYZE users",
    ],
)
