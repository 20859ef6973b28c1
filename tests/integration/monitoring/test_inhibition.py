"""Of one problem one message comes: a real Alertmanager holds back what follows from it."""

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from foundation import clock
from foundation.settings import PROJECT_ROOT

ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
pytestmark = pytest.mark.skipif(
    ALERTMANAGER is None, reason="Debian's prometheus-alertmanager is not installed"
)

OF_JOB = {"job_name": "f==1.0.0"}
OF_VERSION = {"feature_name": "f", "version": "1.0.0"}
ANY: dict[str, str] = {}

# Source, what it holds back, and the labels that both must have.
HELD_BACK = [
    (
        "QualityCheckFailed",
        ("JobFailed", "JobFailingRepeatedly", "JobOverdue", "FeatureStale"),
        OF_JOB,
    ),
    ("JobFailingRepeatedly", ("JobFailed", "JobOverdue", "FeatureStale"), OF_JOB),
    ("JobFailed", ("JobOverdue", "FeatureStale"), OF_JOB),
    ("JobOverdue", ("FeatureStale",), OF_JOB),
    ("JobSlow", ("FeatureStale",), OF_JOB),
    *(
        (source, ("JobOverdue", "FeatureStale", "SnapshotMissing", "SourceStale"), ANY)
        for source in ("SchedulerDown", "ExporterBlind", "ExporterDown")
    ),
    *(
        (source, ("CatalogStale", "ApiKeysStale", "SchedulerBlind"), ANY)
        for source in ("OfflineTierOpen", "ExporterBlind")
    ),
    ("TierRecovering", ("FeatureRetrievalSlow", "WriteBackFailing", "SchedulerBlind"), ANY),
    (
        "TierRecovering",
        ("FeatureCacheHitRateLow", "JobFailed", "JobFailingRepeatedly"),
        {"tier": "online"},
    ),
    ("FeatureUnavailable", ("FeatureCacheHitRateLow",), OF_VERSION),
]
PAIRS = [(source, target, equal) for source, targets, equal in HELD_BACK for target in targets]
Labels = dict[str, str]


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Yield a client of an Alertmanager with the deployed configuration, which reaches nobody."""
    folder = tmp_path_factory.mktemp("alertmanager")
    deployed = (PROJECT_ROOT / "deploy/alertmanager/alertmanager.yml").read_text()
    config = re.sub(r"url_file: \S+", "url: http://127.0.0.1:1", deployed)
    (folder / "alertmanager.yml").write_text(config)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert ALERTMANAGER is not None
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - found where Debian puts it
            [
                ALERTMANAGER,
                f"--config.file={folder / 'alertmanager.yml'}",
                f"--storage.path={folder / 'data'}",
                "--cluster.listen-address=",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            _wait(client, folder)
            yield client
    finally:
        process.terminate()
        process.wait(30)


def _wait(client: httpx.Client, folder: Path) -> None:
    for _ in range(300):
        try:
            if client.get("/-/ready").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError((folder / "log").read_text())


def _tell(client: httpx.Client, *alerts: Labels, over: bool = False) -> None:
    begun = clock.now() - timedelta(minutes=5)
    until = clock.now() + timedelta(seconds=-1 if over else 600)
    client.post(
        "/api/v2/alerts",
        json=[
            {"labels": labels, "startsAt": begun.isoformat(), "endsAt": until.isoformat()}
            for labels in alerts
        ],
    ).raise_for_status()


def _is_held_back(client: httpx.Client, labels: Labels) -> bool:
    """Tell whether an alert is known, and will not be told."""
    return any(
        alert["labels"] == labels and alert["status"]["state"] == "suppressed"
        for alert in client.get("/api/v2/alerts").json()
    )


@pytest.mark.parametrize(("source", "target", "equal"), PAIRS)
def test_what_follows_is_held_back(
    source: str, target: str, equal: Labels, alertmanager: httpx.Client
) -> None:
    """As long as its cause lasts, and only what is of the same job, feature or tier."""
    cause, consequence = {"alertname": source, **equal}, {"alertname": target, **equal}
    other = {"alertname": target, **dict.fromkeys(equal, "other")}
    if "tier" in equal:  # a label of the cause alone
        consequence, other = {"alertname": target}, {"alertname": target}
    _tell(alertmanager, cause, consequence, other)
    _becomes(alertmanager, consequence, held_back=True)
    if other != consequence and equal:
        assert not _is_held_back(alertmanager, other)
    _tell(alertmanager, cause, over=True)
    _becomes(alertmanager, consequence, held_back=False)
    _tell(alertmanager, consequence, other, over=True)


def _becomes(client: httpx.Client, labels: Labels, *, held_back: bool) -> None:
    for _ in range(200):
        if _is_held_back(client, labels) is held_back:
            return
        time.sleep(0.05)
    message = f"{labels} is {'not' if held_back else 'still'} held back"
    raise AssertionError(message)


def test_a_slow_postgresql_explains_no_low_hit_rate(alertmanager: httpx.Client) -> None:
    """Values that Redis lacks are looked up there; that they are many has another cause."""
    cause, slow = {"alertname": "TierRecovering", "tier": "offline"}, "FeatureRetrievalSlow"
    _tell(alertmanager, cause, {"alertname": slow}, {"alertname": "FeatureCacheHitRateLow"})
    _becomes(alertmanager, {"alertname": slow}, held_back=True)
    assert not _is_held_back(alertmanager, {"alertname": "FeatureCacheHitRateLow"})
