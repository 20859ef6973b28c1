"""Read a CSV or Parquet file in batches, knowing on which line each record stands."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from feature_repo.ingestion.columns import Kind, check_names, check_types, is_text
from foundation.errors import ContractViolation

# A block must hold the longest record; a batch of a CSV file is what a block holds.
_CSV_BLOCK_BYTES = 8 * 1024 * 1024
_PARQUET_BATCH_ROWS = 131_072


@dataclass(frozen=True)
class Malformed:
    """A CSV record that has not as many fields as the header."""

    line: int
    text: str


@dataclass(frozen=True)
class Batch:
    """
    Consecutive records of a file.

    Attributes:
        rows: The columns asked for, in the order asked for; from CSV all of them are strings.
        lines: int64, where each row begins. In CSV the line of the file, the header's being 1, so
            that an editor finds it; in Parquet the number of the row, from 1.
        malformed: Records that could not become rows.
        share_read: How much of the file has been read, 0 to 1.
    """

    rows: pa.RecordBatch
    lines: pa.Int64Array
    malformed: Sequence[Malformed]
    share_read: float


@contextlib.contextmanager
def open_source(path: Path, columns: Mapping[str, Kind]) -> Iterator[Iterator[Batch]]:
    """
    Open a file, check its columns, and yield its batches.

    Args:
        path: Ends in .csv, .csv.gz or .parquet.
        columns: Those the file must have, in any order.

    Raises:
        ContractViolation: No such file, an unknown format, wrong columns, or contents that are not
            of the format; the last also while the batches are read.
    """
    if not path.is_file():
        raise ContractViolation(f"{path}: no such file")
    name = path.name.lower()
    if name.endswith((".csv", ".csv.gz")):
        opened = _open_csv(path, columns)
    elif name.endswith(".parquet"):
        opened = _open_parquet(path, columns)
    else:
        raise ContractViolation(
            f"{path}: unknown format", hint="The name must end in .csv, .csv.gz or .parquet."
        )
    with opened as batches:
        yield batches


@contextlib.contextmanager
def _open_csv(path: Path, columns: Mapping[str, Kind]) -> Iterator[Iterator[Batch]]:
    malformed: list[csv.InvalidRow] = []

    def skip(row: csv.InvalidRow) -> str:
        malformed.append(row)
        return "skip"

    with contextlib.ExitStack() as stack:
        raw = stack.enter_context(pa.OSFile(str(path)))
        compressed = path.suffix.lower() == ".gz"
        stream = stack.enter_context(pa.CompressedInputStream(raw, "gzip")) if compressed else raw
        with _translated(path):
            reader = csv.open_csv(
                stream,
                # Arrow numbers malformed records only without threads.
                csv.ReadOptions(block_size=_CSV_BLOCK_BYTES, use_threads=False),
                csv.ParseOptions(
                    newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=skip
                ),
                csv.ConvertOptions(
                    column_types=dict.fromkeys(columns, pa.string()),
                    null_values=[""],
                    strings_can_be_null=True,
                ),
            )
        check_names(path, reader.schema.names, columns)
        numbered = _LineNumbers(malformed)
        size_bytes = max(raw.size(), 1)
        yield (
            numbered.batch(rows.select(list(columns)), raw.tell() / size_bytes)
            for rows in _followed_by_empty(path, reader)
        )


def _followed_by_empty(path: Path, reader: csv.CSVStreamingReader) -> Iterator[pa.RecordBatch]:
    """Yield the batches, then an empty one for malformed records at the end of the file."""
    with _translated(path):
        yield from reader
    yield pa.RecordBatch.from_pylist([], schema=reader.schema)


class _LineNumbers:
    """Tells records their lines, from their numbers and the line breaks in values before them."""

    def __init__(self, malformed: list[csv.InvalidRow]) -> None:
        self._pending = (
            malformed  # in the order of the file; the reader may be ahead of the batches
        )
        self._next_record = 2
        self._line_breaks = 0

    def batch(self, rows: pa.RecordBatch, share_read: float) -> Batch:
        first, end, malformed = self._next_record, self._next_record + rows.num_rows, []
        while self._pending and self._pending[0].number <= end:
            malformed.append(self._pending.pop(0))
            end += 1
        is_malformed = np.zeros(end - first, dtype=bool)
        is_malformed[[row.number - first for row in malformed]] = True
        line_breaks = np.zeros(end - first, dtype=np.int64)
        line_breaks[is_malformed] = [row.text.count("\n") for row in malformed]
        line_breaks[~is_malformed] = _count_line_breaks(rows)
        breaks_before = self._line_breaks + np.cumsum(line_breaks) - line_breaks
        lines = np.arange(first, end) + breaks_before
        self._next_record = end
        self._line_breaks += int(line_breaks.sum())
        return Batch(
            rows=rows,
            lines=pa.array(lines[~is_malformed]),
            malformed=[
                Malformed(int(line), row.text)
                for line, row in zip(lines[is_malformed], malformed, strict=True)
            ],
            share_read=share_read,
        )


def _count_line_breaks(rows: pa.RecordBatch) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    counts = np.zeros(rows.num_rows, dtype=np.int64)
    for column in rows.columns:
        counts += pc.fill_null(pc.count_substring(column, "\n"), 0).to_numpy()
    return counts


@contextlib.contextmanager
def _open_parquet(path: Path, columns: Mapping[str, Kind]) -> Iterator[Iterator[Batch]]:
    with contextlib.ExitStack() as stack:
        with _translated(path):
            file = stack.enter_context(parquet.ParquetFile(path))
        check_names(path, file.schema_arrow.names, columns)
        check_types(path, file.schema_arrow, columns)
        yield _parquet_batches(path, file, columns)


def _parquet_batches(
    path: Path, file: parquet.ParquetFile, columns: Mapping[str, Kind]
) -> Iterator[Batch]:
    read = 0
    with _translated(path):
        for rows in file.iter_batches(_PARQUET_BATCH_ROWS):
            lines = pa.array(np.arange(read + 1, read + rows.num_rows + 1))
            read += rows.num_rows
            yield Batch(
                rows=_with_strings(rows.select(list(columns)), columns),
                lines=lines,
                malformed=(),
                share_read=read / file.metadata.num_rows,
            )


def _with_strings(rows: pa.RecordBatch, columns: Mapping[str, Kind]) -> pa.RecordBatch:
    """Give every text the one type string, whatever the file's type for it."""
    return pa.RecordBatch.from_arrays(
        [
            pc.cast(column, pa.string()) if kind is Kind.TEXT or is_text(column.type) else column
            for column, kind in zip(rows.columns, columns.values(), strict=True)
        ],
        names=list(columns),
    )


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise ContractViolation(
            f"{path} can't be read: {error}",
            hint="CSV must be UTF-8 with a header and every quote closed. Nothing was loaded.",
        ) from error
