"""How well each product's words match a search, by PostgreSQL's full-text relevance."""

from datetime import datetime

import pyarrow as pa

from transformations.computations.statements import Statement

# Nobody types more; what lies behind it doesn't count.
LONGEST_QUERY = 1_000  # characters

# Each query is parsed once, however many products it is held against. The rank alone would leave
# `-word` out of account. It is in single precision: 6 decimals are what it tells.
_RANK = """
WITH wanted AS (
    SELECT * FROM unnest($1::text[], $2::text[]) AS pair (product_id, query)
), parsed AS MATERIALIZED (
    SELECT query, websearch_to_tsquery('english', left(query, $4::integer)) AS words
    FROM wanted GROUP BY query
)
SELECT product_id, query,
       CASE WHEN products.search_text @@ parsed.words
            THEN round(ts_rank_cd(products.search_text, parsed.words, 32)::numeric, 6)::float8
            ELSE 0 END
FROM wanted JOIN parsed USING (query) JOIN products USING (product_id)
WHERE products.created_at <= $3
"""

# Pairs that come up again are ranked once. What a product's words were before it was last updated
# is not kept, so such rows have no value.
_RANK_THEN = """
WITH wanted AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[]) WITH ORDINALITY
        AS pair (product_id, query, as_of, place)
), parsed AS MATERIALIZED (
    SELECT query, websearch_to_tsquery('english', left(query, $4::integer)) AS words
    FROM wanted GROUP BY query
), ranked AS MATERIALIZED (
    SELECT product_id, query, greatest(products.created_at, products.updated_at) AS since,
           CASE WHEN products.search_text @@ parsed.words
                THEN round(ts_rank_cd(products.search_text, parsed.words, 32)::numeric, 6)::float8
                ELSE 0 END AS score
    FROM (SELECT DISTINCT product_id, query FROM wanted) AS pairs
    JOIN parsed USING (query) JOIN products USING (product_id)
)
SELECT place - 1, score FROM wanted JOIN ranked USING (product_id, query) WHERE since <= as_of
"""


def statement(wanted: pa.Table, *, as_of: datetime) -> Statement:
    """
    Return the query that ranks products against queries, all pairs in one.

    A product that has all words of the query scores by how near they stand to each other and
    whether they are in the title; one that lacks a word scores 0, as does every product for a query
    without words. Quoted phrases, `or` and `-` mean what they mean in web searches.

    Args:
        wanted: product_id and query, distinct; no null.
        as_of: Aware instant of the answer; products created later don't exist yet.

    Returns:
        A query of product_id, query, feature_value [0, 1); no row for an unknown product.
    """
    columns = wanted.to_pydict()
    return Statement(
        _RANK,
        (columns["product_id"], columns["query"], as_of, LONGEST_QUERY),
        pa.schema({"product_id": pa.string(), "query": pa.string(), "feature_value": pa.float64()}),
    )


def past_statement(rows: pa.Table) -> Statement:
    """
    Return the query that ranks products against queries as of instants of the past.

    Args:
        rows: product_id, query and as_of, aware instants; no null.

    Returns:
        A query of row (counted from 0) and feature_value; no row for a product that did not exist,
        or that has been updated since: what its words were then is not known.
    """
    columns = rows.to_pydict()
    return Statement(
        _RANK_THEN,
        (columns["product_id"], columns["query"], columns["as_of"], LONGEST_QUERY),
        pa.schema({"row": pa.int64(), "feature_value": pa.float64()}),
    )
