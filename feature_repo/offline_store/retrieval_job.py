"""Feast's retrieval jobs over our historical retrieval, and what becomes of their results."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
from feast import OnDemandFeatureView
from feast.infra.offline_stores.contrib.postgres_offline_store.postgres_source import (
    SavedDatasetPostgreSQLStorage,
)
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.saved_dataset import SavedDatasetStorage

from feature_repo.history.slices import SliceReader
from feature_repo.registry.metadata import FeatureType
from feature_repo.stores.json_values import decode, encode
from foundation.arrow_postgres import connect_arrow, translated_errors
from foundation.errors import ContractViolation
from foundation.settings import Settings


class PointInTimeRetrievalJob(RetrievalJob):  # type: ignore[misc]  # Feast is untyped
    """
    A retrieval that is executed when its result is asked for, each time anew.

    Args:
        settings: Say where PostgreSQL is.
        retrieve: Gives the result; called with the limit of each query in seconds, or None.
        describe: Gives what Feast remembers of a saved dataset.
        full_feature_names: Whether columns carry the names of their feature views, too.
        on_demand_feature_views: Feast's own, which Feast computes from the result.
        query: Gives the same result in PostgreSQL; None: no query does.
    """

    def __init__(
        self,
        settings: Settings,
        retrieve: Callable[[float | None], pa.Table],
        describe: Callable[[], RetrievalMetadata | None],
        *,
        full_feature_names: bool = False,
        on_demand_feature_views: Sequence[OnDemandFeatureView] = (),
        query: str | None = None,
    ) -> None:
        self._settings = settings
        self._retrieve = retrieve
        self._describe = describe
        self._full_feature_names = full_feature_names
        self._on_demand_feature_views = list(on_demand_feature_views)
        self._query = query

    @property
    def full_feature_names(self) -> bool:
        """Whether columns carry the names of their feature views."""
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """Feast's own on-demand feature views."""
        return self._on_demand_feature_views

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """What was asked for, and the time that the entity rows span."""
        return self._describe()

    def to_df(self, validation_reference: Any = None, timeout: int | None = None) -> pd.DataFrame:  # noqa: ANN401 - Feast's signature
        """Return the result as a frame; maps are dictionaries, vectors lists of floats."""
        return pandas_frame(
            self.to_arrow(validation_reference=validation_reference, timeout=timeout)
        )

    def persist(
        self,
        storage: SavedDatasetStorage,
        allow_overwrite: bool = False,  # noqa: FBT001, FBT002 - Feast's signature
        timeout: int | None = None,
    ) -> None:
        """
        Write the result to a table of PostgreSQL; maps as jsonb.

        Raises:
            ContractViolation: The storage is no table of PostgreSQL, or the table exists already.
        """
        if not isinstance(storage, SavedDatasetPostgreSQLStorage):
            raise ContractViolation(
                f"a result can't be persisted to a {type(storage).__name__}",
                hint="Give a SavedDatasetPostgreSQLStorage.",
            )
        write_table(
            self._settings,
            storage.postgres_options._table,  # noqa: SLF001 - Feast tells it nowhere else
            self.to_arrow(timeout=timeout),
            replace=allow_overwrite,
        )

    def to_sql(self) -> str:
        """
        Return the query that gives the result.

        Raises:
            ContractViolation: There is none.
        """
        if self._query is None:
            raise ContractViolation(
                "to_sql: no query gives the result, which is put together outside of PostgreSQL",
                hint="persist() it, and query the table.",
            )
        return self._query

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        return self._retrieve(timeout)

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        return pandas_frame(self._retrieve(timeout))


def pandas_frame(table: pa.Table) -> pd.DataFrame:
    """Return a table as a frame whose maps are dictionaries and whose vectors are lists."""
    frame: pd.DataFrame = table.to_pandas(maps_as_pydicts="strict")
    for field in table.schema:
        if pa.types.is_list(field.type):
            frame[field.name] = [
                None if items is None else items.tolist() for items in frame[field.name]
            ]
    return frame


def write_table(settings: Settings, name: str, table: pa.Table, *, replace: bool) -> None:
    """
    Write a table to PostgreSQL, all or nothing.

    Args:
        settings: Say where PostgreSQL is.
        name: Of the table, as SQL has it: in lower case unless it is quoted, `schema.table` for one
            that is not in the search path.
        table: What to write; maps become jsonb.
        replace: Whether a table of that name may be replaced.

    Raises:
        ContractViolation: The table exists already, or can't be written.
        StoreUnavailable: PostgreSQL can't be reached, or the connection broke.
    """
    maps = [field.name for field in table.schema if pa.types.is_map(field.type)]
    hint = "Quote a name that is not all small letters; allow_overwrite=True replaces a table."
    with (
        connect_arrow(settings) as connection,
        connection.cursor() as cursor,
        translated_errors(f"table {name}", hint=hint),
    ):
        cursor.execute("SELECT parse_ident($1)", (name,))
        path: list[str] = cursor.fetch_arrow_table()[0][0].as_py()
        cursor.adbc_ingest(
            path[-1],
            _with_texts(table, maps),
            mode="replace" if replace else "create",
            db_schema_name=".".join(path[:-1]) or None,
        )
        for column in map(_quoted, maps):
            cursor.execute(
                f"ALTER TABLE {'.'.join(map(_quoted, path))} "
                f"ALTER {column} TYPE jsonb USING {column}::jsonb"
            )
        connection.commit()


def _with_texts(table: pa.Table, maps: Sequence[str]) -> pa.Table:
    for column in maps:
        texts = [encode(chunk, FeatureType.MAP) for chunk in table[column].chunks]
        place = table.schema.get_field_index(column)
        table = table.set_column(place, column, pa.chunked_array(texts, pa.string()))
    return table


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def read_maps(settings: Settings, query: str, timeout_seconds: float | None) -> pa.Table:
    """
    Return the rows of a query; columns of jsonb, as `write_table` makes them, are maps.

    Args:
        settings: Say where PostgreSQL is.
        query: What to read.
        timeout_seconds: Limit; None: the server's.
    """
    with SliceReader.open(settings, timeout_seconds=timeout_seconds) as reader:
        table = reader.query(query)
    for place, described in enumerate(table.schema):
        if b"jsonb" in (described.metadata or {}).values():
            texts = table[described.name].combine_chunks().cast(pa.string())
            maps = decode(texts, FeatureType.MAP)
            table = table.set_column(place, described.name, maps)
    return table.replace_schema_metadata(None)
