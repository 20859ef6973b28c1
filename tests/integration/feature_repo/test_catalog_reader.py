"""A server reads the catalog anew when, and only when, the registry has changed."""

import contextlib
from collections.abc import Iterator

import pytest
from feast import FeatureService, FeatureStore

from feature_repo.registry.catalog import REPO_PATH, read_catalog
from feature_repo.registry.catalog_reader import CatalogReader
from foundation.errors import StoreUnavailable
from foundation.postgres import connect
from foundation.settings import Settings

SERVICE = "of_this_test"


@contextlib.contextmanager
def _deployed_service() -> Iterator[FeatureStore]:
    """Deploy a feature service, for a while."""
    store = FeatureStore(repo_path=str(REPO_PATH))
    view = store.get_feature_view("popularity_score_v1_0_0")
    store.apply([FeatureService(name=SERVICE, features=[view])])
    try:
        yield store
    finally:
        store.delete_feature_service(SERVICE)


@pytest.mark.usefixtures("applied")
def test_it_is_read_anew_when_the_registry_has_changed() -> None:
    """What is deployed, changed or taken away shows; meanwhile it is the very same."""
    reader = CatalogReader()
    first = reader()
    assert first == read_catalog()
    assert reader() is first
    with _deployed_service() as store:
        second = reader()
        assert second.services[SERVICE] == ["popularity_score==1.0.0"]
        assert reader() is second
        store.apply(
            [
                FeatureService(
                    name=SERVICE, features=[store.get_feature_view("user_activity_level_v1_0_0")]
                )
            ]
        )
        assert reader().services[SERVICE] == ["user_activity_level==1.0.0"]
    assert reader() == first


@pytest.mark.usefixtures("applied")
def test_a_registry_that_is_down_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """And read once it is up."""
    reader = CatalogReader()
    with monkeypatch.context() as away:
        away.setenv("FEATURE_STORE_POSTGRES_URL", "postgresql://nobody@127.0.0.1:1/none")
        with pytest.raises(StoreUnavailable, match="the registry"):
            reader()
    assert reader() == read_catalog()


def test_a_registry_without_its_tables_is_told(applied: Settings) -> None:
    """By name, with what to do; once they are back, nothing has changed."""
    reader = CatalogReader()
    first = reader()
    with connect(applied, autocommit=True) as connection:
        connection.execute("ALTER TABLE feature_services RENAME TO away")
        try:
            with pytest.raises(StoreUnavailable, match="feature_services") as raised:
                reader()
        finally:
            connection.execute("ALTER TABLE away RENAME TO feature_services")
    assert "make apply" in raised.value.hint
    assert reader() is first
