"""How stale the values of each feature version are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from feature_repo.registry.metadata import FeatureVersion
from foundation.postgres import Connection


@dataclass(frozen=True)
class Stored:
    """
    What feature_latest holds of a feature version.

    Attributes:
        entity_count: Entities that have a value.
        stale_count: Entities whose value is older than the staleness tolerance.
    """

    entity_count: int
    stale_count: int


@dataclass(frozen=True)
class Staleness:
    """
    State of a feature version's values.

    Attributes:
        feature: Whose values.
        stored: How many there are, and how many are stale.
        published: Instant that the last successful run of everybody was about; None before any.
        staleness: Age of that instant.
        last_run_status: running, succeeded, failed or skipped; None before the first run.
    """

    feature: FeatureVersion
    stored: Stored
    published: datetime | None
    staleness: timedelta | None
    last_run_status: str | None

    @property
    def is_stale(self) -> bool:
        """Whether the last run's values are older than tolerated, or there was none."""
        return self.staleness is None or self.staleness > self.feature.staleness_tolerance


def measure_staleness(
    connection: Connection, features: Sequence[FeatureVersion], *, now: datetime
) -> list[Staleness]:
    """Measure feature versions, in their order."""
    published = last_published(connection, features)
    stored = count_stored(connection, features, now=now)
    return [
        Staleness(
            feature=feature,
            stored=stored[feature.reference],
            published=published.get(feature.reference),
            staleness=now - published[feature.reference]
            if feature.reference in published
            else None,
            last_run_status=_last_run_status(connection, feature),
        )
        for feature in features
    ]


def last_published(
    connection: Connection, features: Iterable[FeatureVersion]
) -> dict[str, datetime]:
    """
    Return the instant that each version's newest successful run was about, by reference.

    Runs tell it, and not the stored values: those that the gateway computes for a request are
    newer, though nobody else's are. Runs for chosen entities don't count for the same reason.
    """
    return {
        feature.reference: row[0]
        for feature in features
        if (
            row := connection.execute(
                """
                SELECT as_of FROM computation_runs
                WHERE feature_name = %s AND version = %s AND status = 'succeeded'
                  AND entity_scope = 'all'
                ORDER BY as_of DESC LIMIT 1
                """,
                (feature.feature_name, feature.version),
            ).fetchone()
        )
    }


def count_stored(
    connection: Connection, features: Iterable[FeatureVersion], *, now: datetime
) -> Mapping[str, Stored]:
    """Count each version's latest values, by reference; takes time with their number."""
    return {feature.reference: _count(connection, feature, now) for feature in features}


def _count(connection: Connection, feature: FeatureVersion, now: datetime) -> Stored:
    row = connection.execute(
        """
        SELECT count(*), count(*) FILTER (WHERE "timestamp" < %s)
        FROM feature_latest WHERE feature_name = %s AND version = %s
        """,
        (now - feature.staleness_tolerance, feature.feature_name, feature.version),
    ).fetchone()
    return Stored(*row) if row is not None else Stored(0, 0)


def _last_run_status(connection: Connection, feature: FeatureVersion) -> str | None:
    row = connection.execute(
        """
        SELECT status FROM computation_runs WHERE feature_name = %s AND version = %s
        ORDER BY started_at DESC LIMIT 1
        """,
        (feature.feature_name, feature.version),
    ).fetchone()
    return None if row is None else str(row[0])
