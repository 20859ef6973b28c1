"""A historical retrieval as Feast asks for it, and the part of it that is left to Feast's store."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from feast import FeatureView, RepoConfig
from feast.infra.offline_stores.contrib.postgres_offline_store.postgres import (
    PostgreSQLOfflineStore,
)
from feast.infra.offline_stores.offline_store import RetrievalJob
from feast.infra.registry.base_registry import BaseRegistry

from feature_repo.history.entity_rows import EntityRows
from feature_repo.registry.views import feature_version
from foundation.errors import DefinitionError

_ROW = "entity_row"


@dataclass(frozen=True)
class FeastRequest:
    """
    Which features are wanted.

    Attributes:
        config: Feast's.
        views: Feature views, projected as the user asked.
        references: `view:feature`, in order.
        registry: Knows of all views.
        project: Feast's.
        full_feature_names: Whether columns carry the names of their views.
        known_then: Whether a value counts only from when it was created.
    """

    config: RepoConfig
    views: Sequence[FeatureView]
    references: Sequence[str]
    registry: BaseRegistry
    project: str
    full_feature_names: bool
    known_then: bool

    def divided(self) -> tuple[Self, Self]:
        """Return what is asked of views that were made from feature versions, and of others."""
        ours = [view for view in self.views if _is_ours(view)]
        return self._of(ours), self._of([view for view in self.views if not _is_ours(view)])

    def by_join_keys(self) -> Mapping[tuple[str, ...], Self]:
        """Return what is asked of views that have the same join keys, as the user calls these."""
        views: dict[tuple[str, ...], list[FeatureView]] = {}
        for view in self.views:
            names = view.projection.join_key_map
            keys = (names.get(column.name, column.name) for column in view.entity_columns)
            views.setdefault(tuple(sorted(keys)), []).append(view)
        return {keys: self._of(some) for keys, some in views.items()}

    def column_name(self, reference: str) -> str:
        """Return the name of a feature's column."""
        view, _, feature = reference.partition(":")
        return f"{view}__{feature}" if self.full_feature_names else feature

    def _of(self, views: Sequence[FeatureView]) -> Self:
        names = {view.projection.name_to_use() for view in views}
        references = [each for each in self.references if each.partition(":")[0] in names]
        return replace(self, views=views, references=references)


def stock_job(
    request: FeastRequest, entities: pd.DataFrame | str | None, time: Mapping[str, datetime | None]
) -> RetrievalJob:
    """Return the job that Feast's own store makes of a request."""
    return PostgreSQLOfflineStore.get_historical_features(
        request.config,
        list(request.views),
        list(request.references),
        entities,
        request.registry,
        request.project,
        request.full_feature_names,
        request.known_then,
        **time,
    )


def stock_columns(request: FeastRequest, rows: EntityRows) -> dict[str, pa.ChunkedArray]:
    """
    Return features, joined to entity rows by Feast's own store.

    Args:
        request: Which features.
        rows: What to join to. One that lacks a join key or a timestamp gets nothing.

    Returns:
        One value a row, by the name of the column; of several of one timestamp that the store finds
        for a row, the first.
    """
    columns: dict[str, pa.ChunkedArray] = {}
    for keys, part in request.by_join_keys().items():
        columns |= _columns(part, rows, [key for key in keys if key in rows.table.column_names])
    return {name: columns[name] for name in map(request.column_name, request.references)}


def _is_ours(view: FeatureView) -> bool:
    try:
        feature_version(view)
    except DefinitionError:  # what its tags hold are no metadata
        return False
    return True


def _columns(
    request: FeastRequest, rows: EntityRows, keys: Iterable[str]
) -> dict[str, pa.ChunkedArray]:
    asked = {key: rows.table[key] for key in keys} | {"event_timestamp": rows.instants}
    count = rows.table.num_rows
    numbers = pa.array(np.arange(count))
    frame = pa.table(asked | {_ROW: numbers})
    for column in asked.values():
        frame = frame.filter(pc.is_in(frame[_ROW], value_set=numbers.filter(column.is_valid())))
    names = list(map(request.column_name, request.references))
    if not frame.num_rows:
        return {name: pa.chunked_array([pa.nulls(count)]) for name in names}
    found = stock_job(request, frame.to_pandas(), {}).to_arrow()
    places = pc.index_in(numbers, value_set=found[_ROW].cast(numbers.type))
    return {name: found[name].take(places) for name in names}
