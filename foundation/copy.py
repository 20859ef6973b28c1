"""Arrow tables into PostgreSQL with COPY, without a Python object per value."""

from typing import LiteralString

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from foundation.postgres import Connection

# The server takes small chunks faster than large ones.
_BYTES_PER_CHUNK = 2_000_000
# PostgreSQL's text format escapes these, the backslash first.
_ESCAPES = (("\\", r"\\"), ("\t", r"\t"), ("\n", r"\n"), ("\r", r"\r"))


def copy_table(connection: Connection, table: LiteralString, rows: pa.Table) -> int:
    """
    Append rows to a table.

    Args:
        connection: Its transaction receives the rows.
        table: Name of the table.
        rows: Columns named like the table's; strings, numbers, booleans or timestamps, or null.

    Returns:
        Number of rows sent.
    """
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, rows.column_names))
    )
    rows_per_chunk = 1 + rows.num_rows * _BYTES_PER_CHUNK // max(rows.nbytes, 1)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for batch in rows.to_batches(max_chunksize=rows_per_chunk):
            copy.write(_copy_text(batch))
    return int(rows.num_rows)


def _copy_text(batch: pa.RecordBatch) -> bytes:
    *columns, last = map(_escaped, batch.columns)
    # What ends the last column ends the line.
    return _bytes_of(
        pc.binary_join_element_wise(*columns, pc.binary_join_element_wise(last, "", "\n"), "\t")
    )


def _escaped(column: pa.Array) -> pa.Array:
    if not pa.types.is_string(column.type):
        return pc.fill_null(pc.cast(column, pa.string()), r"\N")
    text = _bytes_of(column)
    for plain, escaped in _ESCAPES:
        if plain.encode() in text:  # seldom; looking is far cheaper than replacing
            column = pc.replace_substring(column, plain, escaped)
    return pc.fill_null(column, r"\N")


def _bytes_of(column: pa.StringArray) -> bytes:
    """Return the texts of a column, one directly after the other."""
    _, offsets, text = column.buffers()
    if text is None or len(column) == 0:
        return b""
    edges = np.frombuffer(offsets, np.int32)
    start, end = int(edges[column.offset]), int(edges[column.offset + len(column)])
    content: bytes = text.slice(start, end - start).to_pybytes()
    return content
