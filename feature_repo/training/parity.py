"""Did the gateway serve what training is given?"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa

from feature_repo.history.entity_rows import INSTANT, EntityRows
from feature_repo.history.retrieval import HistoricalValues
from feature_repo.history.terms import Terms
from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.run_facts import PublishedRun, published_runs
from feature_repo.training.answers import ServedValue
from feature_repo.training.context import Context
from feature_repo.training.judgement import FeatureParity, Known, judge
from feature_repo.training.selection import wanted_columns
from foundation.errors import ContractViolation
from foundation.postgres import connect

_NO_TIME = timedelta(0)


@dataclass(frozen=True)
class ParityReport:
    """
    How a sample of answers compares with historical retrieval.

    Attributes:
        features: By feature version.
        unknown_versions: How many answers are of versions that are not deployed any more.
    """

    features: Sequence[FeatureParity]
    unknown_versions: Mapping[str, int]

    @property
    def is_skewed(self) -> bool:
        """Whether training is given something else than was served, where it must not."""
        return any(each.is_skewed for each in self.features)

    @property
    def compared_count(self) -> int:
        """How many answers could be held against a value, or the lack of one."""
        return sum(each.compared_count for each in self.features)


def check_parity(
    context: Context, answers: Iterable[ServedValue], *, now: datetime
) -> ParityReport:
    """
    Hold answers against what historical retrieval finds now for their instants.

    Nothing counts that was written after an answer.

    Args:
        context: What is configured and deployed.
        answers: A sample of what was served.
        now: Current instant.

    Raises:
        ContractViolation: An answer lacks a join key, or its value is of another type.
        StoreUnavailable: PostgreSQL can't be reached.
    """
    deployed = {feature.reference: feature for feature in context.catalog.features}
    served: dict[str, list[ServedValue]] = {}
    unknown: Counter[str] = Counter()
    for answer in answers:
        if answer.feature in deployed:
            served.setdefault(answer.feature, []).append(answer)
        else:
            unknown[answer.feature] += 1
    with HistoricalValues.open(
        context.settings, Terms(known_then=True), context.extensions
    ) as values:
        features = [
            judge(some, _known(context, values, deployed[reference], some, now=now))
            for reference, some in sorted(served.items())
        ]
    return ParityReport(features, dict(unknown))


def _known(
    context: Context,
    values: HistoricalValues,
    feature: FeatureVersion,
    served: Sequence[ServedValue],
    *,
    now: datetime,
) -> Known:
    wanted = wanted_columns(
        context.catalog, [feature], context.extensions, full_feature_names=False
    )
    at_answer, long_before = (
        values.columns(_entity_rows(feature, served, ago=ago), wanted)[0]
        for ago in (_NO_TIME, feature.staleness_tolerance)
    )
    return Known(
        at_answer=at_answer,
        long_before=long_before,
        runs=_runs(context, feature, served),
        recorded_since=now - timedelta(days=context.settings.run_retention_days),
        on_demand=context.extensions.computations.on_demand(feature),
    )


def _runs(
    context: Context, feature: FeatureVersion, served: Sequence[ServedValue]
) -> Sequence[PublishedRun]:
    instants = [each.event_timestamp for each in served if each.event_timestamp is not None]
    if not instants:
        return []
    with connect(context.settings) as connection:
        return published_runs(connection, feature, start=min(instants), end=max(instants))


def _entity_rows(
    feature: FeatureVersion, served: Sequence[ServedValue], *, ago: timedelta
) -> EntityRows:
    for each in served:
        missing = set(feature.join_keys) - set(each.keys)
        if missing:
            raise ContractViolation(
                f"an answer of {feature.reference} has no {', '.join(sorted(missing))}",
                hint="docs/training.md says what a logged answer looks like.",
            )
    keys = {k: pa.array([each.keys[k] for each in served], pa.string()) for k in feature.join_keys}
    instants = pa.array([each.answered_at - ago for each in served], INSTANT)
    return EntityRows.from_arrow(pa.table({**keys, "event_timestamp": instants}))
