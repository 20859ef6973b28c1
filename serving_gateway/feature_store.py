"""The specification's interface, over a chain of tiers."""

import time
from collections.abc import Sequence
from typing import Any, Protocol

import orjson
import structlog

from feature_repo.registry.metadata import FeatureVersion, Status
from foundation import clock
from foundation.errors import LimitExceeded
from foundation.settings import Settings
from foundation.tracing import span
from serving_gateway.answers import Answer, EntityAnswer, RowAnswer
from serving_gateway.candidates import Candidates, row_columns
from serving_gateway.catalog_cache import CatalogCache
from serving_gateway.columns import Column, Found, canonical_ids
from serving_gateway.deadline import NO_DEADLINE, Deadline
from serving_gateway.defaults import Defaults
from serving_gateway.instrumentation import Instruments
from serving_gateway.log_digest import LogDigest
from serving_gateway.loop_lag import LoopLag
from serving_gateway.reading import DEFAULT, CollectedColumn, Reading
from serving_gateway.served_sample import ServedSample
from serving_gateway.tiers import Tier
from serving_gateway.version_choice import VersionChoice, Wish

_log = structlog.get_logger()

_NOTHING = Wish()


class Observer(Protocol):
    """Takes note of answers."""

    def offer(self, reading: Reading) -> None:
        """Take an answer; whatever takes time happens later."""
        ...


class FeatureStore:
    """
    Reads features by name, version and entity id.

    Args:
        settings: Limits of a request.
        catalog: Says which features exist.
        versions: Says which version of each is served.
        tiers: Asked in this order, each for what those before it did not have.
        defaults: What is served when no tier has a value.
        instruments: Told what was served, from where, and how fast.
        observers: Told of every answer.
        sample: Keeps some of what was served.
        digest: Logs misses.
        lag: Of the event loop: time that no store can be blamed for.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: CatalogCache,
        versions: VersionChoice,
        tiers: Sequence[Tier],
        defaults: Defaults,
        instruments: Instruments,
        observers: Sequence[Observer],
        sample: ServedSample,
        digest: LogDigest,
        lag: LoopLag,
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._versions = versions
        self._tiers = tiers
        self._defaults = defaults
        self._instruments = instruments
        self._observers = observers
        self._sample = sample
        self._digest = digest
        self._lag = lag

    async def get_feature(
        self, entity_id: str, feature_name: str, version: str | None = None
    ) -> Any:  # noqa: ANN401 - a feature's value has the feature's type
        """Return one value: a float, string, list of floats or dict of floats, or None."""
        answer = await self.read([entity_id], [feature_name], Wish(version))
        [collected] = answer.reading.columns
        return orjson.loads(collected.value_texts()[0])

    async def batch_get_features(
        self, entity_ids: Sequence[str], feature_names: Sequence[str], version: str | None = None
    ) -> dict[str, dict[str, Any]]:
        """Return values as {entity_id: {feature_name: value}}."""
        answer = await self.read(entity_ids, feature_names, Wish(version))
        values: dict[str, dict[str, Any]] = orjson.loads(answer.values())
        return values

    async def get_feature_version(self, feature_name: str) -> str:
        """Return the version that is served to those who don't ask for one."""
        [feature] = self._versions.resolve([feature_name], _NOTHING).features
        return feature.version

    async def list_features(self) -> Sequence[FeatureVersion]:
        """Return every deployed feature version."""
        return self._catalog.current.features

    async def read(
        self,
        entity_ids: Sequence[str],
        feature_names: Sequence[str],
        wish: Wish = _NOTHING,
        *,
        is_timed: bool = False,
        deadline: Deadline = NO_DEADLINE,
    ) -> EntityAnswer:
        """
        Read every feature for every entity.

        Args:
            entity_ids: Ids; of composite entities, escaped parts joined by ':'. Repeated ones count
                once.
            feature_names: Names of features; repeated ones count once.
            wish: Which versions, and for whom.
            is_timed: Whether event timestamps are wanted too.
            deadline: When the caller is gone; without one, as long as requests have.

        Raises:
            LimitExceeded: More entities or features than a request may have.
            UnknownFeature: A feature is not deployed.
            UnknownVersion: A feature has no such version.
            VersionNotServed: It has, but it is retired, or staged and not asked for exactly.
            ContractViolation: An id has the wrong number of parts.
        """
        self._check_limits(entities=len(entity_ids), features=len(feature_names))
        resolved = self._versions.resolve(dict.fromkeys(feature_names), wish)
        distinct = list(dict.fromkeys(entity_ids))
        columns = [Column(f, canonical_ids(f, distinct)) for f in resolved.features]
        reading = await self._collect(columns, is_timed=is_timed, deadline=deadline)
        return EntityAnswer(reading, resolved.variants, clock.now(), distinct)

    async def read_service(
        self,
        service_name: str,
        candidates: Candidates,
        wish: Wish = _NOTHING,
        *,
        is_timed: bool = False,
        deadline: Deadline = NO_DEADLINE,
    ) -> RowAnswer:
        """
        Read every feature of a feature service, a row a product.

        Features of the user or of the query are defaults if the candidates come without one.

        Args:
            service_name: Whose features.
            candidates: The products, the user and the query; repeated products count once.
            wish: Versions that differ from the service's.
            is_timed: Whether event timestamps are wanted too.
            deadline: When the caller is gone.

        Raises:
            LimitExceeded: More products than a request may have entities.
            UnknownService: There is no such feature service.
            ContractViolation: The service has features of other entities than products, users,
                queries and pairs of them.
        """
        self._check_limits(entities=len(candidates.product_ids), features=0)
        declared = self._catalog.current.service(service_name)
        resolved = self._versions.resolve(declared, wish, declared=declared)
        distinct = list(dict.fromkeys(candidates.product_ids))
        columns = row_columns(resolved.features, distinct, candidates)
        reading = await self._collect(columns, is_timed=is_timed, deadline=deadline)
        return RowAnswer(reading, resolved.variants, clock.now(), distinct)

    async def read_columns(
        self,
        columns: Sequence[Column],
        *,
        row_count: int,
        missing: bytes,
        deadline: Deadline = NO_DEADLINE,
    ) -> Answer:
        """
        Read columns of exact versions, with event timestamps.

        Args:
            columns: Each with entities of its own.
            row_count: Rows that the columns are spread over, of which there may be as many as
                entities.
            missing: JSON text of what no tier has, instead of defaults.
            deadline: When the caller is gone.

        Raises:
            LimitExceeded: More rows or columns than a request may have entities or features.
        """
        self._check_limits(entities=row_count, features=len(columns))
        reading = await self._collect(columns, is_timed=True, deadline=deadline, missing=missing)
        return Answer(reading, {}, clock.now())

    async def _collect(
        self,
        columns: Sequence[Column],
        *,
        is_timed: bool,
        deadline: Deadline,
        missing: bytes | None = None,
    ) -> Reading:
        """Ask tier after tier for what is missing still, and fill the rest with defaults."""
        if deadline is NO_DEADLINE:
            deadline = Deadline(self._settings.request_timeout_seconds + self._lag.seconds)
        is_sample = self._instruments.samples_staleness()
        is_kept = self._sample.takes()
        reading = Reading.of(columns)
        for tier in self._tiers:
            wanted = reading.missing(tier.serves)
            if not wanted:
                continue
            with span(tier.name) as traced_read:
                traced_read.note({"feature_store.values": sum(len(c.missing) for c in wanted)})
                started = time.perf_counter()
                found = await tier.read(
                    [c.column.only(c.missing) for c in wanted],
                    is_timed=is_timed or is_sample or is_kept,
                    deadline=deadline,
                )
                self._instruments.observe_retrieval(tier.name, time.perf_counter() - started)
            # Timestamps that every request of a caller brings would be more than a sample.
            self._take(
                tier.name, wanted, found, observes_age=is_sample or not (is_timed or is_kept)
            )
        for collected in reading.columns:
            self._fill(collected, missing)
        for observer in self._observers:
            observer.offer(reading)
        if is_kept:
            self._sample.offer(reading)
        return reading

    def _take(
        self,
        tier: str,
        wanted: Sequence[CollectedColumn],
        found: Sequence[Found],
        *,
        observes_age: bool,
    ) -> None:
        now = clock.now()
        for collected, part in zip(wanted, found, strict=True):
            feature = collected.column.feature
            count = collected.take(tier, part, now=now)
            if collected.missing:
                self._instruments.count_missed(feature, tier, len(collected.missing))
                self._digest.add(
                    "feature_miss",
                    len(collected.missing),
                    tier=tier,
                    feature=feature.reference,
                )
            if count:
                self._instruments.count_served(feature, tier, count)
                served = collected.parts[-1]
                if served.stale_rows:
                    self._instruments.count_stale(feature, len(served.stale_rows))
                if observes_age and served.timestamps is not None:
                    self._instruments.observe_staleness(feature, served, now=now)

    def _fill(self, collected: CollectedColumn, text: bytes | None) -> None:
        feature = collected.column.feature
        if collected.missing:
            count = collected.fill(self._defaults.text(feature) if text is None else text)
            self._instruments.count_served(feature, DEFAULT, count)
        if feature.status is Status.DEPRECATED:
            self._instruments.count_deprecated(feature)

    def _check_limits(self, *, entities: int, features: int) -> None:
        for what, count, limit in (
            ("entities", entities, self._settings.max_request_entities),
            ("features", features, self._settings.max_request_features),
        ):
            if count > limit:
                raise LimitExceeded(
                    f"the request asks for {count} {what}, {limit} are allowed",
                    hint=f"Split it into requests of at most {limit} {what}.",
                )
