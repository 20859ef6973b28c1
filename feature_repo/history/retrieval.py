"""Columns of feature values for entity rows: read, join, and compute what is not stored."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.history.asof import AsofJoin, Found, newer
from feature_repo.history.columns import FeatureColumn, WantedColumn, Watermark
from feature_repo.history.entity_rows import INSTANT, EntityCodes, EntityRows
from feature_repo.history.extensions import Extensions, KnownValues
from feature_repo.history.reading_ahead import read_ahead
from feature_repo.history.scratch import open_scratch
from feature_repo.history.slices import SliceReader, Window
from feature_repo.history.stored import StoredValues
from feature_repo.history.terms import Terms
from feature_repo.registry.metadata import FeatureType, FeatureVersion
from feature_repo.stores.json_values import VALUE_TYPES, decode
from feature_repo.stores.keys import key_columns
from foundation.settings import Settings

# PostgreSQL works out the values of one reader on one processor.
_READERS = 2
_PARSED = (FeatureType.VECTOR, FeatureType.MAP)


class HistoricalValues:
    """
    Finds values, all of one state of the stores.

    Args:
        settings: Say where everything is.
        reader: Of what PostgreSQL holds.
        stored: What is stored, wherever it is, of the reader's state.
        join: Matches them with rows.
        terms: Which values count.
        extensions: For what PostgreSQL does not hold.
        timeout_seconds: Limit of each query; None: the server's.
    """

    def __init__(
        self,
        settings: Settings,
        reader: SliceReader,
        stored: StoredValues,
        join: AsofJoin,
        terms: Terms,
        extensions: Extensions,
        timeout_seconds: float | None,
    ) -> None:
        self._settings = settings
        self._timeout_seconds = timeout_seconds
        self._reader = reader
        self._stored = stored
        self._join = join
        self._terms = terms
        self._extensions = extensions

    @classmethod
    @contextlib.contextmanager
    def open(
        cls,
        settings: Settings,
        terms: Terms,
        extensions: Extensions,
        *,
        timeout_seconds: float | None = None,
    ) -> Iterator["HistoricalValues"]:
        """
        Connect to PostgreSQL, and start DuckDB.

        Raises:
            StoreUnavailable: PostgreSQL can't be reached.
        """
        with (
            SliceReader.open(settings, timeout_seconds=timeout_seconds) as reader,
            open_scratch(memory_megabytes=settings.duckdb_memory_megabytes) as scratch,
        ):
            stored = StoredValues(settings, reader, scratch, extensions.older_values)
            join = AsofJoin(scratch)
            yield cls(settings, reader, stored, join, terms, extensions, timeout_seconds)

    def columns(
        self,
        rows: EntityRows,
        wanted: Sequence[WantedColumn],
        *,
        progress: Callable[[WantedColumn], None] = lambda _: None,
    ) -> list[FeatureColumn]:
        """
        Return a column for each feature version that is wanted.

        Args:
            rows: What to join to.
            wanted: What to join.
            progress: Told of each column that is there.

        Raises:
            ContractViolation: A join key is missing or no id.
            StoreUnavailable: PostgreSQL broke off.
        """
        asked = _Asked(rows)
        tasks = [self._reading(asked, each.feature, each.join_keys) for each in wanted]
        with contextlib.ExitStack() as stack:
            readers = [self._reader]
            if len(wanted) > 1:
                readers = self._more_readers(stack)
            stored = read_ahead(readers, tasks)
            columns = []
            for each, tables in zip(wanted, stored, strict=True):
                columns.append(self._column(asked, each, tables))
                progress(each)
            return columns

    def stored_rows(self, features: Sequence[FeatureVersion], window: Window) -> EntityRows:
        """
        Return the entities and instants of a window for which a value is stored.

        Args:
            features: Of one entity; a value of any of them counts.
            window: Event timestamps that count.

        Returns:
            Rows of event_timestamp and the join keys, each once, in order.
        """
        found, keys = self._stored.instants(features, window), features[0].join_keys
        columns = dict(zip(keys, key_columns(found["entity_id"], len(keys)), strict=True))
        rows = pa.table({"event_timestamp": found["timestamp"], **columns})
        return EntityRows.from_arrow(rows.sort_by([(n, "ascending") for n in rows.column_names]))

    def query(self, statement: str) -> pa.Table:
        """Return the rows of a query, of the same state as the values."""
        return self._reader.query(statement)

    def _column(
        self, asked: "_Asked", wanted: WantedColumn, stored: Sequence[pa.Table]
    ) -> FeatureColumn:
        watermark = Watermark()
        known = self._known(asked, wanted.feature, wanted.join_keys, stored, watermark)
        values, computed_count = known.column, 0
        if self._extensions.computations.covers(wanted.feature):
            values, computed_count = self._completed(asked, wanted, values, watermark)
        return FeatureColumn(wanted, values, known.timestamps, computed_count, watermark)

    def _completed(
        self, asked: "_Asked", wanted: WantedColumn, values: pa.Array, watermark: Watermark
    ) -> tuple[pa.Array, int]:
        """Return the values with those computed that are not stored, and how many those are."""
        codes = asked.entities(wanted.join_keys).codes
        missing = pc.and_(values.is_null(), pc.and_(codes.is_valid(), asked.instants.is_valid()))
        places = np.flatnonzero(missing.to_numpy(zero_copy_only=False))
        if not len(places):
            return values, 0
        rows = asked.rows.table.take(pa.array(places))
        some = _Asked(EntityRows(rows, asked.rows.timestamp_column))
        keys_of = dict(zip(wanted.feature.join_keys, wanted.join_keys, strict=True))
        dependencies = []
        for each in wanted.dependencies:
            join_keys = tuple(keys_of[key] for key in each.join_keys)
            stored = self._reading(some, each, join_keys)(self._reader)
            dependencies.append(self._known(some, each, join_keys, stored, watermark))
        keys = {key: rows[column].cast(pa.string()) for key, column in keys_of.items()}
        computed = self._extensions.computations.compute(
            self._settings,
            wanted.feature,
            pa.table({**keys, "as_of": some.instants}),
            dependencies,
            terms=self._terms,
        )
        sources = np.arange(len(values))
        sources[places] = len(values) + np.arange(len(places))
        completed = pa.concat_arrays([values, computed]).take(pa.array(sources))
        return completed, len(computed) - computed.null_count

    def _known(
        self,
        asked: "_Asked",
        feature: FeatureVersion,
        join_keys: tuple[str, ...],
        stored: Sequence[pa.Table],
        watermark: Watermark,
    ) -> KnownValues:
        entities = asked.entities(join_keys)
        texts: list[pa.ChunkedArray] = []
        found = _nothing(feature, len(entities.codes))
        for table in stored:
            codes = pc.index_in(table["entity_id"], entities.ids)
            candidates = table.append_column("entity", codes).drop_columns("entity_id")
            candidates = candidates.filter(codes.is_valid())
            watermark.add(candidates)
            if feature.feature_type in _PARSED:
                candidates = _numbered(candidates, texts)
            newest = self._join.newest(
                entities.codes,
                asked.instants,
                candidates,
                look_back=feature.look_back,
                known_then=self._terms.known_then,
            )
            found = newer(found, newest)
        return _resolved(feature, found, texts)

    def _reading(
        self, asked: "_Asked", feature: FeatureVersion, join_keys: tuple[str, ...]
    ) -> Callable[[SliceReader], list[pa.Table]]:
        """Return what reads the history and the latest values; of one timestamp, these count."""
        bounds, ids = asked.rows.bounds(), asked.entities(join_keys).ids
        if bounds is None or not feature.serving_location:
            return lambda _: []
        window = Window(bounds[0] - feature.look_back, bounds[1])

        def read(reader: SliceReader) -> list[pa.Table]:
            history = self._stored.history(feature, ids, window, self._terms, reader=reader)
            if self._terms.history_only:
                return [history]
            return [history, reader.latest(feature, ids, window, self._terms)]

        return read

    def _more_readers(self, stack: contextlib.ExitStack) -> list[SliceReader]:
        """Connect readers of the same state, all at a time; the stack closes them."""
        state = self._reader.state()
        opened = [
            SliceReader.open(self._settings, timeout_seconds=self._timeout_seconds, state=state)
            for _ in range(_READERS)
        ]
        with ThreadPoolExecutor(_READERS) as pool:
            return list(pool.map(stack.enter_context, opened))


@dataclass
class _Asked:
    """Entity rows, with their entities by number, each found out once."""

    rows: EntityRows
    _entities: dict[tuple[str, ...], EntityCodes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.instants = self.rows.instants

    def entities(self, join_keys: tuple[str, ...]) -> EntityCodes:
        """Return the entities that columns name."""
        if join_keys not in self._entities:
            self._entities[join_keys] = self.rows.entities(join_keys)
        return self._entities[join_keys]


def _numbered(candidates: pa.Table, texts: list[pa.ChunkedArray]) -> pa.Table:
    """Put the values' texts aside, and their numbers among all texts in their place."""
    first = sum(map(len, texts))
    texts.append(candidates["value"])
    numbers = pa.array(np.arange(first, first + candidates.num_rows))
    return candidates.set_column(candidates.schema.get_field_index("value"), "value", numbers)


def _nothing(feature: FeatureVersion, count: int) -> Found:
    is_parsed = feature.feature_type in _PARSED
    value_type = pa.int64() if is_parsed else VALUE_TYPES[feature.feature_type]
    return Found(pa.nulls(count, value_type), pa.nulls(count, INSTANT))


def _resolved(feature: FeatureVersion, found: Found, texts: list[pa.ChunkedArray]) -> KnownValues:
    """Return what was found, parsed where it is the number of a text."""
    if feature.feature_type not in _PARSED:
        missing = found.values.is_null().to_numpy(zero_copy_only=False)
        places = pa.array(np.arange(len(found.values)), mask=missing)
        return KnownValues(feature, found.values, places, found.timestamps)
    numbers = found.values.dictionary_encode()
    chunks = [chunk for each in texts for chunk in each.chunks]
    used = pa.chunked_array(chunks, pa.string()).take(numbers.dictionary)
    values = [decode(chunk, feature.feature_type) for chunk in used.chunks]
    return KnownValues(
        feature,
        pa.concat_arrays([pa.array([], VALUE_TYPES[feature.feature_type]), *values]),
        numbers.indices,
        found.timestamps,
    )
