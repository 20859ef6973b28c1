"""
Let Feast's SQL registry follow the settings.

Feast can expand environment variables in feature_store.yaml, but knows no defaults and no embedded
server. SQLAlchemy's plugin hook fills the URL in instead (entry point `sqlalchemy.plugins`).
"""

from typing import Any

from sqlalchemy import NullPool
from sqlalchemy.engine import URL, CreateEnginePlugin, make_url

from foundation.endpoints import resolve_endpoints
from foundation.postgres import registry_connection
from foundation.settings import load_settings


class SettingsUrlPlugin(CreateEnginePlugin):
    """Replaces `postgresql+psycopg://?plugin=feature_store` by the URL of the settings."""

    def __init__(self, url: URL, kwargs: dict[str, Any]) -> None:
        super().__init__(url, kwargs)
        self._drivername = url.drivername
        # Once: Feast connects for each table that it reads, and settings take longer than that.
        self._settings = load_settings()
        # Feast never closes its engines, and its server forks: a pool would leak connections, and
        # share them between processes.
        kwargs["poolclass"] = NullPool
        kwargs["creator"] = lambda: registry_connection(self._settings)

    def update_url(self, url: URL) -> URL:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the URL to connect to."""
        postgres_url = resolve_endpoints(self._settings).postgres_url
        return make_url(postgres_url.get_secret_value()).set(drivername=self._drivername)
