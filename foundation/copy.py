"""Arrow tables into PostgreSQL with COPY, without a Python object per value."""

from typing import LiteralString

import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from foundation.postgres import Connection

_ROWS_PER_CHUNK = 65_536
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
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for batch in rows.to_batches(max_chunksize=_ROWS_PER_CHUNK):
            copy.write(_copy_text(batch))
    return int(rows.num_rows)


def _copy_text(batch: pa.RecordBatch) -> bytes:
    columns = [_escaped(column) for column in batch.columns]
    first, *rest = columns
    # The last separator follows the last column: every line ends itself.
    lines = pc.binary_join_element_wise(
        pc.binary_join_element_wise(first, *rest, "\t") if rest else first, "", "\n"
    )
    if len(lines) == 0:
        return b""
    _, offsets, text = lines.buffers()
    length = int.from_bytes(offsets[4 * len(lines) : 4 * len(lines) + 4].to_pybytes(), "little")
    return bytes(text[:length])


def _escaped(column: pa.Array) -> pa.Array:
    if not pa.types.is_string(column.type):
        return pc.fill_null(pc.cast(column, pa.string()), r"\N")
    for plain, escaped in _ESCAPES:
        column = pc.replace_substring(column, plain, escaped)
    return pc.fill_null(column, r"\N")
