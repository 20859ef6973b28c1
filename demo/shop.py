"""The shop of the demo: its data, a household to serve, and products to rank for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import JustifyMethod
from rich.table import Table

from foundation.errors import ContractViolation
from foundation.postgres import Connection

# The ranking formula's weights for recommendations, which have no search score. The household's
# affinity to a product is that to the product's category.
WEIGHTS = {"affinity": 0.3, "popularity": 0.2, "freshness": 0.1}


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
        "TRUNCATE events, products, users, feature_values, feature_latest, computation_runs"
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


def candidates(connection: Connection, *, count: int) -> list[Candidate]:
    """Return products at random (the same ones every time), among those bought last month."""
    rows = connection.execute(
        """
        SELECT product_id, title, category FROM products
        WHERE product_id IN (
            SELECT product_id FROM events WHERE event_timestamp > now() - interval '30 days'
            GROUP BY product_id HAVING count(*) >= 20)
        ORDER BY md5(product_id) LIMIT %s
        """,
        (count,),
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
    affinity: Mapping[str, float],
    *,
    rows: int,
) -> Table:
    """
    Return the best products for the household.

    Args:
        products: What to rank.
        values: popularity_score and product_freshness_score by product_id, as the gateway gave.
        affinity: The household's user_category_affinity.
        rows: How many to show.
    """
    scored = []
    for product in products:
        terms = {
            "affinity": affinity.get(product.category, 0.0),
            "popularity": values[product.product_id]["popularity_score"],
            "freshness": values[product.product_id]["product_freshness_score"],
        }
        score = sum(WEIGHTS[name] * value for name, value in terms.items())
        scored.append((score, product, terms))
    scored.sort(key=lambda entry: (-entry[0], entry[1].product_id))
    formula = " + ".join(f"{weight} {name}" for name, weight in WEIGHTS.items())
    table = Table(title=f"The best {rows} of {len(products)} candidates", caption=formula)
    for heading in ("", "product", "category", *WEIGHTS, "score"):
        justify: JustifyMethod = "left" if heading in {"product", "category"} else "right"
        table.add_column(heading, justify=justify, no_wrap=True)
    for rank, (score, product, terms) in enumerate(scored[:rows], start=1):
        numbers = [f"{terms[name]:.4f}" for name in WEIGHTS]
        table.add_row(str(rank), product.title, product.category, *numbers, f"{score:.4f}")
    return table
