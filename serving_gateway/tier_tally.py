"""
What tiers did for columns, added up in plain memory until Prometheus' client is told.

It happens for every column of every request; one look into a dictionary is what it may cost.
"""

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass

from prometheus_client import Counter

from feature_repo.registry.metadata import FeatureVersion
from serving_gateway.reading import TierRead
from serving_gateway.tallies import GatheredHistogram


@dataclass(slots=True)
class _Record:
    """
    What one tier did for one feature version.

    Attributes:
        feature: The version; held, so that no other one gets its identity.
        places: How many of its reads belong to each bucket of the histogram.
        seconds: Their sum.
        served: Values that it had.
        missed: Values that it did not have.
    """

    feature: FeatureVersion
    places: list[int]
    seconds: float = 0.0
    served: int = 0
    missed: int = 0


class TierTally:
    """
    Adds up reads.

    Args:
        served: Counts values by feature, version and tier.
        missed: The same, of values that a tier did not have.
        durations: Times by feature and tier.
    """

    def __init__(self, served: Counter, missed: Counter, durations: GatheredHistogram) -> None:
        self._served = served
        self._missed = missed
        self._durations = durations
        self._bounds = durations.bounds
        self._records: defaultdict[str, dict[int, _Record]] = defaultdict(dict)

    def add(self, read: TierRead) -> None:
        """Count a read."""
        records = self._records[read.tier]
        place, seconds = bisect_left(self._bounds, read.seconds), read.seconds
        for collected, found, missing in zip(read.columns, read.found, read.missing, strict=True):
            feature = collected.column.feature
            # Versions are compared and hashed by all that they say: by far too much.
            record = records.get(id(feature))
            if record is None:
                record = records[id(feature)] = _Record(feature, [0] * len(self._bounds))
            record.places[place] += 1
            record.seconds += seconds
            record.served += found
            record.missed += missing

    def hand_over(self) -> None:
        """Tell Prometheus' client what was added up."""
        for tier, records in self._records.items():
            for record in records.values():
                name, version = record.feature.feature_name, record.feature.version
                self._durations.labels(name, tier).observe_all(record.places, record.seconds)
                if record.served:
                    self._served.labels(name, version, tier).inc(record.served)
                if record.missed:
                    self._missed.labels(name, version, tier).inc(record.missed)
            records.clear()
