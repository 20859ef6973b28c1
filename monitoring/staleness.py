"""How stale the latest values of each feature version are."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from feature_repo.registry.metadata import FeatureVersion
from foundation.postgres import Connection


@dataclass(frozen=True)
class Staleness:
    """
    State of a feature version's latest values.

    Attributes:
        feature: Whose values.
        entity_count: Entities that have a value.
        stale_count: Entities whose value is older than the staleness tolerance.
        newest: Newest event timestamp; None without values.
        staleness: Age of the newest value; None without values.
        last_run_status: running, succeeded or failed; None before the first run.
    """

    feature: FeatureVersion
    entity_count: int
    stale_count: int
    newest: datetime | None
    staleness: timedelta | None
    last_run_status: str | None

    @property
    def is_stale(self) -> bool:
        """Whether even the newest value is older than tolerated, or there is none."""
        return self.staleness is None or self.staleness > self.feature.staleness_tolerance


def measure_staleness(
    connection: Connection, features: Iterable[FeatureVersion], *, now: datetime
) -> list[Staleness]:
    """Measure the latest values of feature versions, in their order."""
    return [_measure(connection, feature, now) for feature in features]


def _measure(connection: Connection, feature: FeatureVersion, now: datetime) -> Staleness:
    identity = {"feature_name": feature.feature_name, "version": feature.version}
    row = connection.execute(
        """
        SELECT count(*), count(*) FILTER (WHERE "timestamp" < %(limit)s), max("timestamp")
        FROM feature_latest WHERE feature_name = %(feature_name)s AND version = %(version)s
        """,
        {**identity, "limit": now - feature.staleness_tolerance},
    ).fetchone()
    run = connection.execute(
        """
        SELECT status FROM computation_runs
        WHERE feature_name = %(feature_name)s AND version = %(version)s
        ORDER BY started_at DESC LIMIT 1
        """,
        identity,
    ).fetchone()
    entity_count, stale_count, newest = row if row is not None else (0, 0, None)
    return Staleness(
        feature=feature,
        entity_count=entity_count,
        stale_count=stale_count,
        newest=newest,
        staleness=None if newest is None else now - newest,
        last_run_status=None if run is None else run[0],
    )
