"""Which feature versions a training set is made of: exact ones, or nothing can be repeated."""

import re
from collections.abc import Sequence

from feature_repo.history.columns import WantedColumn
from feature_repo.history.extensions import Extensions
from feature_repo.registry.catalog import Catalog
from feature_repo.registry.metadata import FeatureVersion
from foundation.errors import ConfigurationError, UnknownVersion

_EXACT = re.compile(r"(?P<name>[a-z0-9_]+)==(?P<version>\d+\.\d+\.\d+)")


def select_exact(
    catalog: Catalog, references: Sequence[str], *, feature_service: str | None
) -> list[FeatureVersion]:
    """
    Return the feature versions that references name, or a feature service.

    Args:
        catalog: What is deployed.
        references: Like `popularity_score==1.0.0`.
        feature_service: Its versions are taken; then references must be empty.

    Raises:
        ConfigurationError: Both or neither are given, a reference is not exact, or a service is
            unknown.
        UnknownFeature: A feature is not deployed.
        UnknownVersion: A feature has no such version.
    """
    if (feature_service is None) == (not references):
        raise ConfigurationError("name the features, or give --feature-service")
    if feature_service is None:
        return [_exact(catalog, reference) for reference in dict.fromkeys(references)]
    if feature_service not in catalog.services:
        raise ConfigurationError(
            f"feature service {feature_service!r} does not exist",
            hint=f"Deployed: {', '.join(sorted(catalog.services)) or 'none yet'}.",
        )
    return [_exact(catalog, reference) for reference in catalog.services[feature_service]]


def wanted_columns(
    catalog: Catalog,
    features: Sequence[FeatureVersion],
    extensions: Extensions,
    *,
    full_feature_names: bool,
) -> list[WantedColumn]:
    """
    Return the columns of feature versions.

    Args:
        catalog: Knows what features are computed from.
        features: In order.
        extensions: Tell which are computed if they are not stored.
        full_feature_names: Whether columns carry the names of the feature views, as Feast's do.

    Raises:
        ConfigurationError: Two columns would have one name.
    """
    by_reference = {feature.reference: feature for feature in catalog.features}
    columns = [
        WantedColumn(
            feature=feature,
            join_keys=feature.join_keys,
            name=_column_name(feature, full_feature_names=full_feature_names),
            dependencies=tuple(by_reference[each] for each in feature.dependencies)
            if extensions.computations.covers(feature)
            else (),
        )
        for feature in features
    ]
    _refuse_repeated([column.name for column in columns])
    return columns


def _column_name(feature: FeatureVersion, *, full_feature_names: bool) -> str:
    name = feature.feature_name
    return f"{feature.view_name}__{name}" if full_feature_names else name


def _refuse_repeated(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(
            f"two versions of {', '.join(twice)} would be one column",
            hint="--full-feature-names gives each version a column.",
        )


def _exact(catalog: Catalog, reference: str) -> FeatureVersion:
    found = _EXACT.fullmatch(reference)
    if found is None:
        name = re.split(r"[=<>^~@ ]", reference, maxsplit=1)[0]
        existing = ", ".join(f"{v.reference} ({v.status})" for v in catalog.versions(name))
        raise ConfigurationError(
            f"{reference!r} is no exact version, and what it means would change",
            hint=f"Write one of {existing}.",
        )
    versions = catalog.versions(found["name"])
    for feature in versions:
        if feature.version == found["version"]:
            return feature
    existing = ", ".join(f"{v.version} ({v.status})" for v in versions)
    raise UnknownVersion(
        f"feature {found['name']!r} has no version {found['version']!r}",
        hint=f"Deployed versions: {existing}.",
    )
