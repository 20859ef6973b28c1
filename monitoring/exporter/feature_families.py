"""Gauges of feature versions: what is deployed, how fresh and how many values are, and drift."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from prometheus_client.core import Metric

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.metadata import FeatureVersion, Status
from monitoring.exporter.drift import DriftState
from monitoring.exporter.metrics import OF_VERSION, age, gauge
from monitoring.exporter.picture import Picture
from monitoring.watched import LIVE, watched_features


def feature_families(picture: Picture, catalog: Catalog, now: datetime) -> Iterator[Metric]:
    """Return all gauges of feature versions."""
    live = [feature for feature in catalog.features if feature.status in LIVE]
    yield from _deployed(catalog, live)
    yield from _limits(live)
    yield from _values(picture, watched_features(catalog), now)
    yield gauge(
        "feature_failed_checks",
        "Quality checks that the last ended run failed.",
        OF_VERSION,
        picture.failed_checks.items(),
    )
    yield from _drift(picture.drift)


def _deployed(catalog: Catalog, live: Sequence[FeatureVersion]) -> Iterator[Metric]:
    statuses = Counter(feature.status for feature in catalog.features)
    yield gauge(
        "feature_versions",
        "Deployed feature versions, by status.",
        ["status"],
        (([status], statuses[status]) for status in Status),
    )
    yield gauge(
        "feature_info",
        "1 for each live feature version.",
        [*OF_VERSION, "owner"],
        (([feature.feature_name, feature.version, feature.owner], 1) for feature in live),
    )


def _limits(live: Sequence[FeatureVersion]) -> Iterator[Metric]:
    for name, help_text, limits in (
        (
            "feature_hit_rate_limit_ratio",
            "Least share of served values that is to come from Redis.",
            [(f, f.alerts.hit_rate) for f in live if "redis" in f.serving_location],
        ),
        (
            "feature_unavailable_limit_ratio",
            "Greatest share of served values that may be defaults.",
            [(f, f.alerts.unavailable) for f in live],
        ),
    ):
        samples = [
            ([feature.feature_name, feature.version], limit)
            for feature, limit in limits
            if limit is not None
        ]
        yield gauge(name, help_text, OF_VERSION, samples)


def _values(
    picture: Picture, features: Sequence[FeatureVersion], now: datetime
) -> Iterator[Metric]:
    for name, help_text, values in (
        (
            "feature_freshness_seconds",
            "Age of the instant that the last successful run was about.",
            {reference: age(now, at) for reference, at in picture.published.items()},
        ),
        (
            "feature_staleness_tolerance_seconds",
            "Greatest age at which a value counts as fresh.",
            {f.reference: f.staleness_tolerance.total_seconds() for f in features},
        ),
        (
            "feature_stale_entities_ratio",
            "Share of entities whose latest value is older than tolerated.",
            {
                reference: stored.stale_count / stored.entity_count
                for reference, stored in picture.stored.items()
                if stored.entity_count
            },
        ),
        (
            "feature_rows",
            "Entities that have a latest value.",
            {reference: stored.entity_count for reference, stored in picture.stored.items()},
        ),
    ):
        samples = [
            ([feature.feature_name, feature.version], values[feature.reference])
            for feature in features
            if feature.reference in values
        ]
        yield gauge(name, help_text, OF_VERSION, samples)


def _drift(states: Sequence[DriftState]) -> Iterator[Metric]:
    labelled = [([state.feature_name, state.version, state.against], state) for state in states]
    yield gauge(
        "feature_drifting",
        "1 if the last measurement found drift, 0 if none; absent if values were too few to tell.",
        [*OF_VERSION, "against"],
        ((labels, state.drifted) for labels, state in labelled if not state.too_few),
    )
    yield gauge(
        "feature_drift_too_few",
        "1 if the last measurement had too few values to tell, else 0.",
        [*OF_VERSION, "against"],
        ((labels, state.too_few) for labels, state in labelled),
    )
    yield gauge(
        "feature_drift_score",
        "How far the last measurement found values to be from their reference, by statistic.",
        [*OF_VERSION, "against", "statistic"],
        (
            ([*labels, statistic], score)
            for labels, state in labelled
            for statistic, score in state.scores.items()
        ),
    )
