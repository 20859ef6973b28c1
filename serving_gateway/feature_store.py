"""The specification's interface, over a chain of tiers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson
import structlog

from feature_repo.registry.metadata import FeatureVersion
from foundation.errors import LimitExceeded, StoreUnavailable
from foundation.settings import Settings
from serving_gateway.batch import Batch
from serving_gateway.catalog_cache import CatalogCache
from serving_gateway.instrumentation import Instruments
from serving_gateway.tiers import Tier
from serving_gateway.version_choice import VersionChoice, Wish

_log = structlog.get_logger()

_NOTHING = Wish()


@dataclass(frozen=True)
class Answer:
    """
    The values of a batch.

    Attributes:
        batch: What was asked for.
        texts: JSON texts of the values, by position.
        counts: How many values each tier served.
        degraded: Whether a tier could not answer, so that a lower one stood in for it.
        variants: The user's variant of each running experiment.
    """

    batch: Batch
    texts: Sequence[bytes]
    counts: Mapping[str, int]
    degraded: bool
    variants: Mapping[str, str]


class FeatureStore:
    """
    Reads features by name, version and entity id.

    Args:
        settings: Limits of a request.
        catalog: Says which features exist.
        versions: Says which version of each is served.
        tiers: Asked in this order, each for what those before it did not have; the last one always
            answers.
        instruments: Told what was served, from where, and how fast.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: CatalogCache,
        versions: VersionChoice,
        tiers: Sequence[Tier],
        instruments: Instruments,
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._versions = versions
        self._tiers = tiers
        self._instruments = instruments

    async def get_feature(
        self, entity_id: str, feature_name: str, version: str | None = None
    ) -> Any:  # noqa: ANN401 - a feature's value has the feature's type
        """Return one value: a float, string, list of floats or dict of floats, or None."""
        answer = await self.read([entity_id], [feature_name], Wish(version))
        return orjson.loads(answer.texts[0])

    async def batch_get_features(
        self, entity_ids: Sequence[str], feature_names: Sequence[str], version: str | None = None
    ) -> dict[str, dict[str, Any]]:
        """Return values as {entity_id: {feature_name: value}}."""
        answer = await self.read(entity_ids, feature_names, Wish(version))
        values: dict[str, dict[str, Any]] = orjson.loads(answer.batch.spliced(answer.texts))
        return values

    async def get_feature_version(self, feature_name: str) -> str:
        """Return the version that is served to those who don't ask for one."""
        [feature] = self._versions.resolve([feature_name], _NOTHING).features
        return feature.version

    async def list_features(self) -> Sequence[FeatureVersion]:
        """Return every deployed feature version."""
        return self._catalog.current.features

    async def read(
        self, entity_ids: Sequence[str], feature_names: Sequence[str], wish: Wish = _NOTHING
    ) -> Answer:
        """
        Read every feature for every entity.

        Args:
            entity_ids: Ids; of composite entities, escaped parts joined by ':'. Repeated ones count
                once.
            feature_names: Names of features; repeated ones count once.
            wish: Which versions, and for whom.

        Raises:
            LimitExceeded: More entities or features than a request may have.
            UnknownFeature: A feature is not deployed.
            UnknownVersion: A feature has no such version.
            VersionNotServed: It has, but it is retired, or staged and not asked for exactly.
            ContractViolation: An id has the wrong number of parts.
        """
        self._check_limits(entity_ids, feature_names)
        resolved = self._versions.resolve(dict.fromkeys(feature_names), wish)
        batch = Batch(
            features=resolved.features,
            entity_ids=list(dict.fromkeys(entity_ids)),
        )
        texts: list[bytes | None] = [None] * batch.size
        missing: Sequence[int] = range(batch.size)
        counts: dict[str, int] = {}
        degraded = False
        for tier in self._tiers:
            if not missing:
                break
            try:
                with self._instruments.timed(tier.name):
                    found = await tier.read(batch, missing)
            except StoreUnavailable as error:
                _log.warning("tier_unavailable", tier=tier.name, error=error.message)
                self._instruments.count_unavailable(tier.name)
                degraded = True
                continue
            counts[tier.name], missing = self._take(batch, tier, texts, missing, found)
        return Answer(batch, cast("list[bytes]", texts), counts, degraded, resolved.variants)

    def _take(
        self,
        batch: Batch,
        tier: Tier,
        texts: list[bytes | None],
        missing: Sequence[int],
        found: Sequence[bytes | None],
    ) -> tuple[int, Sequence[int]]:
        """Put what a tier found in its place; return how much, and what is missing still."""
        if len(missing) == batch.size:
            texts[:] = found
        else:
            for position, text in zip(missing, found, strict=True):
                texts[position] = text
        still_missing: Sequence[int] = ()
        if None in found:
            still_missing = [p for p, text in zip(missing, found, strict=True) if text is None]
            _log_misses(batch, tier, still_missing)
        self._instruments.count_served(batch, tier.name, missing, still_missing)
        return len(missing) - len(still_missing), still_missing

    def _check_limits(self, entity_ids: Sequence[str], feature_names: Sequence[str]) -> None:
        for what, count, limit in (
            ("entities", len(entity_ids), self._settings.max_request_entities),
            ("features", len(feature_names), self._settings.max_request_features),
        ):
            if count > limit:
                raise LimitExceeded(
                    f"the request asks for {count} {what}, {limit} are allowed",
                    hint=f"Split it into requests of at most {limit} {what}.",
                )


def _log_misses(batch: Batch, tier: Tier, missing: Sequence[int]) -> None:
    by_feature = Counter(position % len(batch.features) for position in missing)
    _log.info(
        "feature_miss",
        tier=tier.name,
        misses={batch.features[column].reference: count for column, count in by_feature.items()},
    )
