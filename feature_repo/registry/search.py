"""Which features somebody is looking for; pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from feature_repo.registry.metadata import FeatureVersion, Status


@dataclass(frozen=True)
class Search:
    """
    What somebody is looking for; None: anything.

    Attributes:
        text: Words, all of which the name or the description has, whatever their case.
        owner: Whose they are.
        entity: What they describe.
        source: A table or a feature version that they are made from.
        status: Where they are in their life.
        tag: One of their tags.
    """

    text: str | None = None
    owner: str | None = None
    entity: str | None = None
    source: str | None = None
    status: Status | None = None
    tag: str | None = None


def matching(features: Iterable[FeatureVersion], wanted: Search) -> list[FeatureVersion]:
    """Return the feature versions that fit in everything."""
    return [feature for feature in features if _fits(feature, wanted)]


def _fits(feature: FeatureVersion, wanted: Search) -> bool:
    words = (wanted.text or "").casefold().split()
    told = f"{feature.feature_name} {feature.description}".casefold()
    return (
        all(word in told for word in words)
        and wanted.owner in (None, feature.owner)
        and wanted.entity in (None, feature.entity)
        and wanted.status in (None, feature.status)
        and (wanted.source is None or wanted.source in (*feature.source, *feature.dependencies))
        and (wanted.tag is None or wanted.tag in feature.tags)
    )
