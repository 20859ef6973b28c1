"""What the drift measurements say of each feature version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from feature_repo.registry.metadata import FeatureVersion
from foundation.postgres import Connection

# How much later than due a measurement may come before the last one tells nothing any more.
_GRACE = timedelta(days=1)

_LAST = """
SELECT watched.feature_name, watched.version, against, drifted, too_few, findings
FROM unnest(%s::text[], %s::text[], %s::timestamptz[]) AS watched (feature_name, version, since)
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (against) against, drifted, too_few, findings
    FROM drift_measurements AS measured
    WHERE measured.feature_name = watched.feature_name AND measured.version = watched.version
      AND measured_at >= watched.since
      AND (against = 'last' OR measured_at >= (
          SELECT pinned_at FROM drift_baselines AS pinned
          WHERE pinned.feature_name = watched.feature_name AND pinned.version = watched.version))
    ORDER BY against, measured_at DESC) AS last
"""


@dataclass(frozen=True)
class DriftState:
    """
    What the last measurement of a feature version found.

    Attributes:
        feature_name: Whose values.
        version: Of the feature.
        against: `last` snapshot or `baseline`.
        drifted: Whether they have drifted.
        too_few: Whether they are too few to tell.
        scores: The greatest distance of each statistic.
    """

    feature_name: str
    version: str
    against: str
    drifted: bool
    too_few: bool
    scores: Mapping[str, float]


def read_drift_states(
    connection: Connection,
    features: Sequence[FeatureVersion],
    *,
    interval: timedelta,
    now: datetime,
) -> list[DriftState]:
    """
    Return what was last measured of each version, against each of its references.

    Measurements against a baseline that was unpinned or replaced since are left out, and so are
    those that should long have been followed by others.

    Args:
        connection: To PostgreSQL.
        features: Those that jobs compute.
        interval: Least time between two measurements of a version.
        now: Current instant.
    """
    since = [
        now - 2 * max(f.computation_frequency or interval, interval) - _GRACE for f in features
    ]
    names, versions = [f.feature_name for f in features], [f.version for f in features]
    rows = connection.execute(_LAST, (names, versions, since)).fetchall()
    return [
        DriftState(
            name,
            version,
            against,
            drifted=drifted,
            too_few=too_few,
            scores={each["statistic"]: each["score"] for each in findings},
        )
        for name, version, against, drifted, too_few, findings in rows
    ]
