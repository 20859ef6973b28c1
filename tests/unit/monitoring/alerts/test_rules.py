"""
Each alert fires when it should, alone, and ends; as Prometheus' own tool sees it.

Each case has three hours of samples: an hour in which all is well but nearly not, one in which the
alert is due, and one in which all is well again.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.alerts import ALERTS
from monitoring.alerts.rules_file import rules_yaml
from tests.unit.monitoring.alerts.series import Series, counter, gauge

PROMTOOL = shutil.which("promtool")
HOUR = 60
VERSION = '{feature_name="f", version="1.0.0"}'
JOB = '{job_name="f==1.0.0"}'
INFO = {'batch_job_info{job_name="f==1.0.0", feature_name="f", version="1.0.0"}': gauge((180, 1))}
OF_VERSION = {"feature_name": "f", "version": "1.0.0"}
WELL = {f'up{{job="{job}", instance="i"}}': gauge((180, 1)) for job in ("gateway", "scheduler")} | {
    'up{job="exporter", instance="i"}': gauge((180, 1)),
    'exporter_last_scrape_success{instance="i"}': gauge((180, 1)),
    'scheduler_last_tick_timestamp_seconds{job="scheduler", instance="i"}': "0+60x180",
}


@dataclass(frozen=True)
class Case:
    """
    What an alert looks at, and what it says.

    Attributes:
        alert: Its name.
        series: Samples by series.
        labels: Of the alert.
        besides: Other alerts that are due then, too.
        quiet: When it must not fire yet, in minutes.
    """

    alert: str
    series: Series
    labels: dict[str, str]
    besides: tuple[str, ...] = ()
    quiet: int = 58


def phases(well: float, ill: float, end: float) -> str:
    """Return the samples of a gauge in the three hours."""
    return gauge((HOUR, well), (HOUR, ill), (HOUR, end))


def served(*shares: float, tier: str) -> Series:
    """Return counters of which a tier serves some share in each of the three hours."""
    series = 'feature_requests_total{{feature_name="f", version="1.0.0", served_from="{}"}}'
    return {
        series.format(tier): counter(*[(HOUR, 1_000 * share) for share in shares]),
        series.format("offline"): counter(*[(HOUR, 1_000 * (1 - share)) for share in shares]),
    }


def run_ages(*, interval: float, until: int, again: int) -> str:
    """Return when a job last succeeded: at each interval, but not between two minutes."""
    ends = [minute * 60 // interval * interval for minute in range(180)]
    missed = [min(end, until * 60) if minute < again else end for minute, end in enumerate(ends)]
    return " ".join(f"{end:g}" for end in missed)


BATCH = 'route="/v1/features/batch"'
_SLOW = {
    f'http_request_duration_seconds_bucket{{{BATCH}, le="0.05"}}': counter(
        (HOUR, 960), (HOUR, 900), (HOUR, 1_000)
    ),
    f'http_request_duration_seconds_bucket{{{BATCH}, le="0.1"}}': counter((180, 1_000)),
    f'http_request_duration_seconds_bucket{{{BATCH}, le="+Inf"}}': counter((180, 1_000)),
    f"http_request_duration_seconds_count{{{BATCH}}}": counter((180, 1_000)),
}
CASES = [
    Case("FeatureRetrievalSlow", _SLOW, {"route": "/v1/features/batch", "severity": "warning"}),
    Case(
        "FeatureCacheHitRateLow",
        served(0.65, 0.55, 0.9, tier="online")
        | {f"feature_hit_rate_limit_ratio{VERSION}": gauge((70, 0.6), (110, None))},
        OF_VERSION | {"severity": "warning"},
    ),
    Case(
        "FeatureCacheHitRateLow",
        {f"feature_hit_rate_limit_ratio{VERSION}": gauge((180, 0.6))}
        | {
            'feature_requests_total{feature_name="f", version="1.0.0", served_from="offline"}': (
                counter((HOUR, 0), (HOUR, 100), (HOUR, 0))
            )
        },
        OF_VERSION,
    ),
    Case(
        "FeatureUnavailable",
        served(0.04, 0.06, 0, tier="default")
        | {f"feature_unavailable_limit_ratio{VERSION}": gauge((180, 0.05))},
        OF_VERSION | {"severity": "critical"},
    ),
    Case(
        "GatewayErrors",
        {
            f'http_requests_total{{{BATCH}, status="200"}}': counter((180, 1_000)),
            f'http_requests_total{{{BATCH}, status="500"}}': counter(
                (HOUR, 9), (HOUR, 12), (60, 0)
            ),
            'http_requests_total{route="/ready", status="503"}': counter((180, 1_000)),
        },
        {"severity": "critical"},
    ),
    Case(
        "OnlineTierOpen",
        {'feature_tier_state{tier="online", instance="a"}': phases(0, 1, 0)},
        {"tier": "online", "severity": "critical"},
    ),
    Case(
        "OfflineTierOpen",
        {'feature_tier_state{tier="offline", instance="a"}': phases(0, 1, 0)},
        {"tier": "offline", "severity": "warning"},
    ),
    Case(
        "OnDemandTierOpen",
        {'feature_tier_state{tier="on_demand", computation="f==1.0.0"}': phases(0, 1, 0)},
        {"computation": "f==1.0.0", "severity": "warning"},
    ),
    Case(
        "DeprecatedVersionUsed",
        # The first use of all: there is nothing that the counter could have risen from.
        {f"feature_deprecated_requests_total{VERSION}": gauge((70, None), (110, 1))},
        OF_VERSION | {"severity": "info"},
    ),
    Case(
        "DeprecatedVersionUsed",
        {f"feature_deprecated_requests_total{VERSION}": gauge((70, 5), (110, 6))},
        OF_VERSION,
        quiet=69,
    ),
    Case(
        "GatewayDown",
        {'up{job="gateway", instance="j"}': phases(1, 0, 1)},
        {"instance": "j", "severity": "critical"},
    ),
    Case(
        "FeatureStale",
        {
            f"feature_freshness_seconds{VERSION}": phases(310, 340, 10),
            f"feature_staleness_tolerance_seconds{VERSION}": gauge((180, 300)),
            f"batch_job_expected_duration_seconds{JOB}": gauge((180, 10)),
        }
        | INFO,
        OF_VERSION | {"job_name": "f==1.0.0", "severity": "warning"},
    ),
    Case(
        "QualityCheckFailed",
        {f"feature_failed_checks{VERSION}": phases(0, 2, 0)} | INFO,
        OF_VERSION | {"job_name": "f==1.0.0", "severity": "warning"},
    ),
    Case(
        "FeatureDrifted",
        {f"feature_drifting{VERSION}": phases(0, 1, 0)} | INFO,
        OF_VERSION | {"job_name": "f==1.0.0", "severity": "warning"},
    ),
    Case(
        "SnapshotMissing",
        {"snapshot_age_seconds": phases(107_000, 109_000, 3_600)},
        {"severity": "warning"},
    ),
    Case(
        "JobFailed",
        {f"batch_job_consecutive_failures{JOB}": phases(0, 1, 0)},
        {"job_name": "f==1.0.0", "severity": "warning"},
    ),
    Case(
        "JobFailingRepeatedly",
        {f"batch_job_consecutive_failures{JOB}": gauge((59, 0), (1, 0), (HOUR, 3), (HOUR, 0))},
        {"job_name": "f==1.0.0", "severity": "critical"},
        besides=("JobFailed",),
    ),
    Case(
        "JobSlow",
        {
            f"batch_job_last_duration_seconds{JOB}": phases(199, 201, 100),
            f"batch_job_expected_duration_seconds{JOB}": gauge((180, 100)),
        },
        {"job_name": "f==1.0.0", "severity": "warning"},
    ),
    Case(
        "JobSlow",  # it runs, and runs, and does not end
        {
            f"batch_job_running_since_timestamp{JOB}": phases(0, 3_600, 0),
            f"batch_job_last_duration_seconds{JOB}": gauge((180, 1)),
            f"batch_job_expected_duration_seconds{JOB}": gauge((180, 600)),
        },
        {"job_name": "f==1.0.0"},
        quiet=79,
    ),
    Case(
        "JobWithoutOutput",
        {f"batch_job_last_records{JOB}": phases(1, 0, 1)},
        {"job_name": "f==1.0.0", "severity": "warning"},
    ),
    Case(
        "JobOverdue",
        {
            f"batch_job_last_success_timestamp{JOB}": run_ages(interval=300, until=60, again=119),
            f"batch_job_interval_seconds{JOB}": gauge((180, 300)),
        },
        {"job_name": "f==1.0.0", "severity": "warning"},
        quiet=69,
    ),
    Case(
        "SchedulerDown",
        {'up{job="scheduler", instance="j"}': phases(1, 0, 1)},
        {"instance": "j", "severity": "critical"},
    ),
    Case(
        "SchedulerDown",  # it answers, and does nothing
        {
            'scheduler_last_tick_timestamp_seconds{job="scheduler", instance="j"}': run_ages(
                interval=60, until=60, again=119
            )
        },
        {"instance": "j"},
        quiet=70,
    ),
    Case(
        "ExporterDown",
        {'up{job="exporter", instance="j"}': phases(1, 0, 1)},
        {"instance": "j", "severity": "critical"},
    ),
    Case(
        "ExporterBlind",
        {'exporter_last_scrape_success{instance="j"}': phases(1, 0, 1)},
        {"instance": "j", "severity": "critical"},
    ),
]


def test_every_alert_has_a_case() -> None:
    """None is without proof."""
    assert {case.alert for case in CASES} == {alert.name for alert in ALERTS}


@pytest.mark.skipif(PROMTOOL is None, reason="promtool (Debian's prometheus) is not installed")
@pytest.mark.parametrize(
    "case", CASES, ids=[f"{case.alert}-{number}" for number, case in enumerate(CASES)]
)
def test_an_alert_fires_alone_and_ends(case: Case, tmp_path: Path) -> None:
    """Neither before it is due nor after it is mended, and no other one with it."""
    (tmp_path / "rules.yml").write_text(rules_yaml(ALERTS, runbooks="runbooks"))
    selector = ", ".join(f'{name}="{value}"' for name, value in case.labels.items())
    named = f'alertname="{case.alert}", {selector}'
    other = "|".join((case.alert, *case.besides))
    expected = [
        (case.quiet, 'ALERTS{alertstate="firing"}', []),
        (118, f'count(ALERTS{{alertstate="firing", {named}}})', [{"labels": "{}", "value": 1}]),
        (118, f'ALERTS{{alertstate="firing", alertname!~"{other}"}}', []),
        (178, 'ALERTS{alertstate="firing"}', []),
    ]
    tests: dict[str, Any] = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": name, "values": values}
                    for name, values in (WELL | dict(case.series)).items()
                ],
                "promql_expr_test": [
                    {"expr": expression, "eval_time": f"{minute}m", "exp_samples": samples}
                    for minute, expression, samples in expected
                ],
            }
        ],
    }
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(tests, width=10_000))
    assert PROMTOOL is not None
    done = subprocess.run(  # noqa: S603 - its own file
        [PROMTOOL, "test", "rules", "tests.yml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
