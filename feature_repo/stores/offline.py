"""Feast's PostgreSQL offline store, connected as the settings say."""

from typing import Any, Literal

from feast.infra.offline_stores.contrib.postgres_offline_store.postgres import (
    PostgreSQLOfflineStore,
    PostgreSQLOfflineStoreConfig,
)
from psycopg.conninfo import conninfo_to_dict
from pydantic import model_validator

from foundation.endpoints import resolve_endpoints
from foundation.settings import load_settings


class SettingsPostgresOfflineStoreConfig(PostgreSQLOfflineStoreConfig):  # type: ignore[misc]  # untyped
    """Connection parameters; those that feature_store.yaml leaves out come from the settings."""

    type: Literal["feature_repo.stores.offline.SettingsPostgresOfflineStore"]

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: dict[str, Any]) -> dict[str, Any]:
        url = resolve_endpoints(load_settings()).postgres_url.get_secret_value()
        parameters = conninfo_to_dict(url)
        return {
            "host": parameters.get("host", "localhost"),
            "port": int(parameters.get("port") or 5432),
            "database": parameters.get("dbname", "postgres"),
            "user": parameters.get("user", "postgres"),
            "password": parameters.get("password", ""),
            "sslmode": parameters.get("sslmode", "prefer"),
            "sslrootcert_path": parameters.get("sslrootcert"),
            "sslcert_path": parameters.get("sslcert"),
            "sslkey_path": parameters.get("sslkey"),
            **values,
        }


class SettingsPostgresOfflineStore(PostgreSQLOfflineStore):  # type: ignore[misc]  # untyped
    """Feast finds a store's configuration by the class's name; nothing else differs."""
