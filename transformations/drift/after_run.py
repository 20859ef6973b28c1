"""Measure drift after a job has run, as often as the settings say."""

from datetime import timedelta

import structlog

from feature_repo.registry.metadata import FeatureVersion
from foundation import clock
from foundation.errors import ContractViolation
from foundation.postgres import Connection, connect
from foundation.settings import Settings
from transformations.drift.measuring import measure, references
from transformations.drift.records import last_measured
from transformations.jobs import Job

_log = structlog.get_logger()


def measure_after_run(settings: Settings, job: Job) -> None:
    """
    Measure the feature versions of a job against the last snapshot, and their baselines if any.

    A version without a reference is left out, and so is one that was measured a short time ago.

    Raises:
        StoreUnavailable: PostgreSQL or the storage of snapshots can't be reached.
    """
    with connect(settings, autocommit=True) as connection:
        for feature in job.features:
            if _is_due(settings, connection, feature):
                _measure(settings, connection, feature)


def _is_due(settings: Settings, connection: Connection, feature: FeatureVersion) -> bool:
    last = last_measured(connection, feature)
    interval = timedelta(seconds=settings.drift_interval_seconds)
    return last is None or clock.now() - last >= interval


def _measure(settings: Settings, connection: Connection, feature: FeatureVersion) -> None:
    for against in references(connection, feature):
        try:
            found = measure(settings, connection, feature, against=against, now=clock.now())
        except ContractViolation as error:
            _log.debug("drift_not_measured", feature=feature.reference, reason=error.message)
            continue
        if found.comparison.drifted:
            _log.warning(
                "feature_drifted",
                feature=feature.reference,
                against=against,
                statistics=[
                    name for name, worst in found.comparison.worst().items() if worst.drifted
                ],
            )
