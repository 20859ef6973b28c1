"""The specification's interface, over a chain of tiers."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

import orjson

from feature_repo.registry.metadata import FeatureVersion
from foundation import clock
from foundation.errors import LimitExceeded
from foundation.settings import Settings
from foundation.tracing import Attributes, span
from serving_gateway.answers import Answer, EntityAnswer, RowAnswer
from serving_gateway.candidates import Candidates, row_columns
from serving_gateway.catalog_cache import CatalogCache
from serving_gateway.columns import Column, columns_of
from serving_gateway.deadline import NO_DEADLINE, Deadline
from serving_gateway.defaults import Defaults
from serving_gateway.exposures import Exposures
from serving_gateway.loop_lag import LoopLag
from serving_gateway.reading import CollectedColumn, Reading
from serving_gateway.tiers import Tier
from serving_gateway.version_choice import VersionChoice, Wish

_NOTHING = Wish()


class Observer(Protocol):
    """
    Takes note of readings.

    Attributes:
        needs_times: Whether those that it takes must come with event timestamps.
    """

    needs_times: bool

    def takes(self) -> bool:
        """Tell, before a request is read, whether its reading is wanted."""
        ...

    def offer(self, reading: Reading) -> None:
        """Take a reading; whatever takes time happens later."""
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
        observers: Told of every reading that they want.
        exposures: Told who was served what because of an experiment.
        lag: Of the event loop: time that no store can be blamed for.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: CatalogCache,
        versions: VersionChoice,
        tiers: Sequence[Tier],
        defaults: Defaults,
        observers: Sequence[Observer],
        exposures: Exposures,
        lag: LoopLag,
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._versions = versions
        self._tiers = tiers
        self._defaults = defaults
        self._observers = observers
        self._exposures = exposures
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
        selection = self._versions.resolve(feature_names, wish)
        distinct = list(dict.fromkeys(entity_ids))
        columns = columns_of(selection.features, distinct)
        reading = Reading.of(columns, selection)
        await self._collect(reading, is_timed=is_timed, deadline=deadline)
        self._exposures.note(wish.user_id, selection.exposures)
        return EntityAnswer(reading, clock.now(), distinct)

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
        selection = self._versions.resolve(declared, wish, declared=declared)
        distinct = list(dict.fromkeys(candidates.product_ids))
        columns = row_columns(selection.features, distinct, candidates)
        reading = Reading.of(columns, selection)
        await self._collect(reading, is_timed=is_timed, deadline=deadline)
        self._exposures.note(wish.user_id, selection.exposures)
        return RowAnswer(reading, clock.now(), distinct)

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
        reading = Reading.of(columns)
        await self._collect(reading, is_timed=True, deadline=deadline, missing=missing)
        return Answer(reading, clock.now())

    async def _collect(
        self,
        reading: Reading,
        *,
        is_timed: bool,
        deadline: Deadline,
        missing: bytes | None = None,
    ) -> None:
        """Ask tier after tier for what is missing still, and fill the rest with defaults."""
        if deadline is NO_DEADLINE:
            deadline = Deadline(self._settings.request_timeout_seconds + self._lag.seconds)
        takers = []
        for observer in self._observers:
            if observer.takes():
                takers.append(observer)
                is_timed = is_timed or observer.needs_times
        for tier in self._tiers:
            wanted = reading.missing(tier.serves)
            if not wanted:
                continue
            with span(tier.name) as traced_read:
                traced_read.note(partial(_size, wanted))
                started = time.perf_counter()
                asked = [c.column.only(c.missing) for c in wanted]
                found = await tier.read(asked, is_timed=is_timed, deadline=deadline)
                seconds = time.perf_counter() - started
            reading.take(tier.name, wanted, found, seconds=seconds, now=clock.now())
        reading.fill(self._defaults.text if missing is None else lambda _: missing)
        for observer in takers:
            observer.offer(reading)

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


def _size(wanted: Sequence[CollectedColumn]) -> Attributes:
    return {"feature_store.values": sum(len(collected.missing) for collected in wanted)}
