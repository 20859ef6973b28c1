"""Columns of feature values for entity rows: read, join, and compute what is not stored."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.history.asof import newest
from feature_repo.history.columns import FeatureColumn, WantedColumn, Watermark
from feature_repo.history.entity_rows import EntityCodes, EntityRows
from feature_repo.history.extensions import Extensions, KnownValues
from feature_repo.history.found import known_values, stored_schema
from feature_repo.history.reading_ahead import Readers
from feature_repo.history.slices import SliceReader, Window
from feature_repo.history.stored import StoredValues
from feature_repo.history.terms import Terms
from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.keys import key_columns
from foundation.settings import Settings

# PostgreSQL works out the values of one reader on one processor.
_READERS = 2


class HistoricalValues:
    """
    Finds values, all of one state of the stores.

    Args:
        settings: Say where everything is.
        readers: Of what PostgreSQL holds.
        stored: What is stored, wherever it is, of the readers' state.
        terms: Which values count.
        extensions: For what PostgreSQL does not hold.
    """

    def __init__(
        self,
        settings: Settings,
        readers: Readers[SliceReader],
        stored: StoredValues,
        terms: Terms,
        extensions: Extensions,
    ) -> None:
        self._settings = settings
        self._readers = readers
        self._stored = stored
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
        Connect to PostgreSQL.

        Raises:
            StoreUnavailable: PostgreSQL can't be reached.
        """
        with (
            SliceReader.open(settings, timeout_seconds=timeout_seconds) as first,
            Readers(first, first.open_another, count=_READERS) as readers,
        ):
            stored = StoredValues(settings, first, extensions.older_values)
            yield cls(settings, readers, stored, terms, extensions)

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
        columns = []
        with self._readers.read_ahead(tasks) as stored:
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

    def entity_rows(self, statement: str) -> pa.Table:
        """Return the rows of a user's query, of the same state as the values."""
        return self._readers.read(lambda reader: reader.entity_rows(statement))

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
            stored = self._readers.read(self._reading(some, each, join_keys))
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
        candidates = self._candidates(feature, stored, entities.ids)
        watermark.add(candidates)
        places = newest(
            entities.codes,
            asked.instants,
            candidates,
            look_back=feature.look_back,
            known_then=self._terms.known_then,
        )
        return known_values(feature, candidates, places)

    def _candidates(
        self, feature: FeatureVersion, stored: Sequence[pa.Table], ids: pa.Array
    ) -> pa.Table:
        """Return what was read as one table, with entities by number instead of by id."""
        schema = stored_schema(feature, with_created=self._terms.asks_when_created)
        table = pa.concat_tables(
            [schema.empty_table(), *(each.select(schema.names) for each in stored)]
        )
        codes = pc.index_in(table["entity_id"], ids)
        table = table.append_column("entity", codes).drop_columns("entity_id")
        return table.filter(codes.is_valid()) if codes.null_count else table

    def _reading(
        self, asked: "_Asked", feature: FeatureVersion, join_keys: tuple[str, ...]
    ) -> Callable[[SliceReader], list[pa.Table]]:
        """Return what reads the history and the latest values; of one timestamp, these count."""
        bounds, ids = asked.rows.bounds(), asked.entities(join_keys).ids
        if bounds is None or not feature.serving_location:
            return lambda _: []
        window = Window.before(*bounds, look_back=feature.look_back)

        def read(reader: SliceReader) -> list[pa.Table]:
            history = self._stored.history(feature, ids, window, self._terms, reader=reader)
            if self._terms.history_only:
                return [history]
            return [history, reader.latest(feature, ids, window, self._terms)]

        return read


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
