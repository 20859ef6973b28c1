"""What Feast asks of historical retrieval, in our words, and the answer as one table."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
from feast import FeatureView
from feast.infra.registry.base_registry import BaseRegistry

from feature_repo.history.columns import WantedColumn, joined
from feature_repo.history.entity_rows import EntityRows
from feature_repo.history.extensions import Extensions
from feature_repo.history.retrieval import HistoricalValues
from feature_repo.history.slices import Window
from feature_repo.history.terms import Terms
from feature_repo.registry.metadata import FeatureVersion, view_name_of
from feature_repo.registry.views import feature_version
from foundation.errors import DefinitionError
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
    """

    settings: Settings
    extensions: Extensions
    terms: Terms
    wanted: Sequence[WantedColumn]
    entities: EntityRows | Window | str
    _rows: EntityRows | None = field(default=None, init=False)

    def run(self, timeout_seconds: float | None = None) -> pa.Table:
        """Return the entity rows, in their order, with a column for each feature."""
        with HistoricalValues.open(
            self.settings, self.terms, self.extensions, timeout_seconds=timeout_seconds
        ) as values:
            self._rows = self._entity_rows(values)
            return joined(self._rows, values.columns(self._rows, self.wanted))

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
        statement = self.entities.strip().rstrip(";")
        # What a user gives as SQL is executed as it is, as in Feast's own stores.
        found = values.query(f"SELECT * FROM ({statement}) AS entity_rows")  # noqa: S608
        return EntityRows.from_arrow(_plain_types(found))


def wanted_columns(
    views: Sequence[FeatureView],
    references: Sequence[str],
    registry: BaseRegistry,
    project: str,
    extensions: Extensions,
    *,
    full_feature_names: bool,
) -> list[WantedColumn] | None:
    """
    Return the columns that references to features of our views mean.

    Args:
        views: Feature views, projected as the user asked.
        references: `view:feature`, in order; those of other views are left out.
        registry: Knows what features are computed from.
        project: Feast's.
        extensions: Tell which are computed.
        full_feature_names: Whether columns carry the names of their views.

    Returns:
        The columns; None if a view was not made from a feature version of ours.
    """
    versions = {view.projection.name_to_use(): (view, _version(view)) for view in views}
    columns = []
    for reference in references:
        name, _, feature_name = reference.partition(":")
        view, feature = versions.get(name, (None, None))
        if view is None:
            continue
        if feature is None:
            return None
        renamed = view.projection.join_key_map
        columns.append(
            WantedColumn(
                feature=feature,
                join_keys=tuple(renamed.get(key, key) for key in feature.join_keys),
                name=f"{name}__{feature_name}" if full_feature_names else feature_name,
                dependencies=_dependencies(feature, registry, project, extensions),
            )
        )
    return columns


def _version(view: FeatureView) -> FeatureVersion | None:
    try:
        return feature_version(view)
    except DefinitionError:  # what its tags hold are no metadata
        return None


def _dependencies(
    feature: FeatureVersion, registry: BaseRegistry, project: str, extensions: Extensions
) -> tuple[FeatureVersion, ...]:
    if not extensions.computations.covers(feature):
        return ()
    return tuple(
        feature_version(
            registry.get_feature_view(view_name_of(reference), project, allow_cache=True)
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
