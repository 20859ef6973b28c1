"""What is measured of readings. Recording is done per column, never per value, and gathered."""

import time
from datetime import datetime

from foundation import clock
from serving_gateway.metric_registry import MetricRegistry
from serving_gateway.reading import NOT_ASKED, Part, Reading, TierRead
from serving_gateway.tallies import CounterTally
from serving_gateway.tier_tally import TierTally

# Its timestamps cost a question of their own, and come if somebody wants them.
_ONLINE = "online"
_AGE_BUCKETS = (1.0, 10.0, 60.0, 300.0, 900.0, 3_600.0, 21_600.0, 86_400.0, 604_800.0)
_SECONDS_PER_STALENESS_SAMPLE = 1.0
# Of one column: those of a run are equally old.
_VALUES_PER_STALENESS_SAMPLE = 50


class ReadingInstruments:
    """
    Metrics of features: what was served, from where, how fast, how old.

    Args:
        metrics: Where they are registered.
    """

    needs_times = False

    def __init__(self, metrics: MetricRegistry) -> None:
        served = metrics.counter(
            "feature_requests_total",
            "Values served, by the tier they came from.",
            ("feature_name", "version", "served_from"),
        )
        missed = metrics.counter(
            "feature_tier_misses_total",
            "Values that a tier was asked for and did not have.",
            ("feature_name", "version", "tier"),
        )
        self._not_asked = metrics.counter(
            "feature_not_asked_total",
            "Values of a user or a query that the request did not name; answered with defaults.",
            ("feature_name", "version"),
        )
        self._stale = metrics.counter(
            "feature_stale_values_total",
            "Values served that are older than tolerated.",
            ("feature_name", "version"),
        )
        self._deprecated = metrics.counter(
            "feature_deprecated_requests_total",
            "Requests that were served a deprecated version.",
            ("feature_name", "version"),
        )
        durations = metrics.gathered_histogram(
            "feature_retrieval_duration_seconds",
            "Time a tier took for a batch with values of the feature.",
            ("feature_name", "tier"),
        )
        self._tiers, self._defaults = TierTally(served, missed, durations), CounterTally(served)
        metrics.gather(self._tiers)
        metrics.gather(self._defaults)
        self._staleness = metrics.histogram(
            "feature_staleness_seconds",
            "Age of served values, of a sample.",
            ("feature_name", "version"),
            _AGE_BUCKETS,
        )

    def takes(self) -> bool:
        """Take note of every reading."""
        return True

    def offer(self, reading: Reading) -> None:
        """Count what a reading served."""
        for read in reading.reads:
            self._tiers.add(read)
            if read.is_timed:
                self._note_ages(read)
        for collected in reading.filled:
            feature, part = collected.column.feature, collected.parts[-1]
            labels = (feature.feature_name, feature.version)
            if part.tier == NOT_ASKED:
                self._not_asked.labels(*labels).inc(len(part.rows))
            else:
                self._defaults.add((*labels, part.tier), len(part.rows))
        for feature in reading.selection.deprecated:
            self._deprecated.labels(feature.feature_name, feature.version).inc()

    def _note_ages(self, read: TierRead) -> None:
        for collected in read.columns:
            feature = collected.column.feature
            labels = (feature.feature_name, feature.version)
            for part in collected.parts:
                if part.tier != read.tier:
                    continue
                if part.stale_rows:
                    self._stale.labels(*labels).inc(len(part.stale_rows))
                # Those of Redis are there if the caller wants them: no fair sample.
                if part.tier != _ONLINE:
                    self.observe_age(labels, part, now=clock.now())

    def observe_age(self, labels: tuple[str, str], part: Part, *, now: datetime) -> None:
        """Record how old values are that came with their event timestamps."""
        timestamps = part.timestamps or ()
        for timestamp in timestamps[:: 1 + len(timestamps) // _VALUES_PER_STALENESS_SAMPLE]:
            if timestamp is not None:
                self._staleness.add(labels, max((now - timestamp).total_seconds(), 0.0))


class StalenessSample:
    """
    Records how old the values of Redis are, of one reading a second.

    Args:
        instruments: Record it.
    """

    needs_times = True

    def __init__(self, instruments: ReadingInstruments) -> None:
        self._instruments = instruments
        self._next = time.monotonic()

    def takes(self) -> bool:
        """Tell, once in a while, that a reading's values should come with their timestamps."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + _SECONDS_PER_STALENESS_SAMPLE
        return True

    def offer(self, reading: Reading) -> None:
        """Record the ages."""
        for collected in reading.columns:
            feature = collected.column.feature
            for part in collected.parts:
                if part.tier == _ONLINE:
                    labels = (feature.feature_name, feature.version)
                    self._instruments.observe_age(labels, part, now=clock.now())
