"""Prometheus metrics of the jobs that one process runs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_DURATION_BUCKETS = (1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600)


class JobInstruments:
    """
    Counts what run records say.

    Attributes:
        registry: What `/metrics` exposes.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._runs = Counter(
            "batch_job_runs_total",
            "Runs of jobs, by how they ended.",
            ["job_name", "status"],
            registry=self.registry,
        )
        self._duration = Histogram(
            "batch_job_duration_seconds",
            "How long a run took.",
            ["job_name"],
            buckets=_DURATION_BUCKETS,
            registry=self.registry,
        )
        self._records = Counter(
            "batch_job_records_processed_total",
            "Values computed and published.",
            ["job_name"],
            registry=self.registry,
        )
        self._last_success = Gauge(
            "batch_job_last_success_timestamp",
            "When a job last succeeded, in seconds since 1970.",
            ["job_name"],
            registry=self.registry,
        )
        self._failures = Gauge(
            "batch_job_consecutive_failures",
            "Failed runs since a job last succeeded.",
            ["job_name"],
            registry=self.registry,
        )
        self._freshness = Gauge(
            "data_freshness_seconds",
            "Age of a source table's newest row when a job last looked.",
            ["data_source"],
            registry=self.registry,
        )
        self._checks = Counter(
            "feature_quality_checks_total",
            "Quality checks of features' inputs and values.",
            ["feature_name", "check_type", "status"],
            registry=self.registry,
        )

    def count_run(
        self, job_name: str, records: Sequence[Mapping[str, Any]], *, consecutive_failures: int
    ) -> None:
        """
        Count a run that has ended.

        Args:
            job_name: Whose run it was.
            records: Its run records, one a feature version.
            consecutive_failures: Failed runs since the last success, this one included.
        """
        first = records[0]
        self._runs.labels(job_name, first["status"]).inc()
        self._failures.labels(job_name).set(consecutive_failures)
        if first["status"] == "skipped":
            return
        finished_at: datetime = first["finished_at"]
        self._duration.labels(job_name).observe((finished_at - first["started_at"]).total_seconds())
        if first["status"] == "succeeded":
            self._last_success.labels(job_name).set(finished_at.timestamp())
            self._records.labels(job_name).inc(sum(r["row_count"] for r in records))
        for source, profile in first["inputs"].items():
            if profile["newest"] is not None:
                age = first["as_of"] - datetime.fromisoformat(profile["newest"])
                self._freshness.labels(source).set(age.total_seconds())
        for record in records:
            for check in record["checks"]:
                status = "pass" if check["success"] else "fail"
                self._checks.labels(record["feature_name"], check["check_type"], status).inc()
