"""Prometheus metrics of the schedule's own process; those of jobs are the exporter's."""

from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge


class SchedulerInstruments:
    """
    Tells whether the schedule is alive, and what it is busy with.

    Attributes:
        registry: What `/metrics` exposes.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._last_tick = Gauge(
            "scheduler_last_tick_timestamp_seconds",
            "When the schedule last looked for what is deployed, in seconds since 1970.",
            registry=self.registry,
        )
        self._refresh_failures = Counter(
            "scheduler_refresh_failures_total",
            "Looks for what is deployed that failed; the schedule goes on with what it knows.",
            registry=self.registry,
        )
        self._waves = Gauge(
            "scheduler_waves", "Waves of jobs that are planned.", registry=self.registry
        )
        self._running = Gauge(
            "scheduler_jobs_running",
            "Jobs that this process runs at the moment.",
            registry=self.registry,
        )

    def tick(self, now: datetime, *, waves: int) -> None:
        """Record a look for what is deployed, and how many waves are planned since."""
        self._last_tick.set(now.timestamp())
        self._waves.set(waves)

    def refresh_failed(self) -> None:
        """Count a look for what is deployed that failed."""
        self._refresh_failures.inc()

    def set_running(self, jobs: int) -> None:
        """Record how many jobs run."""
        self._running.set(jobs)
