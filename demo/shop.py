"""The shop of the demo: its data, a household to serve, and products to rank for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import JustifyMethod
from rich.table import Table

from foundation.errors import ContractViolation
from foundation.postgres import Connection

# The ranking formula: weights by feature.
WEIGHTS = {
    "search_keyword_score": 0.4,
    "user_product_affinity": 0.3,
    "popularity_score": 0.2,
    "product_freshness_score": 0.1,
}


@dataclass(frozen=True)
class Candidate:
    """A product that may be shown to the household."""

    product_id: str
    title: str
    category: str


def reset(connection: Connection) -> None:
    """
    Empty the tables of a former demo, so that its data can come again as of now.

    Raises:
        ContractViolation: The tables hold data that are not the demo's.
    """
    row = connection.execute(
        r"SELECT user_id FROM events WHERE user_id NOT LIKE 'household\_%' LIMIT 1"
    ).fetchone()
    if row is not None:
        raise ContractViolation(
            "the database holds events that are not the demo's, which would be deleted",
            hint="Give the demo a database of its own: "
            "FEATURE_STORE_DATA_DIR=.data/demo make demo.",
        )
    connection.execute(
        "TRUNCATE events, products, product_texts, users, feature_values, feature_latest, "
        "replaced_values, computation_runs, incremental_states CASCADE"
    )


def busiest_household(connection: Connection) -> str:
    """Return the user with the most purchases of the last 30 days."""
    row = connection.execute(
        """
        SELECT user_id FROM events WHERE event_timestamp > now() - interval '30 days'
        GROUP BY user_id ORDER BY count(*) DESC, user_id LIMIT 1
        """
    ).fetchone()
    assert row is not None, "the demo's events end now"  # noqa: S101 - it has just loaded them
    return str(row[0])


def candidates(connection: Connection, query: str, *, count: int) -> list[Candidate]:
    """Return products that match a search, those first that were bought most last month."""
    rows = connection.execute(
        """
        SELECT product_id, title, category FROM products
        LEFT JOIN (
            SELECT product_id, count(*) AS bought FROM events
            WHERE event_timestamp > now() - interval '30 days' GROUP BY product_id) AS recent
        USING (product_id)
        WHERE search_text @@ websearch_to_tsquery('english', %s)
        ORDER BY bought DESC NULLS LAST, product_id LIMIT %s
        """,
        (query, count),
    )
    return [Candidate(*row) for row in rows]


def purchases(connection: Connection, *, count: int) -> list[tuple[str, str]]:
    """Return who bought what, for a few purchases of the last month."""
    rows = connection.execute(
        """
        SELECT user_id, product_id FROM events
        WHERE event_timestamp > now() - interval '30 days' ORDER BY md5(event_id) LIMIT %s
        """,
        (count,),
    )
    return [(user_id, product_id) for user_id, product_id in rows]


def ranked_table(
    products: Sequence[Candidate],
    values: Mapping[str, Mapping[str, Any]],
    household: str,
    *,
    rows: int,
) -> Table:
    """
    Return the best products for a household.

    Args:
        products: What to rank.
        values: By product_id, a value of each feature in `WEIGHTS`.
        household: Whom they are ranked for.
        rows: How many to show.
    """
    scored = [
        (
            sum(weight * values[product.product_id][name] for name, weight in WEIGHTS.items()),
            product,
        )
        for product in products
    ]
    scored.sort(key=lambda entry: (-entry[0], entry[1].product_id))
    table = Table(
        title=f"The best {rows} of {len(products)} candidates for {household}",
        caption=" + ".join(f"{weight} {name}" for name, weight in WEIGHTS.items()),
    )
    for heading in ("", "product", *WEIGHTS, "score"):
        justify: JustifyMethod = "left" if heading == "product" else "right"
        table.add_column(heading, justify=justify, no_wrap=heading == "product")
    for rank, (score, product) in enumerate(scored[:rows], start=1):
        numbers = [f"{values[product.product_id][name]:.4f}" for name in WEIGHTS]
        table.add_row(str(rank), product.title, *numbers, f"{score:.4f}")
    return table
