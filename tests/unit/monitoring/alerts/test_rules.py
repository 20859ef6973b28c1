"""
Each alert fires when it should and not before, alone, and ends; as Prometheus' own tool sees it.

A case has three hours of samples: an hour in which all is well but nearly not, one in which the
alert is due, and one in which all is well again.
"""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.alerts import ALERTS
from monitoring.alerts.rules_file import rules_yaml
from tests.unit.monitoring.alerts.cases import CASES, QUIET, WELL, Case
from tests.unit.monitoring.alerts.series import HOUR, LENGTH, Series

PROMTOOL = shutil.which("promtool")
MINUTE = timedelta(minutes=1)
HOLDS = {alert.name: alert.hold // MINUTE for alert in ALERTS}
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool (Debian's prometheus) is not installed"
)


@dataclass(frozen=True)
class Expectation:
    """
    What a query gives at some minute.

    Attributes:
        minute: When.
        query: PromQL.
        values: Of its series, which have no labels.
    """

    minute: int
    query: str
    values: tuple[float, ...] = ()


def firing(labels: str) -> str:
    """Return how many alerts with labels fire."""
    return f'count(ALERTS{{alertstate="firing", {labels}}})'


def silence(until: int, labels: str, *, since: int = 0) -> Expectation:
    """Expect that no alert with labels fires from one minute to another."""
    alerts = f'ALERTS{{alertstate="firing", {labels}}}'
    # A second more, for a range may be without its first instant.
    return Expectation(until, f"count(count_over_time({alerts}[{60 * (until - since) + 1}s]))")


def others(*names: str) -> str:
    """Return labels of all alerts but some, and the one that always fires."""
    return f'alertname!~"{"|".join((*names, "Watchdog"))}"'


def play(series: Mapping[str, str], *expected: Expectation, interval: str = "1m") -> dict[str, Any]:
    """Return a test of promtool: samples, and what is expected of the rules."""
    return {
        "interval": interval,
        "input_series": [{"series": name, "values": text} for name, text in series.items()],
        "promql_expr_test": [
            {
                "expr": each.query,
                "eval_time": f"{each.minute}m",
                "exp_samples": [{"labels": "{}", "value": value} for value in each.values],
            }
            for each in expected
        ],
    }


def check(folder: Path, *tests: dict[str, Any], interval: str = "1m") -> None:
    """Let promtool hold the rules against tests."""
    (folder / "rules.yml").write_text(rules_yaml(ALERTS, runbooks="runbooks"))
    files = {"rule_files": ["rules.yml"], "evaluation_interval": interval, "tests": list(tests)}
    (folder / "tests.yml").write_text(yaml.safe_dump(files, width=10_000))
    assert PROMTOOL is not None
    done = subprocess.run(  # noqa: S603 - its own file
        [PROMTOOL, "test", "rules", "tests.yml"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def samples(series: Series, minutes: int) -> dict[str, str]:
    """Return the samples of what is well and of a case, ill for some minutes."""
    return {name: of(minutes) for name, of in (dict(WELL) | dict(series)).items()}


def test_every_alert_has_a_case() -> None:
    """None is without proof; the watchdog has one of its own."""
    assert {case.alert for case in CASES} | {"Watchdog"} == {alert.name for alert in ALERTS}


@needs_promtool
@pytest.mark.parametrize(
    "case", CASES, ids=[f"{case.alert}-{number}" for number, case in enumerate(CASES)]
)
def test_an_alert_fires_in_time_alone_and_ends(case: Case, tmp_path: Path) -> None:
    """Not a minute before it is due and has held, nor after it is mended, and no other with it."""
    told = case.due + HOLDS[case.alert]
    labels = ", ".join(f'{name}="{value}"' for name, value in case.labels.items())
    named = f'alertname="{case.alert}", {labels}'
    check(
        tmp_path,
        play(
            samples(case.series, HOUR),
            silence(told - 1, others(*case.besides), since=case.since),
            Expectation(told, firing(named), (1,)),
            Expectation(case.lasts, firing(named), (1,)),
            Expectation(LENGTH - 2, firing(others())),
            silence(LENGTH - 2, others(case.alert, *case.besides)),
        ),
    )


@needs_promtool
@pytest.mark.parametrize("name", [name for name, hold in HOLDS.items() if hold])
def test_a_blip_is_not_told(name: str, tmp_path: Path) -> None:
    """What is over before the alert has held."""
    case = next(case for case in CASES if case.alert == name)
    blip = HOLDS[case.alert] if case.blip is None else case.blip
    check(tmp_path, play(samples(case.series, blip), silence(LENGTH - 2, others(*case.besides))))


@needs_promtool
@pytest.mark.parametrize(("what", "series"), QUIET, ids=[what for what, _ in QUIET])
def test_what_only_looks_like_trouble_is_not_told(
    what: str, series: Series, tmp_path: Path
) -> None:
    """However long it lasts."""
    assert what
    check(tmp_path, play(samples(series, HOUR), silence(LENGTH - 2, others())))


@needs_promtool
def test_a_schedule_that_never_was_is_not_missed(tmp_path: Path) -> None:
    """Jobs may be started otherwise."""
    without = {name: text for name, text in samples({}, HOUR).items() if "scheduler" not in name}
    check(tmp_path, play(without, silence(LENGTH - 2, others())))


@needs_promtool
def test_snapshots_that_never_were_are_missed_by_the_second_night(tmp_path: Path) -> None:
    """But not while nobody could tell of them."""
    days = "x200"  # of ten minutes
    watched = {name: f"1+0{days}" for name in WELL if name != "snapshot_age_seconds"}
    watched['scheduler_last_tick_timestamp_seconds{job="scheduler", instance="s"}'] = f"0+600{days}"
    unwatched = watched | {'up{job="exporter", instance="e"}': f"0+0{days}"}
    told = 'alertname="SnapshotMissing"'
    check(
        tmp_path,
        play(
            watched,
            silence(30 * 60, others()),
            Expectation(30 * 60 + 10, firing(told), (1,)),
            silence(33 * 60, others("SnapshotMissing")),
            interval="10m",
        ),
        play(unwatched, silence(33 * 60, told), interval="10m"),
        interval="10m",
    )


@needs_promtool
def test_the_watchdog_always_barks(tmp_path: Path) -> None:
    """Also when there is nothing else at all."""
    named = firing('alertname="Watchdog", severity="none"')
    check(tmp_path, play({}, Expectation(0, named, (1,)), Expectation(HOUR, named, (1,))))
