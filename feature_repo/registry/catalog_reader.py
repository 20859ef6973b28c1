"""Reading the catalog again and again, as servers do."""

from typing import TYPE_CHECKING, cast

from feature_repo.registry.catalog import Catalog, catalog_of, open_registry, registry_errors

if TYPE_CHECKING:
    from feast import FeatureStore
    from feast.infra.registry.sql import SqlRegistry

_DIGEST = """
    SELECT md5(string_agg(digest, '' ORDER BY name)) FROM (
        SELECT 'view ' || feature_view_name AS name, md5(feature_view_proto) AS digest
        FROM feature_views WHERE project_id = :project
        UNION ALL
        SELECT 'service ' || feature_service_name, md5(feature_service_proto)
        FROM feature_services WHERE project_id = :project
    ) entries
"""


class CatalogReader:
    """
    Reads the catalog anew when the registry has changed, and returns the same one otherwise.

    To read it takes the processor fifty times as long as to see whether it has changed; in a server
    requests would wait meanwhile.
    """

    def __init__(self) -> None:
        self._store: FeatureStore | None = None
        self._last: tuple[str | None, Catalog] | None = None

    def __call__(self) -> Catalog:
        """
        Return the catalog; called by one thread at a time.

        Raises:
            StoreUnavailable: The registry's database can't be reached, or lacks its tables.
        """
        with registry_errors():
            store = self._store = self._store or open_registry()
            # Seen before it is read: a change in between is read now, and once more.
            seen = _digest(store)
            if self._last is None or self._last[0] != seen:
                self._last = seen, catalog_of(store)
        return self._last[1]


def _digest(store: "FeatureStore") -> str | None:
    """Return what tells the feature views and services of a registry from others."""
    from sqlalchemy import text  # noqa: PLC0415 - comes with Feast, which takes seconds to import

    registry = cast("SqlRegistry", store.registry)
    with registry.read_engine.connect() as connection:
        digest = connection.execute(text(_DIGEST), {"project": store.project}).scalar()
    return cast("str | None", digest)
