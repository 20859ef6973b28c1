"""What Feast asks of historical retrieval, in our words, and the answer as one table."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from feature_repo.history.columns import WantedColumn, joined, with_columns
from feature_repo.history.entity_rows import EntityRows
from feature_repo.history.extensions import Extensions
from feature_repo.history.retrieval import HistoricalValues
from feature_repo.history.slices import Window
from feature_repo.history.terms import Terms
from feature_repo.offline_store.feast_request import FeastRequest, stock_columns
from feature_repo.registry.metadata import FeatureVersion, view_name_of
from feature_repo.registry.views import feature_version
from foundation.settings import Settings


@dataclass
class Retrieval:
    """
    A historical retrieval, to be executed.

    Attributes:
        settings: Say where everything is.
        extensions: For what PostgreSQL does not hold.
        terms: Which values count.
        wanted: The columns of features, in order.
        entities: What they are joined to: rows, SQL that gives them, or all that is stored of a
            time.
        others: Features of views that are not ours.
    """

    settings: Settings
    extensions: Extensions
    terms: Terms
    wanted: Sequence[WantedColumn]
    entities: EntityRows | Window | str
    others: FeastRequest
    _rows: EntityRows | None = field(default=None, init=False)

    def run(self, timeout_seconds: float | None = None) -> pa.Table:
        """Return the entity rows, in their order, with a column for each feature."""
        with HistoricalValues.open(
            self.settings, self.terms, self.extensions, timeout_seconds=timeout_seconds
        ) as values:
            self._rows = self._entity_rows(values)
            table = joined(self._rows, values.columns(self._rows, self.wanted))
        return with_columns(table, stock_columns(self.others, self._rows))

    def rows(self) -> EntityRows:
        """Return the entity rows; those of the last execution, if there was one."""
        if self._rows is None:
            with HistoricalValues.open(self.settings, self.terms, self.extensions) as values:
                self._rows = self._entity_rows(values)
        return self._rows

    def _entity_rows(self, values: HistoricalValues) -> EntityRows:
        if isinstance(self.entities, EntityRows):
            return self.entities
        if isinstance(self.entities, Window):
            return values.stored_rows([each.feature for each in self.wanted], self.entities)
        # What a user gives as SQL is executed as it is, as in Feast's own stores.
        return EntityRows.from_arrow(_plain_types(values.entity_rows(self.entities)))


def wanted_columns(request: FeastRequest, extensions: Extensions) -> list[WantedColumn]:
    """
    Return the columns that a request means.

    Args:
        request: Of views that were made from feature versions.
        extensions: Tell which features are computed.
    """
    views = {view.projection.name_to_use(): view for view in request.views}
    columns = []
    for reference in request.references:
        view = views[reference.partition(":")[0]]
        feature, renamed = feature_version(view), view.projection.join_key_map
        columns.append(
            WantedColumn(
                feature=feature,
                join_keys=tuple(renamed.get(key, key) for key in feature.join_keys),
                name=request.column_name(reference),
                dependencies=_dependencies(feature, request, extensions),
            )
        )
    return columns


def _dependencies(
    feature: FeatureVersion, request: FeastRequest, extensions: Extensions
) -> tuple[FeatureVersion, ...]:
    if not extensions.computations.covers(feature):
        return ()
    return tuple(
        feature_version(
            request.registry.get_feature_view(
                view_name_of(reference), request.project, allow_cache=True
            )
        )
        for reference in feature.dependencies
    )


def _plain_types(table: pa.Table) -> pa.Table:
    """Return a table with numbers where PostgreSQL's `numeric` came as text."""
    columns = []
    for described, column in zip(table.schema, table.columns, strict=True):
        is_numeric = b"numeric" in b"".join((described.metadata or {}).values())
        columns.append(column.cast(pa.float64()) if is_numeric else column)
    return pa.table(dict(zip(table.column_names, columns, strict=True)))
