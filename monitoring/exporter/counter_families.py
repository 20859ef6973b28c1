"""Counters that outlive processes, as the totals have them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client.core import HistogramMetricFamily, Metric

from monitoring.exporter import totals
from monitoring.exporter.metrics import counter
from monitoring.exporter.picture import Picture
from monitoring.exporter.totals import Total
from transformations.drift.measuring import BASELINE, LAST
from transformations.drift.records import DETECTED
from transformations.selection import scheduled_jobs

_ENDINGS = ("failed", "skipped", "succeeded")
_OUTCOMES = ("fail", "pass")


def counter_families(picture: Picture) -> Iterator[Metric]:
    """Return all counters; what may happen starts at 0: to Prometheus, none to 1 is no increase."""
    features = [] if picture.catalog is None else picture.catalog.features
    jobs = [] if picture.catalog is None else [job.name for job in scheduled_jobs(picture.catalog)]
    of = _by_metric(picture.totals)
    yield _counter(
        of,
        totals.RUNS,
        "Runs of jobs, by how they ended; backfills aside.",
        ("job_name", "status"),
        ((job, ending) for job in jobs for ending in _ENDINGS),
    )
    yield _counter(
        of,
        totals.RECORDS,
        "Values computed and published; backfills aside.",
        ("job_name",),
        ((job,) for job in jobs),
    )
    checked = {
        (t.labels["feature_name"], t.labels["check_type"]) for t in of.get(totals.CHECKS, [])
    }
    yield _counter(
        of,
        totals.CHECKS,
        "Quality checks of features' inputs and values.",
        ("feature_name", "check_type", "status"),
        ((*check, outcome) for check in sorted(checked) for outcome in _OUTCOMES),
    )
    yield _counter(
        of,
        DETECTED,
        "Measurements that found a feature's values to have drifted.",
        ("feature_name", "against"),
        ((f.feature_name, against) for f in features for against in (LAST, BASELINE)),
    )
    yield _durations(of)


def _by_metric(found: Iterable[Total]) -> Mapping[str, Sequence[Total]]:
    by_metric: dict[str, list[Total]] = {}
    for total in found:
        by_metric.setdefault(total.metric, []).append(total)
    return by_metric


def _counter(
    of: Mapping[str, Sequence[Total]],
    metric: str,
    help_text: str,
    labels: Sequence[str],
    expected: Iterable[tuple[str, ...]],
) -> Metric:
    # What was counted before a label came to be has none.
    found = {
        tuple(total.labels.get(label, "") for label in labels): total.value
        for total in of.get(metric, [])
    }
    return counter(metric, help_text, labels, {**dict.fromkeys(expected, 0.0), **found}.items())


def _durations(of: Mapping[str, Sequence[Total]]) -> Metric:
    family = HistogramMetricFamily(
        "batch_job_duration_seconds", "How long a run took; backfills aside.", labels=["job_name"]
    )
    counts: dict[str, Counter[float]] = {}
    for total in of.get(totals.DURATION_BUCKET, []):
        of_job = counts.setdefault(total.labels["job_name"], Counter())
        of_job[float(total.labels["le"])] += int(total.value)
    sums = {t.labels["job_name"]: t.value for t in of.get(totals.DURATION_SUM, [])}
    for job_name, of_job in counts.items():
        bounds = sorted({*of_job, *totals.DURATION_BOUNDS, float("inf")})
        below, buckets = 0, []
        for bound in bounds:
            below += of_job[bound]
            buckets.append(("+Inf" if bound == float("inf") else str(bound), float(below)))
        family.add_metric([job_name], buckets, sums.get(job_name, 0.0))
    return family
