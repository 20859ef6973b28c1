"""What is stored of feature versions: what PostgreSQL holds, and what it has dropped."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

import pyarrow as pa

from feature_repo.history.extensions import OlderValues
from feature_repo.history.slices import SliceReader, Window
from feature_repo.history.terms import Terms
from feature_repo.history.versions import counting, merged, versions_schema
from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.archived_parts import ArchivedPart, parts_within
from feature_repo.stores.partitions import Month, gaps
from feature_repo.stores.sql import stored_instants_query
from foundation.settings import Settings

_MICROSECOND = timedelta(microseconds=1)
_INSTANT_COLUMNS = ["entity_id", "timestamp"]


class StoredValues:
    """
    Reads stored values, wherever they are.

    Args:
        settings: Say where everything is.
        reader: Of the state of which all is read.
        older_values: Read what PostgreSQL has dropped.
    """

    def __init__(
        self,
        settings: Settings,
        reader: SliceReader,
        older_values: OlderValues,
    ) -> None:
        self._settings = settings
        self._reader = reader
        self._older_values = older_values
        self._months = {month.start for month in reader.months()}
        self._parts = reader.archived_parts()

    def history(
        self,
        feature: FeatureVersion,
        ids: pa.Array | None,
        window: Window,
        terms: Terms,
        *,
        reader: SliceReader | None = None,
    ) -> pa.Table:
        """
        Return values of the history; see `SliceReader.history`.

        Args:
            feature: Whose values.
            ids: Entity ids that count, distinct, though values of others may come too; None: all.
            window: Timestamps that count.
            terms: What else decides.
            reader: Another one of the same state, if this is another thread; None: the first.

        Raises:
            ContractViolation: Values of the window were removed, or their files are damaged.
            StoreUnavailable: It took too long, or a store can't be reached.
        """
        reader = reader or self._reader
        archived = self._archived(feature, window)
        found = [
            reader.history(feature, ids, part, terms) for part in _not_archived(archived, window)
        ]
        for month, parts in archived.items():
            versions = self._versions(reader, feature, ids, _within(window, month), month, parts)
            found.append(_counting(versions, terms))
        return pa.concat_tables([table.cast(found[-1].schema) for table in found])

    def stream(self, feature: FeatureVersion, window: Window) -> Iterator[pa.Table]:
        """Yield what `history` returns of all that is known now, some megabytes a time."""
        archived = self._archived(feature, window)
        for part_of_time in _not_archived(archived, window):
            yield from self._reader.stream(feature, part_of_time)
        for month, parts in archived.items():
            if len(parts) == 1 and month.start not in self._months:
                for versions in self._read(feature, parts[0], None, window):
                    yield _counting(versions, Terms())
            else:
                within = _within(window, month)
                versions = self._versions(self._reader, feature, None, within, month, parts)
                yield _counting(versions, Terms())

    def instants(self, features: Sequence[FeatureVersion], window: Window) -> pa.Table:
        """
        Return the entities and instants of a window for which a value is stored.

        Args:
            features: A value of any of them counts.
            window: Timestamps that count.

        Returns:
            entity_id and timestamp, each once.
        """
        query = stored_instants_query(features, start=window.start, end=window.end)
        found = [self._reader.query(query)]
        for feature in features:
            found += [
                counting(versions, Terms()).select(_INSTANT_COLUMNS)
                for parts in self._archived(feature, window).values()
                for part in parts
                for versions in self._read(feature, part, None, window)
            ]
        tables = pa.concat_tables([table.cast(found[-1].schema) for table in found])
        return tables.group_by(_INSTANT_COLUMNS).aggregate([])

    def _archived(self, feature: FeatureVersion, window: Window) -> dict[Month, list[ArchivedPart]]:
        """Return the parts that may have values of a window, by month, both ascending."""
        archived: dict[Month, list[ArchivedPart]] = {}
        for part in parts_within(self._parts, feature, start=window.start, end=window.end):
            archived.setdefault(part.month, []).append(part)
        return archived

    def _versions(
        self,
        reader: SliceReader,
        feature: FeatureVersion,
        ids: pa.Array | None,
        window: Window,
        month: Month,
        parts: Sequence[ArchivedPart],
    ) -> pa.Table:
        """Return all that was ever said of a month, or a window in it, as one story."""
        schema = versions_schema(feature)
        places = [
            pa.concat_tables([schema.empty_table(), *self._read(feature, part, ids, window)])
            for part in parts
        ]
        if month.start in self._months:  # it was written to again
            places.append(reader.versions(feature, ids, window).cast(schema))
        if len(places) == 1:
            return places[0]
        return merged(places, memory_megabytes=self._settings.duckdb_memory_megabytes)

    def _read(
        self, feature: FeatureVersion, part: ArchivedPart, ids: pa.Array | None, window: Window
    ) -> Iterator[pa.Table]:
        return self._older_values.read(
            self._settings, feature, part, ids=ids, start=window.start, end=window.end
        )


def _counting(versions: pa.Table, terms: Terms) -> pa.Table:
    """Return the versions that count, in the columns of `SliceReader.history`."""
    dropped = ["replaced"] if terms.asks_when_created else ["replaced", "created"]
    return counting(versions, terms).drop_columns(dropped)


def _not_archived(archived: Iterable[Month], window: Window) -> list[Window]:
    """Return the parts of a window that no archived month covers."""
    found = gaps(archived, start=window.start, end=window.end + _MICROSECOND)
    return [Window(start, end - _MICROSECOND) for start, end in found]


def _within(window: Window, month: Month) -> Window:
    return Window(max(window.start, month.start), min(window.end, month.end - _MICROSECOND))
