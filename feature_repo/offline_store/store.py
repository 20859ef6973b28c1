"""Feast's PostgreSQL offline store, with historical retrieval and offline writes of our own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any, Literal
from urllib.parse import quote, urlencode

import pandas as pd
import pyarrow as pa
from feast import FeatureView, OnDemandFeatureView, RepoConfig
from feast.infra.offline_stores.contrib.postgres_offline_store.postgres import (
    PostgreSQLOfflineStore,
    PostgreSQLOfflineStoreConfig,
)
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.infra.registry.base_registry import BaseRegistry
from feast.utils import compute_non_entity_date_range
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr, model_validator

from feature_repo.history.columns import WantedColumn
from feature_repo.history.entity_rows import EntityRows
from feature_repo.history.extensions import Extensions, load_extensions
from feature_repo.history.slices import Window
from feature_repo.history.terms import Terms, current_terms
from feature_repo.offline_store.feast_request import FeastRequest, stock_job
from feature_repo.offline_store.point_in_time import Retrieval, wanted_columns
from feature_repo.offline_store.pushed_rows import pushed_rows
from feature_repo.offline_store.retrieval_job import PointInTimeRetrievalJob, read_maps
from feature_repo.registry.views import feature_version
from feature_repo.stores.offline_values import append_values
from foundation.endpoints import resolve_endpoints
from foundation.errors import ConfigurationError, ContractViolation
from foundation.postgres import connect
from foundation.settings import Settings, load_settings


class PointInTimeOfflineStoreConfig(PostgreSQLOfflineStoreConfig):  # type: ignore[misc]  # untyped
    """
    Connection parameters; those that feature_store.yaml leaves out come from the settings.

    Attributes:
        older_values: Class path of what reads values that PostgreSQL has dropped.
        computations: Class path of what computes values that are not stored.
    """

    type: Literal["feature_repo.offline_store.store.PointInTimeOfflineStore"]
    older_values: str
    computations: str

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: dict[str, Any]) -> dict[str, Any]:
        url = resolve_endpoints(load_settings()).postgres_url.get_secret_value()
        parameters = conninfo_to_dict(url)
        several = [key for key in ("host", "port") if "," in str(parameters.get(key, ""))]
        if not values.keys() >= set(several):
            raise ConfigurationError(
                f"FEATURE_STORE_POSTGRES_URL: more than one {several[0]}, Feast's offline store "
                "connects to one",
                hint="Name one that stands before them, or set host and port of the offline_store "
                "in feature_store.yaml.",
            )
        return {
            "host": parameters.get("host", "localhost"),
            "port": parameters.get("port") or 5432,
            "database": parameters.get("dbname", "postgres"),
            "user": parameters.get("user", "postgres"),
            "password": parameters.get("password", ""),
            "sslmode": parameters.get("sslmode", "prefer"),
            "sslrootcert_path": parameters.get("sslrootcert"),
            "sslcert_path": parameters.get("sslcert"),
            "sslkey_path": parameters.get("sslkey"),
            **values,
        }

    @cached_property
    def extensions(self) -> Extensions:
        """The classes of the paths."""
        return load_extensions(older_values=self.older_values, computations=self.computations)

    def settings(self) -> Settings:
        """Return the settings, with PostgreSQL where feature_store.yaml has it."""
        options = {
            "host": self.host,
            "port": self.port,
            "sslmode": self.sslmode,
            "sslkey": self.sslkey_path,
            "sslcert": self.sslcert_path,
            "sslrootcert": self.sslrootcert_path,
            "options": f"-csearch_path={self.db_schema},public" if self.db_schema else None,
        }
        given = urlencode({k: v for k, v in options.items() if v is not None}, quote_via=quote)
        user = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        url = f"postgresql://{user}@/{quote(self.database, safe='')}?{given}"
        return load_settings().model_copy(update={"postgres_url": SecretStr(url)})


class PointInTimeOfflineStore(PostgreSQLOfflineStore):  # type: ignore[misc]  # untyped
    """
    Feast's store, with a point-in-time join that is right and fast, and with offline writes.

    Feature views that were not made from feature versions of ours go the way of Feast's store, also
    beside those that were.
    """

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: pd.DataFrame | str | None,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,  # noqa: FBT001, FBT002 - Feast's signature
        filter_by_created_timestamp: bool = False,  # noqa: FBT001, FBT002 - the same
        **kwargs: Any,  # noqa: ANN401 - the same
    ) -> RetrievalJob:
        """
        Return a job that joins features to entity rows, or to all that is stored of a time.

        Within `as_known_at(instant)` nothing counts that was created after the instant.

        Raises:
            ContractViolation: Views that are not ours are asked for within `as_known_at`, or beside
                ours without entity rows.
        """
        request = FeastRequest(
            config,
            feature_views,
            feature_refs,
            registry,
            project,
            full_feature_names,
            filter_by_created_timestamp,
        )
        ours, others = request.divided()
        terms = replace(current_terms(), known_then=filter_by_created_timestamp)
        _check_others(ours, others, entity_df, terms)
        if others.views and not ours.views:
            return stock_job(request, entity_df, kwargs)
        return _job(request, _retrieval(ours, others, entity_df, terms, kwargs))

    @staticmethod
    def offline_write_batch(
        config: RepoConfig,
        feature_view: FeatureView,
        table: pa.Table,
        progress: Callable[[int], Any] | None,
    ) -> None:
        """
        Write values to the history, and the newest of them to the latest values.

        `created_at` is not what the table says: it is when PostgreSQL got to know of the values.

        Args:
            config: Feast's configuration.
            feature_view: Made from a feature version of ours.
            table: The join keys, the feature, event_timestamp.
            progress: Called with the number of rows written.

        Raises:
            ContractViolation: A value is missing, of another type or out of range, or an entity
                has two of one timestamp; nothing was written.
        """
        feature = feature_version(feature_view)
        rows = pushed_rows(feature, table)
        with connect(config.offline_store.settings()) as connection:
            append_values(connection, feature, rows)
        if progress is not None:
            progress(rows.num_rows)

    @staticmethod
    def pull_all_from_table_or_query(config: RepoConfig, *args: Any, **kwargs: Any) -> RetrievalJob:  # noqa: ANN401 - passed on
        """Return a job that reads a table, such as a saved dataset; what is jsonb comes as maps."""
        query = PostgreSQLOfflineStore.pull_all_from_table_or_query(
            config, *args, **kwargs
        ).to_sql()
        settings = config.offline_store.settings()
        return PointInTimeRetrievalJob(
            settings,
            lambda timeout: read_maps(settings, query, timeout),
            lambda: None,
            query=query,
        )


def _check_others(
    ours: FeastRequest, others: FeastRequest, entity_df: pd.DataFrame | str | None, terms: Terms
) -> None:
    """Refuse what Feast's own store can't do, or not together with ours."""
    names = ", ".join(view.name for view in others.views)
    if names and terms.known_at is not None:
        raise ContractViolation(
            f"as_known_at: {names}: made from no feature version of ours, so that nobody knows "
            "what was known when",
            hint="Ask for it in a call of its own, outside the block.",
        )
    if names and ours.views and entity_df is None:
        raise ContractViolation(
            f"{names}: made from no feature version of ours, so that it has no entity rows in "
            "common with those that are",
            hint="Give entity_df, or ask for it in a call of its own.",
        )


def _retrieval(
    ours: FeastRequest,
    others: FeastRequest,
    entity_df: pd.DataFrame | str | None,
    terms: Terms,
    time: Mapping[str, datetime | None],
) -> Retrieval:
    options = ours.config.offline_store
    wanted = wanted_columns(ours, options.extensions)
    return Retrieval(
        settings=options.settings(),
        extensions=options.extensions,
        terms=terms,
        wanted=wanted,
        entities=_entities(entity_df, wanted, ours.views, time),
        others=others,
    )


def _job(request: FeastRequest, retrieval: Retrieval) -> PointInTimeRetrievalJob:
    return PointInTimeRetrievalJob(
        retrieval.settings,
        retrieval.run,
        lambda: _metadata(request.references, retrieval.rows()),
        full_feature_names=request.full_feature_names,
        on_demand_feature_views=OnDemandFeatureView.get_requested_odfvs(
            request.references, request.project, request.registry
        ),
    )


def _entities(
    entity_df: pd.DataFrame | str | None,
    wanted: Sequence[WantedColumn],
    views: Sequence[FeatureView],
    time: Mapping[str, datetime | None],
) -> EntityRows | Window | str:
    if isinstance(entity_df, pd.DataFrame):
        return EntityRows.from_pandas(entity_df)
    if entity_df is not None:
        return entity_df
    start, end = compute_non_entity_date_range(
        views, start_date=time.get("start_date"), end_date=time.get("end_date")
    )
    if len({column.feature.join_keys for column in wanted}) > 1:
        raise ContractViolation(
            "features of different entities have no entity rows in common",
            hint="Give entity_df, or ask for one entity's features at a time.",
        )
    return Window(start, end)


def _metadata(references: Sequence[str], rows: EntityRows) -> RetrievalMetadata:
    first, last = rows.bounds() or (None, None)
    keys = [name for name in rows.table.column_names if name != rows.timestamp_column]
    return RetrievalMetadata(list(references), keys, first, last)
