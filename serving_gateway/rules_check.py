"""Which rules nothing that is deployed fits; pure."""

from datetime import datetime

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.serving_rules import ServingRules, statements
from foundation.errors import FeatureStoreError


def unmatched(rules: ServingRules, catalog: Catalog, *, now: datetime) -> dict[str, str]:
    """Return, by rule, why it can't be followed; experiments that have ended need not be."""
    found = {}
    for feature_name, selector, rule in statements(rules, now=now):
        try:
            catalog.select(feature_name, selector)
        except FeatureStoreError as error:
            found[f"{rule}: {feature_name} {selector}"] = error.message
    return found
