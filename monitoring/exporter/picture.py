"""What the exporter knows: the last good reading of each part, as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from feature_repo.registry.catalog import Catalog
from monitoring.exporter.drift import DriftState
from monitoring.exporter.jobs import JobState
from monitoring.exporter.totals import Total
from monitoring.staleness import Stored


@dataclass(frozen=True)
class Part:
    """
    How the reading of a part went.

    Attributes:
        interval: How often it is read.
        read_at: When it was last read successfully; None before that.
        failed: Whether the last attempt failed.
        error_count: Attempts that failed.
    """

    interval: timedelta
    read_at: datetime | None = None
    failed: bool = False
    error_count: int = 0

    def is_well(self, now: datetime) -> bool:
        """Whether its values are recent: a reading that hangs neither fails nor ends."""
        if self.failed or self.read_at is None:
            return False
        return now - self.read_at <= 3 * self.interval + timedelta(seconds=30)


@dataclass(frozen=True)
class Picture:
    """
    Everything that metrics are made of; instants, not ages, so that ages grow between readings.

    Attributes:
        parts: How their readings went, by name.
        catalog: What is deployed; None until it was read once.
        totals: Counters.
        jobs: State of each deployed job.
        published: Instant of each version's last successful run, by reference.
        newest_rows: Instant of each source table's newest row.
        freshness_limits: Greatest age at which a source table counts as fresh.
        stored: What feature_latest holds of each version, by reference.
        failed_checks: Checks that the last ended run of each version failed, by feature name and
            version.
        drift: What the last measurements of each version found.
        newest_snapshot: Its day; None if there is no snapshot.
    """

    parts: Mapping[str, Part]
    catalog: Catalog | None = None
    totals: Sequence[Total] = ()
    jobs: Sequence[JobState] = ()
    published: Mapping[str, datetime] = field(default_factory=dict)
    newest_rows: Mapping[str, datetime] = field(default_factory=dict)
    freshness_limits: Mapping[str, timedelta] = field(default_factory=dict)
    stored: Mapping[str, Stored] = field(default_factory=dict)
    failed_checks: Mapping[tuple[str, str], int] = field(default_factory=dict)
    drift: Sequence[DriftState] = ()
    newest_snapshot: date | None = None
