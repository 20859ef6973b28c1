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

# What was written last of what is said to be in force by then: whoever writes a text that is in
# force since long ago says that what was written before is wrong. Pairs that come up again are
# ranked once.
_RANK_THEN = """
WITH wanted AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[])
        WITH ORDINALITY AS pair (product_id, query, as_of, known_at, place)
), parsed AS MATERIALIZED (
    SELECT query, websearch_to_tsquery('english', left(query, $5::integer)) AS words
    FROM wanted GROUP BY query
), said AS MATERIALIZED (
    SELECT place, product_id, query, written_at FROM wanted CROSS JOIN LATERAL (
        SELECT written_at FROM product_texts
        WHERE product_texts.product_id = wanted.product_id AND in_force_from <= as_of
          AND written_at <= coalesce(known_at, 'infinity')
        ORDER BY written_at DESC LIMIT 1
    ) AS last
), ranked AS MATERIALIZED (
    SELECT product_id, query, written_at,
           CASE WHEN search_text @@ parsed.words
                THEN round(ts_rank_cd(search_text, parsed.words, 32)::numeric, 6)::float8
                ELSE 0 END AS score
    FROM (SELECT DISTINCT product_id, query, written_at FROM said) AS pairs
    JOIN parsed USING (query) JOIN product_texts USING (product_id, written_at)
)
SELECT place - 1, score FROM said JOIN ranked USING (product_id, query, written_at)
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
        rows: product_id, query and as_of, aware instants, without nulls; known_at, the aware
            instant after which nothing counts that was written, null if everything does.

    Returns:
        A query of row (counted from 0) and feature_value; no row for a product of which no text
        was in force then.
    """
    columns = rows.to_pydict()
    return Statement(
        _RANK_THEN,
        (
            *(columns[name] for name in ("product_id", "query", "as_of", "known_at")),
            LONGEST_QUERY,
        ),
        pa.schema({"row": pa.int64(), "feature_value": pa.float64()}),
    )
