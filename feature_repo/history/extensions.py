"""
What historical retrieval asks of the packages above it, which it may not import.

`feature_store.yaml` names the classes, as it names the stores.
"""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import pyarrow as pa

from feature_repo.history.terms import Terms
from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.archived_parts import ArchivedPart
from foundation.errors import ConfigurationError
from foundation.settings import Settings


@dataclass(frozen=True)
class KnownValues:
    """
    Values of a feature version, as known at entity rows.

    Attributes:
        feature: Whose values.
        values: In the feature's Arrow type.
        places: Of each row, where in `values` its value is; null where none is known.
        timestamps: Of each row, the event timestamp of its value; null likewise.
    """

    feature: FeatureVersion
    values: pa.Array
    places: pa.Array
    timestamps: pa.Array

    @property
    def column(self) -> pa.Array:
        """One value a row; null where none is known."""
        return self.values.take(self.places)


class OlderValues(Protocol):
    """Values that PostgreSQL has dropped."""

    def read(
        self,
        settings: Settings,
        feature: FeatureVersion,
        part: ArchivedPart,
        *,
        ids: pa.Array | None,
        start: datetime,
        end: datetime,
    ) -> Iterator[pa.Table]:
        """
        Yield all that a part of the archive says of entities and a time, some megabytes a time.

        Args:
            settings: Say where it is.
            feature: Whose values; one that the part has.
            part: Which.
            ids: Entity ids that count; None: all.
            start: The first event timestamp that counts.
            end: The last one.

        Yields:
            Tables of `versions_schema`; replaced is null of what the history said last.

        Raises:
            ContractViolation: What the part says is lost.
        """
        ...


class Computations(Protocol):
    """The code that computes features."""

    def covers(self, feature: FeatureVersion) -> bool:
        """Tell whether values of the past can be computed, if they are not stored."""
        ...

    def compute(
        self,
        settings: Settings,
        feature: FeatureVersion,
        rows: pa.Table,
        dependencies: Sequence[KnownValues],
        *,
        terms: Terms,
    ) -> pa.Array:
        """
        Compute values as they would have been.

        Args:
            settings: Say where the source tables are.
            feature: What to compute.
            rows: The join keys, and `as_of`, an instant; no null.
            dependencies: What was known at the rows of each version that it is computed from.
            terms: Which of what was written counts.

        Returns:
            One value a row, of the feature's Arrow type; null where there is none.
        """
        ...

    def on_demand(self, feature: FeatureVersion) -> bool:
        """Tell whether values can be computed for one request."""
        ...

    def fingerprint(self, feature: FeatureVersion, features: Sequence[FeatureVersion]) -> str:
        """
        Return a digest of the code that computes a feature version now.

        Args:
            feature: Whose code.
            features: All that are deployed.
        """
        ...

    def columns(
        self, feature: FeatureVersion, features: Sequence[FeatureVersion]
    ) -> Mapping[str, Sequence[str]]:
        """
        Return the columns that a feature version is computed from, by source table.

        Args:
            feature: Whose columns.
            features: All that are defined.

        Returns:
            Nothing for a table of which nobody knows the columns.
        """
        ...

    def tables(self, feature: FeatureVersion) -> Mapping[str, Sequence[str]]:
        """Return the columns that the source tables of a feature version have."""
        ...


@dataclass(frozen=True)
class Extensions:
    """The two that `feature_store.yaml` names."""

    older_values: OlderValues
    computations: Computations


def load_extensions(*, older_values: str, computations: str) -> Extensions:
    """
    Import the classes of dotted paths.

    Raises:
        ConfigurationError: A path leads to no class.
    """
    return Extensions(
        older_values=_instance("older_values", older_values),
        computations=_instance("computations", computations),
    )


def _instance(key: str, path: str) -> Any:  # noqa: ANN401 - whatever the path leads to
    module_name, _, class_name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module_name), class_name)()
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"feature_store.yaml, offline_store, {key}: {path!r} can't be imported: {error}"
        ) from error
