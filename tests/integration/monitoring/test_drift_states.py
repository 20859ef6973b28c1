"""What the exporter tells of drift: of now, and of references that there are."""

from datetime import timedelta

import pytest
from psycopg.types.json import Jsonb

from foundation import clock
from foundation.postgres import Connection
from foundation.settings import Settings
from monitoring.exporter.families import metric_families
from monitoring.exporter.readings import readings
from monitoring.exporter.watch import Watch

POPULARITY = {"feature_name": "popularity_score", "version": "1.0.0"}
LAST, BASELINE = {**POPULARITY, "against": "last"}, {**POPULARITY, "against": "baseline"}
MINUTE = timedelta(minutes=1)


@pytest.fixture
def watched(applied: Settings, settings: Settings) -> Settings:
    """Settings of a store that has definitions and no measurements."""
    assert applied
    return settings


def _read(settings: Settings, name: str, **labels: str) -> float | None:
    watch = Watch(*(each for each in readings(settings) if each.name in {"registry", "drift"}))
    watch.read_all()
    return next(
        (
            sample.value
            for family in metric_families(watch.picture, now=clock.now())
            for sample in family.samples
            if sample.name == name and sample.labels == labels
        ),
        None,
    )


def _measured(
    connection: Connection,
    against: str,
    ago: timedelta,
    *,
    drifted: bool = True,
    too_few: bool = False,
    version: str = "1.0.0",
) -> None:
    """Insert a measurement of popularity_score, whose distance is its age in minutes."""
    connection.execute(
        """
        INSERT INTO drift_measurements
            (measurement_id, feature_name, version, measured_at, against, reference_date,
             reference_count, current_count, drifted, too_few, findings)
        VALUES (gen_random_uuid(), 'popularity_score', %s, %s, %s, '2026-01-01', 1, 1, %s, %s, %s)
        """,
        (
            version,
            clock.now() - ago,
            against,
            drifted,
            too_few,
            Jsonb([{"statistic": "psi", "score": ago / MINUTE}]),
        ),
    )
    connection.commit()


def _pin(connection: Connection, ago: timedelta) -> None:
    connection.execute(
        """
        INSERT INTO drift_baselines VALUES ('popularity_score', '1.0.0', '2026-01-01', 1, '', %s)
        ON CONFLICT (feature_name, version) DO UPDATE SET pinned_at = EXCLUDED.pinned_at
        """,
        (clock.now() - ago,),
    )
    connection.commit()


def test_drift_is_told_of_each_reference(watched: Settings, postgres: Connection) -> None:
    """The last measurement against each; too few values are neither drifted nor steady."""
    _pin(postgres, 9 * MINUTE)
    _measured(postgres, "last", 9 * MINUTE)
    _measured(postgres, "last", 5 * MINUTE, drifted=False)
    _measured(postgres, "baseline", 5 * MINUTE)
    assert _read(watched, "feature_drifting", **LAST) == 0
    assert _read(watched, "feature_drifting", **BASELINE) == 1
    assert _read(watched, "feature_drift_score", statistic="psi", **LAST) == 5
    assert _read(watched, "feature_drift_too_few", **LAST) == 0
    _measured(postgres, "last", MINUTE, drifted=False, too_few=True)
    assert _read(watched, "feature_drifting", **LAST) is None
    assert _read(watched, "feature_drift_too_few", **LAST) == 1


def test_a_baseline_that_was_unpinned_or_replaced_tells_nothing_more(
    watched: Settings, postgres: Connection
) -> None:
    """Or an alert would last for ever: nobody measures against it again."""
    _pin(postgres, 9 * MINUTE)
    _measured(postgres, "baseline", 5 * MINUTE)
    assert _read(watched, "feature_drifting", **BASELINE) == 1
    _pin(postgres, MINUTE)
    assert _read(watched, "feature_drifting", **BASELINE) is None
    _measured(postgres, "baseline", timedelta())
    assert _read(watched, "feature_drifting", **BASELINE) == 1
    postgres.execute("DELETE FROM drift_baselines")
    postgres.commit()
    assert _read(watched, "feature_drifting", **BASELINE) is None


def test_old_measurements_and_those_of_other_versions_tell_nothing(
    watched: Settings, postgres: Connection
) -> None:
    """Neither what was measured long ago, nor what is of a version that nobody watches."""
    _measured(postgres, "last", timedelta(days=200))
    _measured(postgres, "last", MINUTE, version="2.0.0")
    for version in ("1.0.0", "2.0.0"):
        labels = {**POPULARITY, "version": version, "against": "last"}
        assert _read(watched, "feature_drifting", **labels) is None
