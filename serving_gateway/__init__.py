"""HOW values are served: HTTP in front, tiers behind, versions chosen from the catalog."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from serving_gateway.feature_store import FeatureStore
    from serving_gateway.opening import open_feature_store

__all__ = ["FeatureStore", "open_feature_store"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    """Import what is asked for: the client, below this package, must not pay for it."""
    if name == "FeatureStore":
        from serving_gateway.feature_store import FeatureStore  # noqa: PLC0415

        return FeatureStore
    if name == "open_feature_store":
        from serving_gateway.opening import open_feature_store  # noqa: PLC0415

        return open_feature_store
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
