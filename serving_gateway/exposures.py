"""
Who was served what because of an experiment, so that what they did next can be held against it.

docs/serving-rules.md says what a record holds.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

import orjson
from cachetools import TTLCache
from prometheus_client import Counter

from foundation import clock
from foundation.settings import Settings
from serving_gateway.journal import Entry, Journal
from serving_gateway.log_digest import LogDigest
from serving_gateway.metric_registry import MetricRegistry
from serving_gateway.selection import Exposure

# A user who stays is recorded once an hour, by each process.
_SECONDS_BETWEEN_RECORDS = 3_600.0
_MOST_REMEMBERED = 100_000
_BYTES_PER_RECORD = 500


class ExposureInstruments:
    """
    Metrics of experiments.

    Args:
        metrics: Where they are registered.
    """

    def __init__(self, metrics: MetricRegistry) -> None:
        self._exposures: Counter = metrics.counter(
            "feature_experiment_exposures_total",
            "Requests that were served versions because of a variant of an experiment.",
            ("experiment", "variant"),
        )
        self._records: Counter = metrics.counter(
            "feature_exposure_records_total",
            "Records of exposures: written, dropped because too many waited, or failed.",
            ("outcome",),
        )

    def count(self, experiment: str, variant: str) -> None:
        """Count a request that an experiment decided on."""
        self._exposures.labels(experiment, variant).inc()

    def count_records(self, outcome: str, count: int) -> None:
        """Count records."""
        self._records.labels(outcome).inc(count)


class Exposures:
    """
    Counts and logs exposures, and records whose they are if there is a folder for it.

    Args:
        settings: Say where records go, and how long they are kept.
        instruments: Count.
        digest: Logs sums, without users.

    Attributes:
        journal: Writes records; None if nobody wants them.
    """

    def __init__(
        self, settings: Settings, instruments: ExposureInstruments, digest: LogDigest
    ) -> None:
        self._instruments = instruments
        self._digest = digest
        self._recent: TTLCache[tuple[str, str, str, str], bool] = TTLCache(
            _MOST_REMEMBERED, _SECONDS_BETWEEN_RECORDS
        )
        self.journal: Journal | None = None
        if settings.exposures_path is not None:
            self.journal = Journal(
                "exposures",
                settings.exposures_path,
                timedelta(days=settings.exposures_days),
                count=instruments.count_records,
                digest=digest,
            )

    def note(self, user_id: str | None, exposures: Sequence[Exposure]) -> None:
        """Take note of the experiments that decided what a user has been served."""
        for exposure in exposures:
            experiment, variant = exposure.assignment.experiment, exposure.assignment.variant
            self._instruments.count(experiment, variant)
            self._digest.add("experiment_exposure", experiment=experiment, variant=variant)
            if self.journal is not None and user_id is not None:
                self._record(self.journal, user_id, exposure)

    def _record(self, journal: Journal, user_id: str, exposure: Exposure) -> None:
        assignment = exposure.assignment
        key = (assignment.experiment, assignment.salt, assignment.variant, user_id)
        if key in self._recent:
            return
        self._recent[key] = True
        lines = partial(_lines, clock.now(), user_id, exposure)
        journal.offer(Entry(clock.now(), lines, 1, _BYTES_PER_RECORD))


def _lines(at: datetime, user_id: str, exposure: Exposure) -> Iterator[bytes]:
    assignment = exposure.assignment
    yield orjson.dumps(
        {
            "exposed_at": at,
            "experiment": assignment.experiment,
            "salt": assignment.salt,
            "variant": assignment.variant,
            "user_id": user_id,
            "forced": assignment.is_forced,
            "versions": {each.feature_name: each.version for each in exposure.features},
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )
