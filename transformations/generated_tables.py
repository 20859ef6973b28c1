"""A made-up shop as Parquet files, or in PostgreSQL."""

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
from psycopg import sql

from foundation.copy import copy_table
from foundation.errors import ConfigurationError, ContractViolation
from foundation.postgres import Connection, connect
from foundation.settings import Settings
from transformations.generator import ID_PREFIX, Shop, generate

# Called with the name of a table and the number of its rows that were just written.
Progress = Callable[[str, int], None]

_ID_COLUMNS = {"products": "product_id", "users": "user_id", "events": "event_id"}


def write_files(
    shop: Shop, folder: Path, *, progress: Progress = lambda _table, _rows: None
) -> list[Path]:
    """
    Write `<table>.parquet` for each source table; the same shop gives the same bytes.

    Args:
        shop: What to write.
        folder: Created if missing; files of these names are replaced.
        progress: Told how far it is.

    Returns:
        The files.

    Raises:
        ConfigurationError: The folder can't be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_write_file(shop, folder, table, progress) for table in shop.row_counts()]
    except OSError as error:
        raise ConfigurationError(f"{folder}: can't be written to: {error.strerror}") from error


def load_tables(
    settings: Settings, shop: Shop, *, progress: Progress = lambda _table, _rows: None
) -> None:
    """
    Put a shop in the place of another generated one, or of nothing, in one transaction.

    Args:
        settings: Say where PostgreSQL is.
        shop: What to load.
        progress: Told how far it is.

    Raises:
        ContractViolation: A table holds rows that are not generated; nothing was changed.
        StoreUnavailable: PostgreSQL can't be reached.
    """
    with connect(settings) as connection:
        tables = sql.SQL(", ").join(map(sql.Identifier, _ID_COLUMNS))
        # First of all: what is looked at must not change before it is replaced.
        connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(tables))
        for table in _ID_COLUMNS:
            _refuse_other_rows(connection, table)
        connection.execute(sql.SQL("TRUNCATE {}").format(tables))
        # What jobs have added up from the events before, and past texts, go with them.
        connection.execute("DELETE FROM incremental_states")
        connection.execute("DELETE FROM product_texts")
        for table in _ID_COLUMNS:
            for rows in generate(shop, table):
                progress(table, copy_table(connection, table, rows))
        connection.execute(sql.SQL("ANALYZE {}").format(tables))


def _write_file(shop: Shop, folder: Path, table: str, progress: Progress) -> Path:
    path = folder / f"{table}.parquet"
    chunks = generate(shop, table)
    first = next(chunks)
    with pq.ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        progress(table, first.num_rows)
        for rows in chunks:
            writer.write_table(rows)
            progress(table, rows.num_rows)
    return path


def _refuse_other_rows(connection: Connection, table: str) -> None:
    found = connection.execute(
        sql.SQL("SELECT {column} FROM {table} WHERE NOT starts_with({column}, %s) LIMIT 1").format(
            column=sql.Identifier(_ID_COLUMNS[table]), table=sql.Identifier(table)
        ),
        (ID_PREFIX,),
    ).fetchone()
    if found is not None:
        raise ContractViolation(
            f"{table}: {_ID_COLUMNS[table]} {found[0]!r} is not generated, "
            "and generated rows don't go beside others",
            hint="Load them into a database of its own: set FEATURE_STORE_DATA_DIR to a new "
            "folder, or FEATURE_STORE_POSTGRES_URL to another database.",
        )
