"""What a runbook tells somebody to run, runs: its commands as they stand there, and its SQL."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
import redis
import typer
from typer.testing import CliRunner

from feature_repo.cli import app as feature_repo
from feature_repo.registry.gather import gather_features
from feature_repo.stores.offline_values import append_values
from foundation import clock
from foundation.postgres import Connection
from foundation.settings import PROJECT_ROOT, Settings
from monitoring.cli import app as monitoring
from serving_gateway.cli import app as serving_gateway
from tests.integration.monitoring.runs_on_record import insert_run
from transformations.cli import app as transformations
from transformations.generated_tables import load_tables
from transformations.generator import Shop
from transformations.quality.gate import Check
from transformations.snapshots import creation
from transformations.snapshots.storage import Storage

APPS: dict[str, typer.Typer] = {
    "feature_repo": feature_repo,
    "monitoring": monitoring,
    "serving_gateway": serving_gateway,
    "transformations": transformations,
}
FEATURE, JOB = "user_activity_level", "user_activity_level==1.0.0"
FILLED = {"FEATURE": FEATURE, "JOB": JOB, "VERSION": JOB, "DATE": "2099-01-01"}
# These write into the definitions of the checkout, so only their options are looked at.
DEFINING = {"deprecate", "promote", "retire", "rollback"}
# What these find they say with their exit code, too.
TELLING = {"status", "drift"}
SECOND = timedelta(seconds=1)


def _texts() -> Iterator[str]:
    for path in sorted((PROJECT_ROOT / "docs" / "runbooks").glob("*.md")):
        if path.stem != "README":
            yield path.read_text(encoding="utf-8")


def _commands() -> list[str]:
    """Return the commands of the blocks and of the text."""
    found = {
        line.partition("   #")[0].strip().removeprefix(".venv/bin/python -m ")
        for text in _texts()
        for line in re.findall(r"\.venv/bin/python -m [^`\n]+", text)
    }
    return sorted(found)


def _queries() -> list[str]:
    quoted = re.compile(r"psql \S+ -c (?:'([^']+)'|\"([^\"]+)\")")
    return sorted({single or double for t in _texts() for single, double in quoted.findall(t)})


@pytest.fixture
def incident(
    applied: Settings,
    settings: Settings,
    postgres: Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Let a feature's last run be refused, after one that gave last night's values."""
    assert applied
    snapshots = (tmp_path / "snapshots").as_uri()
    monkeypatch.setenv("FEATURE_STORE_SNAPSHOT_URL", snapshots)
    monkeypatch.chdir(tmp_path)
    now = clock.now()
    load_tables(settings, Shop(users=60, products=40, events=2_000, days=60, seed=3, until=now))
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    [feature] = [each for each in gather_features() if each.feature_name == FEATURE]
    users = [user_id for (user_id,) in postgres.execute("SELECT user_id FROM users").fetchall()]
    at = pa.array([midnight - SECOND] * len(users), pa.timestamp("us", "UTC"))
    columns = {"entity_id": users, "feature_value": ["0.5"] * len(users), "timestamp": at}
    append_values(postgres, feature, pa.table(columns))
    insert_run(postgres, FEATURE, started_at=midnight)
    check = Check("events", "volume", "at most 100 rows", False, "2000 rows", [])
    insert_run(postgres, FEATURE, started_at=now, status="failed", checks=(check.as_record(),))
    kept = settings.model_copy(update={"snapshot_url": snapshots})
    creation.create(
        kept,
        Storage.open(kept),
        [feature],
        now.date(),
        now=now,
        force=False,
        on_progress=lambda _: None,
    )


@pytest.mark.usefixtures("incident")
@pytest.mark.parametrize("command", [line for line in _commands() if line.split()[0] in APPS])
def test_its_commands_run(command: str) -> None:
    """With every option; what there is to tell is told, and nothing breaks."""
    module, *arguments = [FILLED.get(word, word) for word in shlex.split(command)]
    if arguments[0] in DEFINING and "--help" not in arguments:
        group = typer.main.get_command(APPS[module])
        group.commands[arguments[0]].make_context(arguments[0], arguments[1:])  # type: ignore[attr-defined]  # each is a group
        return
    ended = CliRunner().invoke(APPS[module], arguments)
    assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exception
    assert ended.exit_code in ({0, 2} if arguments[0] in TELLING else {0}), ended.output


@pytest.mark.usefixtures("incident")
def test_an_emptied_redis_is_filled(valkey: redis.Redis) -> None:
    """By Feast's command."""
    [command] = [line for line in _commands() if line.startswith("feast.")]
    done = subprocess.run(  # noqa: S603 - a command of ours
        [sys.executable, "-m", *shlex.split(command)],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert valkey.dbsize() == 60


@pytest.mark.parametrize("query", _queries())
def test_its_queries_run(query: str, postgres: Connection) -> None:
    """Their tables and columns exist."""
    postgres.execute(query.encode())
