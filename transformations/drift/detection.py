"""Decide whether two samples of a feature's values differ by more than they may."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import pyarrow as pa

from feature_repo.registry.metadata import FeatureVersion
from transformations.drift.columns import Columns, paired_columns
from transformations.drift.statistics import (
    Distance,
    category_stability,
    count_distance,
    key_distances,
    number_distances,
    rate_distance,
)
from transformations.quality.distribution import ENOUGH_VALUES

# Of one comparison, however many distances it measures.
FALSE_ALARM_PROBABILITY = 0.005


class State(StrEnum):
    """What a comparison comes to."""

    DRIFTED = "drifted"
    STEADY = "steady"
    TOO_FEW = "too few to tell"


@dataclass(frozen=True)
class Finding:
    """
    One distance, and whether it is too great.

    Attributes:
        column: What was compared: value, item, item of books, size, length, axis 1, keys, nulls,
            entities.
        distance: How far it differs.
        limit: The greatest distance that is none.
        drifted: Whether the distance is beyond the limit, and not by chance.
    """

    column: str
    distance: Distance
    limit: float
    drifted: bool

    @property
    def severity(self) -> float:
        """The distance in units of the limit."""
        return self.distance.score / self.limit

    def as_record(self) -> dict[str, Any]:
        """Return the finding as JSON-ready fields."""
        rest = {"limit": self.limit, "drifted": self.drifted}
        return {"column": self.column, **asdict(self.distance), **rest}


@dataclass(frozen=True)
class Comparison:
    """
    What a comparison found.

    Attributes:
        findings: One a column and statistic.
        value_counts: Values of the reference, and current ones, that are not null.
    """

    findings: Sequence[Finding]
    value_counts: tuple[int, int]

    @property
    def state(self) -> State:
        """Whether any distance is too great, or values are too few for any to tell."""
        if any(finding.drifted for finding in self.findings):
            return State.DRIFTED
        return State.TOO_FEW if min(self.value_counts) < ENOUGH_VALUES else State.STEADY

    @property
    def drifted(self) -> bool:
        """Whether any distance is too great."""
        return self.state is State.DRIFTED

    def worst(self) -> Mapping[str, Finding]:
        """Return, by statistic, the finding that matters most: a drifted one, the farthest."""
        ordered = sorted(self.findings, key=lambda f: (f.drifted, f.severity))
        return {finding.distance.statistic: finding for finding in ordered}


def compare(
    feature: FeatureVersion,
    reference: pa.Array,
    current: pa.Array,
    *,
    entity_counts: tuple[int, int] | None = None,
) -> Comparison:
    """
    Compare two samples of a feature version's values.

    A distance counts as drift if it exceeds its limit and is too improbable for chance. The
    probability of a false alarm is shared out among all distances that are measured, so that it
    holds for the comparison as a whole.

    Args:
        feature: Says its type, and how far values may move.
        reference: Values of the feature's Arrow type; null where an entity has none.
        current: Likewise.
        entity_counts: How many entities the values are of, if they are samples.
    """
    before, now = paired_columns(reference, current, feature.feature_type)
    limits = feature.drift.model_dump()
    measured = [
        (column, distance)
        for column, distance in _distances(before, now, entity_counts or (before.count, now.count))
        if limits[distance.statistic] is not None
    ]
    allowed = FALSE_ALARM_PROBABILITY / max(1, len(measured))
    findings = []
    for column, distance in measured:
        limit = limits[distance.statistic]
        drifted = distance.score > limit and distance.p_value < allowed
        findings.append(Finding(column, distance, limit, drifted))
    return Comparison(findings, (before.value_count, now.value_count))


def _distances(
    before: Columns, now: Columns, entity_counts: tuple[int, int]
) -> Iterator[tuple[str, Distance]]:
    if not before.count or not now.count:
        return
    yield "entities", count_distance(*entity_counts)
    nulls = (before.null_count, before.count), (now.null_count, now.count)
    yield "nulls", rate_distance("null_rate", *nulls)
    for name, numbers in before.numbers.items():
        if name in now.numbers:
            for distance in number_distances(numbers, now.numbers[name]):
                yield name, distance
    if before.keys is not None and now.keys is not None:
        for distance in key_distances(before.keys, now.keys, counts=(before.count, now.count)):
            yield "keys", distance
        stability = None if before.numbers else category_stability(before.keys, now.keys)
        if stability is not None:
            yield "keys", stability
