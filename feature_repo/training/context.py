"""What training commands work with."""

from dataclasses import dataclass

from feature_repo.history.extensions import Extensions
from feature_repo.registry.catalog import REPO_PATH, Catalog, read_catalog
from foundation.settings import Settings


@dataclass(frozen=True)
class Context:
    """
    What training commands work with, as feature_store.yaml and the settings say.

    Attributes:
        settings: With PostgreSQL where the offline store has it.
        extensions: For what PostgreSQL does not hold.
        catalog: What is deployed.
    """

    settings: Settings
    extensions: Extensions
    catalog: Catalog


def open_context() -> Context:
    """
    Read what is configured and deployed.

    Raises:
        ConfigurationError: A setting or a class path is wrong.
        StoreUnavailable: The registry can't be reached.
    """
    from feast import FeatureStore  # noqa: PLC0415 - takes seconds, and a context alone needs none

    offline_store = FeatureStore(repo_path=str(REPO_PATH)).config.offline_store
    return Context(offline_store.settings(), offline_store.extensions, read_catalog())
