"""PostgreSQL's full-text relevance, as search sees it."""

from collections.abc import Sequence
from datetime import timedelta

import psycopg
import pyarrow as pa
import pytest

from feature_repo.registry.gather import gather_features
from foundation.postgres import Connection
from tests.integration.transformations.conftest import AS_OF
from transformations import on_demand
from transformations.embedding import no_model

FEATURE = next(f for f in gather_features() if f.reference == "search_keyword_score==1.0.0")
PRODUCTS = {
    "title": ("Organic milk", "From the farm."),
    "description": ("Fresh from the farm", "Organic milk."),
    "apart": ("Organic chocolate", "With whole, unskimmed and very creamy milk."),
    "half": ("Organic tea", None),
    "none": ("Running shoes", "Light."),
}


@pytest.fixture
def catalog(postgres: Connection) -> Connection:
    """Return a connection to a shop that sells, among others, organic milk."""
    with postgres.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO products VALUES (%s, %s, %s, 'c', 1, %s, %s)",
            [(name, *texts, AS_OF, AS_OF) for name, texts in PRODUCTS.items()],
        )
    return postgres


def _scores(
    connection: Connection, pairs: Sequence[tuple[str | None, str | None]]
) -> dict[str, float]:
    columns = zip(*pairs, strict=True)
    wanted = pa.table(
        {
            name: pa.array(column, pa.string())
            for name, column in zip(FEATURE.join_keys, columns, strict=True)
        }
    )
    values = on_demand.compute_values(
        connection, FEATURE, wanted, dependencies=(), as_of=AS_OF, embed=no_model
    ).to_pydict()
    assert values["entity_id"] == list(dict.fromkeys(values["entity_id"]))
    return dict(zip(values["entity_id"], values["feature_value"], strict=True))


def _ranked(connection: Connection, query: str) -> list[str]:
    """Return the products that a query finds, the most relevant first."""
    scores = _scores(connection, [(name, query) for name in PRODUCTS])
    assert len(scores) == len(PRODUCTS)
    assert all(0 <= score < 1 for score in scores.values())
    found = [identifier.partition(":")[0] for identifier, score in scores.items() if score > 0]
    return sorted(found, key=lambda name: -scores[f"{name}:{query}"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("organic milk", ["title", "description", "apart"]),
        ("ORGANIC milks", ["title", "description", "apart"]),
        ('"organic milk"', ["title", "description"]),
        ("organic milk -farm", ["apart"]),
        ("shoe or tea", ["half", "none"]),
        ("submarine", []),
        ("the", []),
        ("", []),
        ("   ", []),
        ("((((", []),
        (r"'; DROP TABLE products; -- \ & | ! :* <->", []),
        ("milk " * 400, ["title", "description", "apart"]),
        ("milk" + " " * 1_000 + "submarine", ["title", "description", "apart"]),
        ("x" * 1_000_000, []),
    ],
)
def test_products_are_ranked_by_relevance(
    catalog: Connection, query: str, expected: list[str]
) -> None:
    """The title outweighs the description, near words outweigh distant ones, all must be there."""
    ranked = _ranked(catalog, query)
    assert sorted(ranked) == sorted(expected)
    if query.lower().startswith("organic milk"):
        assert ranked == expected


def test_what_is_unknown_has_no_row(catalog: Connection) -> None:
    """Unknown products, products of the future, and what can't be a key; the rest is answered."""
    catalog.execute(
        "INSERT INTO products VALUES ('new', 'Organic milk', '', 'c', 1, %(at)s, %(at)s)",
        {"at": AS_OF + timedelta(seconds=1)},
    )
    pairs: list[tuple[str | None, str | None]] = [
        *((name, "milk") for name in ("unknown", "new", "title\0", "title")),
        *(("title", query) for query in (None, "milk\0", "milk")),
        (None, "milk"),
    ]
    assert set(_scores(catalog, pairs)) == {"title:milk"}
    assert _scores(catalog, [(None, None)]) == {}


def test_entity_ids_are_escaped(catalog: Connection) -> None:
    """A query with a colon is part of the id like any other."""
    assert set(_scores(catalog, [("title", "100%: milk")])) == {"title:100%25%3A milk"}


def test_many_candidates_and_queries_are_one_statement(catalog: Connection) -> None:
    """1,000 products for each of three queries: a plan has one statement, and it answers all."""
    catalog.execute(
        """
        INSERT INTO products SELECT 'p' || n, 'Organic milk ' || n, '', 'c', 1, %(at)s, %(at)s
        FROM generate_series(1, 1000) AS n
        """,
        {"at": AS_OF},
    )
    names = [f"p{n}" for n in range(1, 1001)]
    wanted = pa.table(
        {"product_id": names * 3, "query": ["milk"] * 1000 + ["shoes"] * 1000 + ["p"] * 1000}
    )
    planned = on_demand.plan(FEATURE, wanted, dependencies=(), as_of=AS_OF, embed=no_model)
    [statement] = planned.statements.values()
    rows = planned.finish({"values": on_demand.execute(catalog, statement)}).to_pylist()
    assert len(rows) == 3000
    assert {row["query"] for row in rows if row["feature_value"] > 0} == {"milk"}


def test_scores_follow_the_texts(catalog: Connection) -> None:
    """PostgreSQL keeps the words of a product up to date, also of texts beyond any measure."""
    catalog.execute("UPDATE products SET title = 'Oat drink' WHERE product_id = 'title'")
    assert "title" not in _ranked(catalog, "milk")
    catalog.execute(
        "UPDATE products SET title = %s, description = %s WHERE product_id = 'title'",
        (" ".join(map(str, range(500_000))), " ".join(map(chr, range(0x4E00, 0x9FFF))) * 100),
    )
    assert "title" in _ranked(catalog, "17")


def test_the_words_can_not_be_written(catalog: Connection) -> None:
    """Whoever loads products names the columns of the source; this one is derived."""
    with pytest.raises(psycopg.errors.GeneratedAlways):
        catalog.execute("UPDATE products SET search_text = ''")
