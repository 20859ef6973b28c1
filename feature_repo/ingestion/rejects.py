"""Refused rows: collected in the load's transaction, then written to a file."""

import contextlib
import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import LiteralString

import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from feature_repo.ingestion.readers import Malformed
from foundation.copy import copy_table
from foundation.errors import ConfigurationError
from foundation.postgres import Connection

_CREATE = """
CREATE TEMP TABLE rejected_rows (file text, line bigint, reason text, record text) ON COMMIT DROP
"""

_MOVE = """
WITH refused AS ({delete} RETURNING staged.*)
INSERT INTO rejected_rows
SELECT {file}, line, {reason}, row_to_json((SELECT row FROM (SELECT {columns}) AS row))
FROM refused
"""

_MALFORMED = "wrong number of fields"


def create_rejected_rows(connection: Connection) -> None:
    """Create the table of refused rows, which lasts until the transaction ends."""
    connection.execute(_CREATE)


def add_malformed(connection: Connection, path: Path, records: Sequence[Malformed]) -> int:
    """Refuse records that are no rows; return their number."""
    return _add(
        connection,
        path,
        lines=pa.array([record.line for record in records], pa.int64()),
        reasons=pa.array([_MALFORMED] * len(records), pa.string()),
        records=[record.text for record in records],
    )


def add_rows(
    connection: Connection,
    path: Path,
    rows: pa.RecordBatch,
    *,
    lines: pa.Int64Array,
    reasons: pa.StringArray,
) -> int:
    """Refuse rows as they were read, each for its reason; return their number."""
    texts = [pc.cast(column, pa.string()) for column in rows.columns]
    records = pa.RecordBatch.from_arrays(texts, names=rows.schema.names).to_pylist()
    return _add(connection, path, lines=lines, reasons=reasons, records=records)


def move_staged(
    connection: Connection,
    path: Path,
    *,
    delete: LiteralString,
    reason: str,
    columns: Sequence[str],
) -> int:
    """Refuse the staged rows that a DELETE statement (on the alias `staged`) takes away."""
    statement = sql.SQL(_MOVE).format(
        delete=sql.SQL(delete),
        file=sql.Literal(str(path)),
        reason=sql.Literal(reason),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
    )
    return connection.execute(statement).rowcount


def count_by_reason(connection: Connection, path: Path) -> Mapping[str, int]:
    """Return how many rows of a file were refused for each reason, the most frequent first."""
    counts = connection.execute(
        "SELECT reason, count(*) FROM rejected_rows WHERE file = %s"
        " GROUP BY reason ORDER BY count(*) DESC, reason",
        (str(path),),
    )
    return dict(counts.fetchall())


def write_rejects(connection: Connection, target: Path) -> None:
    """Write all refused rows, in the order of the files they came from."""
    with target.open("w", newline="", encoding="utf-8") as file, connection.cursor() as cursor:
        writer = csv.writer(file)
        writer.writerow(["file", "line", "reason", "record"])
        writer.writerows(
            cursor.stream("SELECT * FROM rejected_rows ORDER BY file, line", size=10_000)
        )


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """
    Yield an empty draft beside the target; what was written to it becomes the target in the end.

    Nothing does if nothing was written, or if the block raises.

    Raises:
        ConfigurationError: The target's folder can't be written to.
    """
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        draft.touch()
    except OSError as error:
        raise ConfigurationError(
            f"the rejects file {target} can't be written: {error.strerror}",
            hint="Name another one with --rejects.",
        ) from error
    try:
        yield draft
        if draft.stat().st_size:
            draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _add(
    connection: Connection,
    path: Path,
    *,
    lines: pa.Int64Array,
    reasons: pa.StringArray,
    records: Sequence[object],
) -> int:
    # As JSON a record is one line of printable text, whatever it holds.
    texts = [json.dumps(record, ensure_ascii=False, separators=(",", ":")) for record in records]
    rows = pa.table(
        {
            "file": pa.array([str(path)] * len(texts), pa.string()),
            "line": lines,
            "reason": reasons,
            "record": pa.array(texts, pa.string()),
        }
    )
    return copy_table(connection, "rejected_rows", rows)
