"""What each alert looks at when it is due, and what looks like it and is none."""

from dataclasses import dataclass

from tests.unit.monitoring.alerts.series import (
    HOUR,
    LENGTH,
    Samples,
    Series,
    constant,
    counter,
    gauge,
    given,
    instants,
    until_ill,
)

VERSION, JOB = 'feature_name="f", version="1.0.0"', 'job_name="f==1.0.0"'
BATCH = 'route="/v1/features/batch"'
OF_VERSION = {"feature_name": "f", "version": "1.0.0"}
OF_JOB = {"job_name": "f==1.0.0", "owner": "o"}
OF_BOTH = {**OF_VERSION, **OF_JOB}
TICKED = 'scheduler_last_tick_timestamp_seconds{job="scheduler", instance="s"}'
WARNING, CRITICAL = {"severity": "warning"}, {"severity": "critical"}

# Of everything that is watched, a process that is well; of the gateways two.
WELL: Series = {
    'up{job="gateway", instance="g"}': constant(1),
    'up{job="scheduler", instance="s"}': constant(1),
    'up{job="exporter", instance="e"}': constant(1),
    'exporter_last_scrape_success{instance="e"}': constant(1),
    TICKED: given(*[(1, 60 * minute) for minute in range(LENGTH)]),
    f'batch_job_info{{{JOB}, {VERSION}, owner="o"}}': constant(1),
    f'feature_info{{{VERSION}, owner="o"}}': constant(1),
    "snapshot_age_seconds": constant(3_600),
}


@dataclass(frozen=True)
class Case:
    """
    What an alert looks at, ill from the second hour on, and what it says.

    Attributes:
        alert: Its name.
        series: Samples by series, besides or instead of those that are well.
        labels: Of the alert.
        due: In which minute its expression holds first.
        besides: Other alerts that follow from the same.
        blip: For how many minutes it may be ill without being told; by default as long as the alert
            holds. A rate goes on being ill for as long as it looks back.
        since: From which minute on it must be silent; before, it has nothing to compare with.
        lasts: In which minute it must fire still.
    """

    alert: str
    series: Series
    labels: dict[str, str]
    due: int = HOUR
    besides: tuple[str, ...] = ()
    blip: int | None = None
    since: int = 0
    lasts: int = 2 * HOUR - 2


def served(tier: str, *shares: float) -> Series:
    """Return counters of which a tier serves some share: when well, when ill, and at the end."""
    well, ill, end = (1_000 * share for share in shares)
    tiers = {
        tier: counter(well, ill, end),
        "offline": counter(1_000 - well, 1_000 - ill, 1_000 - end),
    }
    return {
        f'feature_requests_total{{{VERSION}, served_from="{name}"}}': samples
        for name, samples in tiers.items()
    }


def requests(slow: Samples, count: Samples) -> Series:
    """Return the histogram of requests of which some take longer than 50 ms."""
    metric = "http_request_duration_seconds_bucket"
    buckets = {"0.05": slow, "0.1": count, "+Inf": count}
    return {
        **{f'{metric}{{{BATCH}, le="{le}"}}': samples for le, samples in buckets.items()},
        f"http_request_duration_seconds_count{{{BATCH}}}": count,
    }


def errors(errors_a_minute: Samples, requests_a_minute: Samples) -> Series:
    """Return the gateway's answers; a probe that is refused is none of them."""
    return {
        f'http_requests_total{{{BATCH}, status="200"}}': requests_a_minute,
        f'http_requests_total{{{BATCH}, status="500"}}': errors_a_minute,
        'http_requests_total{route="/ready", status="503"}': counter(1_000, 1_000, 1_000),
    }


def written_back(failed: Samples, written: Samples) -> Series:
    """Return what came of values that were to be written back."""
    metric = "feature_write_back_values_total"
    return {
        f'{metric}{{store="redis", outcome="failed"}}': failed,
        f'{metric}{{store="redis", outcome="written"}}': written,
    }


EVERY_MINUTE = counter(1_000, 1_000, 1_000)
SERVING = [
    Case(
        "FeatureRetrievalSlow",
        requests(counter(960, 900, 1_000), EVERY_MINUTE),
        {"route": "/v1/features/batch", **WARNING},
        due=61,
        blip=1,
    ),
    Case(
        "FeatureCacheHitRateLow",
        # Also when the limit is not told any more.
        served("online", 0.65, 0.55, 0.9)
        | {f"feature_hit_rate_limit_ratio{{{VERSION}}}": given((70, 0.6), (110, None))},
        OF_VERSION | {"owner": "o"} | WARNING,
        due=68,
        blip=1,
    ),
    Case(
        "FeatureCacheHitRateLow",  # nothing comes from Redis, nor ever did
        {
            f"feature_hit_rate_limit_ratio{{{VERSION}}}": constant(0.6),
            f'feature_requests_total{{{VERSION}, served_from="offline"}}': counter(0, 1_000, 0),
        },
        OF_VERSION,
        due=61,
    ),
    Case(
        "FeatureUnavailable",
        served("default", 0.04, 0.06, 0)
        | {f"feature_unavailable_limit_ratio{{{VERSION}}}": constant(0.05)},
        OF_VERSION | {"owner": "o"} | CRITICAL,
        due=63,
        blip=1,
    ),
    Case(
        "FeatureUnavailable",  # the exporter has gone, and with it what it knows of the feature
        served("default", 0.04, 0.06, 0)
        | {f"feature_unavailable_limit_ratio{{{VERSION}}}": given((30, 0.05), (150, None))}
        | {f'feature_info{{{VERSION}, owner="o"}}': given((30, 1), (150, None))},
        OF_VERSION | CRITICAL,
        due=63,
    ),
    Case(
        "GatewayErrors",
        errors(counter(9, 12, 0), EVERY_MINUTE),
        CRITICAL,
        due=62,
        blip=1,
    ),
    Case(
        "OnlineTierOpen",
        {'feature_tier_state{tier="online", instance="a"}': gauge(0, 1, 0)},
        {"tier": "online", **CRITICAL},
        besides=("TierRecovering",),
    ),
    Case(
        "TierRecovering",  # also when it was away for a moment only
        {'feature_tier_state{tier="online", instance="a"}': given((60, 0), (1, 1), (119, 0))},
        {"tier": "online", "severity": "none"},
        lasts=74,
    ),
    Case(
        "OfflineTierOpen",
        {'feature_tier_state{tier="offline", instance="a"}': gauge(0, 1, 0)},
        {"tier": "offline", **WARNING},
        besides=("TierRecovering",),
    ),
    Case(
        "OnDemandTierOpen",
        {'feature_tier_state{tier="on_demand", part="f==1.0.0"}': gauge(0, 1, 0)},
        {"part": "f==1.0.0", **WARNING},
    ),
    Case(
        "WriteBackFailing",
        written_back(counter(90, 200, 0), EVERY_MINUTE),
        WARNING,
        due=62,
        blip=1,
    ),
    Case(
        "DeprecatedVersionUsed",
        # The first use of all: there is nothing that the counter could have risen from.
        {f"feature_deprecated_requests_total{{{VERSION}}}": given((70, None), (110, 1))},
        OF_VERSION | {"owner": "o", "severity": "info"},
        due=70,
    ),
    Case(
        "DeprecatedVersionUsed",
        {f"feature_deprecated_requests_total{{{VERSION}}}": given((70, 5), (110, 6))},
        OF_VERSION,
        due=70,
        since=HOUR,
    ),
    Case(
        "GatewayDown",
        {'up{job="gateway", instance="j"}': gauge(1, 0, 1)},
        {"instance": "j", **CRITICAL},
    ),
    Case(
        "GatewayDown",  # there is none
        {'up{job="gateway", instance="g"}': gauge(1, None, 1)},
        {"job": "gateway", **CRITICAL},
        due=65,
    ),
    Case(
        "CatalogStale",
        {'feature_catalog_age_seconds{instance="g"}': gauge(290, 310, 10)},
        {"instance": "g", **WARNING},
    ),
    Case(
        "ApiKeysStale",
        {'feature_api_keys_age_seconds{instance="g"}': gauge(290, 310, 10)},
        {"instance": "g", **WARNING},
    ),
]
FEATURES = [
    Case(
        "FeatureStale",
        {
            f"feature_freshness_seconds{{{VERSION}}}": gauge(310, 340, 10),
            f"feature_staleness_tolerance_seconds{{{VERSION}}}": constant(300),
            f"batch_job_expected_duration_seconds{{{JOB}}}": constant(10),
        },
        OF_BOTH | WARNING,
    ),
    Case(
        "QualityCheckFailed",
        {f"feature_failed_checks{{{VERSION}}}": gauge(0, 2, 0)},
        OF_BOTH | WARNING,
    ),
    Case(
        "FeatureDrifted",
        {
            f'feature_drifting{{{VERSION}, against="last"}}': constant(0),
            f'feature_drifting{{{VERSION}, against="baseline"}}': gauge(0, 1, 0),
        },
        OF_BOTH | WARNING | {"against": "baseline"},
    ),
    Case("SnapshotMissing", {"snapshot_age_seconds": gauge(107_000, 109_000, 3_600)}, WARNING),
    Case(
        "SourceStale",
        {
            'data_freshness_seconds{data_source="products"}': gauge(172_000, 173_000, 60),
            'data_freshness_seconds{data_source="events"}': constant(900_000),
            'data_freshness_limit_seconds{data_source="products"}': constant(172_800),
        },
        {"data_source": "products", **WARNING},
    ),
]
JOBS = [
    Case(
        "JobFailed",
        {f"batch_job_consecutive_failures{{{JOB}}}": gauge(0, 2, 0)},
        OF_JOB | WARNING,
    ),
    Case(
        "JobFailingRepeatedly",
        {f"batch_job_consecutive_failures{{{JOB}}}": gauge(0, 3, 0)},
        OF_JOB | CRITICAL,
        besides=("JobFailed",),
    ),
    Case(
        "JobSkipped",
        {f"batch_job_consecutive_skips{{{JOB}}}": gauge(0, 1, 0)},
        OF_JOB | WARNING,
    ),
    Case(
        "JobSlow",
        {
            f"batch_job_last_duration_seconds{{{JOB}}}": gauge(199, 201, 100),
            f"batch_job_expected_duration_seconds{{{JOB}}}": constant(100),
        },
        OF_JOB | WARNING,
    ),
    Case(
        "JobSlow",  # it runs, and runs, and does not end
        {
            f"batch_job_running_since_timestamp{{{JOB}}}": gauge(0, 3_600, 0),
            f"batch_job_last_duration_seconds{{{JOB}}}": constant(1),
            f"batch_job_expected_duration_seconds{{{JOB}}}": constant(600),
        },
        OF_JOB,
        due=81,
    ),
    Case(
        "JobWithoutOutput",
        {f"batch_job_last_records{{{JOB}}}": gauge(1, 0, 1)},
        OF_JOB | WARNING,
    ),
    Case(
        "JobOverdue",
        {
            f"batch_job_last_success_timestamp{{{JOB}}}": instants(300),
            f"batch_job_interval_seconds{{{JOB}}}": constant(300),
        },
        OF_JOB | WARNING,
        due=71,
    ),
    Case(
        "JobOverdue",  # of a daily one, a tenth of the interval late
        {
            f"batch_job_last_success_timestamp{{{JOB}}}": gauge(0, 3_600 - 95_040, 7_200),
            f"batch_job_interval_seconds{{{JOB}}}": constant(86_400),
        },
        OF_JOB,
        due=61,
    ),
    Case(
        "SchedulerDown",
        {'up{job="scheduler", instance="s"}': gauge(1, 0, 1)},
        {"instance": "s", **CRITICAL},
    ),
    Case(
        "SchedulerDown",  # it answers, and does nothing
        {TICKED: instants(60)},
        {"instance": "s", **CRITICAL},
        due=71,
    ),
    Case(
        "SchedulerDown",  # there is none any more
        {
            'up{job="scheduler", instance="s"}': gauge(1, None, 1),
            TICKED: until_ill(instants(60)),
        },
        {"job": "scheduler", **CRITICAL},
        due=65,
    ),
    Case(
        "SchedulerBlind",
        {'scheduler_refresh_failures_total{instance="s"}': counter(0, 1, 0)},
        {"instance": "s", **WARNING},
        due=63,
        blip=2,
    ),
]
PROCESSES = [
    Case(
        "ExporterDown",
        {'up{job="exporter", instance="j"}': gauge(1, 0, 1)},
        {"instance": "j", **CRITICAL},
    ),
    Case(
        "ExporterDown",  # there is none
        {'up{job="exporter", instance="e"}': gauge(1, None, 1)},
        {"job": "exporter", **CRITICAL},
        due=65,
    ),
    Case(
        "ExporterBlind",
        {'exporter_last_scrape_success{instance="j"}': gauge(1, 0, 1)},
        {"instance": "j", **CRITICAL},
    ),
]
CASES = [*SERVING, *FEATURES, *JOBS, *PROCESSES]

# What nobody is told of: (what it is, series).
QUIET: list[tuple[str, Series]] = [
    ("few requests are slow", requests(counter(0, 0, 0), counter(5, 5, 5))),
    (
        "few values are asked for",
        {
            f"feature_hit_rate_limit_ratio{{{VERSION}}}": constant(0.6),
            f"feature_unavailable_limit_ratio{{{VERSION}}}": constant(0.05),
            f'feature_requests_total{{{VERSION}, served_from="default"}}': counter(5, 5, 5),
        },
    ),
    ("few requests fail", errors(counter(5, 5, 5), counter(0, 0, 0))),
    ("few values can't be written back", written_back(counter(5, 5, 5), counter(0, 0, 0))),
    (
        "a job that is late runs",
        {
            f"batch_job_last_success_timestamp{{{JOB}}}": instants(300),
            f"batch_job_interval_seconds{{{JOB}}}": constant(300),
            f"batch_job_running_since_timestamp{{{JOB}}}": gauge(0, 3_600, 0),
        },
    ),
    (
        "a job of seconds takes three times as long",
        {
            f"batch_job_last_duration_seconds{{{JOB}}}": constant(60),
            f"batch_job_expected_duration_seconds{{{JOB}}}": constant(20),
        },
    ),
    (
        "a registry that was away for a moment",
        {'scheduler_refresh_failures_total{instance="s"}': counter(0, 0, 0)}
        | {'scheduler_refresh_failures_total{instance="t"}': given((60, 0), (1, 1), (119, 2))},
    ),
]
