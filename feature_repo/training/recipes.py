"""What a training set is made of: rows, features, and what counts of their history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from feature_repo.history.columns import WantedColumn
from feature_repo.history.entity_rows import EntityRows
from feature_repo.training.context import Context
from feature_repo.training.entity_files import read_entity_rows
from feature_repo.training.selection import select_exact, wanted_columns
from foundation.errors import ConfigurationError


@dataclass(frozen=True)
class Recipe:
    """
    What a training set is made of.

    Attributes:
        rows: Entity rows.
        labels: Which of their columns are to be predicted.
        wanted: The columns of features.
        known_at: Nothing counts that was created after it.
        known_then: Whether nothing counts, either, that was created after the row's own timestamp.

    Raises:
        ConfigurationError: A label is no column.
    """

    rows: EntityRows
    labels: Sequence[str]
    wanted: Sequence[WantedColumn]
    known_at: datetime
    known_then: bool = False

    def __post_init__(self) -> None:
        columns = self.rows.table.column_names
        missing = sorted(set(self.labels) - set(columns))
        if missing:
            raise ConfigurationError(
                f"label {', '.join(missing)}: there is no such column",
                hint=f"The columns are {', '.join(columns)}.",
            )


def read_recipe(
    context: Context,
    entities: str,
    references: Sequence[str],
    *,
    feature_service: str | None,
    labels: Sequence[str],
    known_at: datetime,
    known_then: bool,
    full_feature_names: bool,
) -> Recipe:
    """
    Return what a training set of a file's rows is made of.

    Args:
        context: What is configured and deployed.
        entities: Path or URL.
        references: See `select_exact`.
        feature_service: The same.
        labels: See `Recipe`.
        known_at: The same.
        known_then: The same.
        full_feature_names: See `wanted_columns`.

    Raises:
        ConfigurationError: Rows, features or labels are not there, or not what they should be.
        ContractViolation: The file does not hold rows.
    """
    versions = select_exact(context.catalog, references, feature_service=feature_service)
    wanted = wanted_columns(
        context.catalog, versions, context.extensions, full_feature_names=full_feature_names
    )
    join_keys = {key for version in versions for key in version.join_keys}
    return Recipe(
        rows=read_entity_rows(entities, join_keys=join_keys),
        labels=list(dict.fromkeys(labels)),
        wanted=wanted,
        known_at=known_at,
        known_then=known_then,
    )
