"""A snapshot is what a point-in-time join finds; it is whole or not there; damage is found."""

import errno
import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import fsspec
import pandas as pd
import pytest
from feast import FeatureStore
from pyarrow import fs
from typer.testing import CliRunner

from feature_repo.registry.catalog import REPO_PATH
from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.archived_parts import archived_parts
from foundation import clock
from foundation.errors import ConfigurationError, ContractViolation, StoreUnavailable
from foundation.postgres import connect
from foundation.settings import Settings
from tests.integration.transformations.written import write_history
from transformations import retention
from transformations.archives.storage import Archive
from transformations.cli import app
from transformations.nightly import keep_snapshots
from transformations.snapshots import creation, reading, verification
from transformations.snapshots.manifest import Manifest
from transformations.snapshots.storage import Storage

DAY = date(2026, 6, 1)
MIDNIGHT = datetime(2026, 6, 1, tzinfo=UTC)
NOW = MIDNIGHT + timedelta(hours=5)
HOUR = timedelta(hours=1)
FEATURES = {
    reference: feature
    for feature in gather_features()
    if (reference := feature.reference)
    in {
        "popularity_score==1.0.0",  # a float
        "user_category_affinity==1.0.0",  # a map
        "user_factors==1.0.0",  # a vector
        "user_product_affinity==1.0.0",  # of pairs
    }
}
POPULARITY = FEATURES["popularity_score==1.0.0"]
AFFINITY = FEATURES["user_product_affinity==1.0.0"]


@pytest.fixture(params=["local", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    """Yield a folder, and what is none: nothing may depend on local paths."""
    if request.param == "local":
        yield Storage(fs.LocalFileSystem(), str(tmp_path))
    else:
        memory = fsspec.filesystem("memory")
        yield Storage(fs.PyFileSystem(fs.FSSpecHandler(memory)), "/snapshots")
        memory.rm("/", recursive=True)


@pytest.fixture
def stored(settings: Settings) -> Settings:
    """Settings of stores with values before, at and after a midnight."""
    affinity = FEATURES["user_category_affinity==1.0.0"]
    factors = FEATURES["user_factors==1.0.0"]
    write_history(settings, POPULARITY, MIDNIGHT - 10 * HOUR, a=0.1, b=0.1)  # too old by then
    write_history(settings, POPULARITY, MIDNIGHT - HOUR, a=0.2, b=0.2, c=0.2)
    write_history(settings, POPULARITY, MIDNIGHT, b=0.3)
    write_history(settings, POPULARITY, MIDNIGHT + HOUR, a=0.4, d=0.4)
    write_history(settings, affinity, MIDNIGHT - HOUR, u={"é": 0.5, "b": 1.0}, v={})
    write_history(settings, factors, MIDNIGHT - HOUR, u=[0.5, -0.25] * 32)
    write_history(settings, AFFINITY, MIDNIGHT - HOUR, **{"u:p": 0.5, "u%3A:q": -0.5})
    return settings


def _create(settings: Settings, storage: Storage, *, force: bool = False) -> Manifest:
    return creation.create(
        settings,
        storage,
        list(FEATURES.values()),
        DAY,
        now=NOW,
        force=force,
        on_progress=lambda _: None,
    )


def _values(storage: Storage, feature: FeatureVersion) -> dict[str, Any]:
    rows = reading.read(storage, feature, [DAY])
    return dict(zip(rows["entity_id"].to_pylist(), rows["feature_value"].to_pylist(), strict=True))


def test_a_snapshot_holds_what_was_known_at_midnight(stored: Settings, storage: Storage) -> None:
    """Values of every type and entity; later and forgotten ones are not in it."""
    manifest = _create(stored, storage)
    assert storage.days() == [DAY]
    assert storage.manifest(DAY) == manifest
    assert manifest.row_count == 3 + 2 + 1 + 2
    assert _values(storage, POPULARITY) == {"a": 0.2, "b": 0.3, "c": 0.2}
    assert _values(storage, AFFINITY) == {"u:p": 0.5, "u%3A:q": -0.5}
    assert _values(storage, FEATURES["user_factors==1.0.0"]) == {"u": [0.5, -0.25] * 32}
    assert _values(storage, FEATURES["user_category_affinity==1.0.0"]) == {
        "u": [("b", 1.0), ("é", 0.5)],
        "v": [],
    }
    rows = reading.read(storage, POPULARITY, [DAY])
    assert rows["version"].unique().to_pylist() == ["1.0.0"]
    assert rows["feature_name"].unique().to_pylist() == ["popularity_score"]
    assert set(rows["timestamp"].to_pylist()) == {MIDNIGHT - HOUR, MIDNIGHT}
    assert verification.verify(storage, DAY) == []


def test_a_snapshot_equals_feasts_point_in_time_join(
    stored: Settings, applied: Settings, storage: Storage
) -> None:
    """For every entity that ever had a value."""
    assert applied
    _create(stored, storage)
    entities = ["a", "b", "c", "d"]
    joined = (
        FeatureStore(repo_path=str(REPO_PATH))
        .get_historical_features(
            entity_df=pd.DataFrame({"product_id": entities, "event_timestamp": [MIDNIGHT] * 4}),
            features=[f"{POPULARITY.view_name}:popularity_score"],
        )
        .to_df()
    )
    known = joined[joined["popularity_score"].notna()]
    expected = dict(zip(known["product_id"], known["popularity_score"], strict=True))
    assert _values(storage, POPULARITY) == expected


def test_a_snapshot_stays_as_it_is(stored: Settings, storage: Storage) -> None:
    """Later corrections don't change it, unless it is made anew on purpose."""
    first = _create(stored, storage)
    write_history(stored, POPULARITY, MIDNIGHT, b=0.9)
    assert _create(stored, storage) == first
    assert _values(storage, POPULARITY)["b"] == 0.3
    _create(stored, storage, force=True)
    assert _values(storage, POPULARITY)["b"] == 0.9
    assert verification.verify(storage, DAY) == []


def test_an_interrupted_snapshot_is_not_there(stored: Settings, storage: Storage) -> None:
    """Wherever it was cut off; the next attempt makes what an undisturbed one makes."""
    undisturbed = _create(stored, storage)
    for stop in range(len(FEATURES)):
        storage.remove(DAY)
        seen: list[FeatureVersion] = []

        def interrupt(
            feature: FeatureVersion, seen: list[FeatureVersion] = seen, stop: int = stop
        ) -> None:
            seen.append(feature)
            if len(seen) > stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            creation.create(
                stored,
                storage,
                list(FEATURES.values()),
                DAY,
                now=NOW,
                force=False,
                on_progress=interrupt,
            )
        assert storage.days() == []
        assert verification.verify(storage, DAY) == ["2026-06-01: there is no snapshot"]
        assert _create(stored, storage) == undisturbed


class _Full(fs.FSSpecHandler):  # type: ignore[misc] # Arrow has no types
    """A storage that has no room for another file."""

    def open_output_stream(self, path: str, metadata: object) -> NoReturn:
        """Refuse."""
        raise OSError(errno.ENOSPC, f"no space left for {path}, {metadata}")


def test_a_storage_that_refuses_is_an_outage(stored: Settings) -> None:
    """With an error that says where; no snapshot is there."""
    memory = fsspec.filesystem("memory")
    full = Storage(fs.PyFileSystem(_Full(memory)), "/snapshots")
    with pytest.raises(StoreUnavailable, match=r"/snapshots.*no space left"):
        _create(stored, full)
    assert full.days() == []


@pytest.mark.parametrize("damage", ["change", "remove", "add", "shorten", "manifest"])
def test_damage_is_found(stored: Settings, tmp_path: Path, damage: str) -> None:
    """A flipped byte, a missing, shorter or foreign file, a broken manifest."""
    storage = Storage(fs.LocalFileSystem(), str(tmp_path))
    _create(stored, storage)
    folder = tmp_path / f"date={DAY}"
    file = next(folder.rglob("values.parquet"))
    content = bytearray(file.read_bytes())
    match damage:
        case "change":
            content[random.randrange(len(content))] ^= 1  # noqa: S311 - any byte
            file.write_bytes(content)
        case "remove":
            file.unlink()
        case "shorten":
            file.write_bytes(content[:-1])
        case "add":
            file.with_name("other.parquet").write_bytes(content)
        case "manifest":
            (folder / "manifest.json").write_text("{}")
    [problem] = verification.verify(storage, DAY)
    assert (file.parent.parent.name in problem) or damage == "manifest"


def test_what_is_not_there_can_not_be_read(stored: Settings, storage: Storage) -> None:
    """Neither another day, nor a version that was not in it, nor the future."""
    _create(stored, storage)
    with pytest.raises(ContractViolation, match=r"there is no snapshot of 2026-06-02"):
        reading.read(storage, POPULARITY, [DAY, DAY + timedelta(days=1)])
    other = POPULARITY.model_copy(update={"version": "1.0.1"})
    with pytest.raises(ContractViolation, match=r"does not hold popularity_score==1\.0\.1"):
        reading.read(storage, other, [DAY])
    with pytest.raises(ConfigurationError, match="before the day has started"):
        creation.create(
            stored,
            storage,
            [],
            DAY + timedelta(days=1),
            now=NOW,
            force=False,
            on_progress=lambda _: None,
        )


def test_old_snapshots_expire(stored: Settings, storage: Storage) -> None:
    """Only those that are older than they must be kept."""
    _create(stored, storage)

    def expired(days_later: int) -> list[date]:
        today = DAY + timedelta(days=days_later)
        return retention.expired_snapshots(storage, today=today, retention_days=365)

    assert (expired(365), expired(366)) == ([], [DAY])


def test_days_of_dropped_months_are_made_as_before(stored: Settings, tmp_path: Path) -> None:
    """To the byte, of every type; with what was written to such a month since."""
    archiving = stored.model_copy(update={"snapshot_url": tmp_path.as_uri()})
    storage, archive = Storage.open(archiving), Archive.open(archiving)

    def drop() -> None:
        later = NOW + timedelta(days=400)
        retention.archive_months(archiving, archive, now=later, dry_run=False)

    before = _create(archiving, storage)
    drop()
    assert _create(archiving, storage, force=True) == before
    write_history(archiving, POPULARITY, MIDNIGHT - HOUR, a=0.21, e=0.5)
    expected = _values(storage, POPULARITY) | {"a": 0.21, "e": 0.5}
    for _ in range(2):
        made = _create(archiving, storage, force=True)
        assert _values(storage, POPULARITY) == expected
        drop()
    for path in tmp_path.rglob("archive/**/*.parquet"):
        path.unlink()
    with pytest.raises(ContractViolation, match="archive of 2026-05 is damaged"):
        _create(archiving, storage, force=True)
    assert storage.manifest(DAY) == made
    assert verification.verify(storage, DAY) == []


def test_after_midnight_everything_is_put_away(
    settings: Settings, applied: Settings, tmp_path: Path
) -> None:
    """Today's snapshot is made, one that is too old goes, and an old month goes to the archive."""
    assert applied
    storing = settings.model_copy(
        update={"snapshot_url": tmp_path.as_uri(), "archive_retention_days": 365}
    )
    storage, today = Storage.open(storing), clock.now().date()
    old, older = (clock.now() - timedelta(days=days) for days in (250, 1_000))
    creation.create(
        settings,
        storage,
        [POPULARITY],
        older.date(),
        now=NOW,
        force=False,
        on_progress=lambda _: None,
    )
    for at in (old, older):
        write_history(settings, POPULARITY, at, a=0.2)
    keep_snapshots(storing)
    assert storage.days() == [today]
    assert verification.verify(storage, today) == []
    with connect(settings) as connection:
        assert connection.execute("SELECT count(*) FROM feature_values").fetchone() == (0,)
        parts = archived_parts(connection)
    assert [part.removed_at is None for part in parts] == [False, True]
    assert len(list(tmp_path.rglob("archive/**/values.parquet"))) == 1


def test_the_commands(
    stored: Settings, applied: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Create, list, verify, prune; exit codes tell."""
    assert stored
    assert applied
    monkeypatch.setenv("FEATURE_STORE_SNAPSHOT_URL", tmp_path.as_uri())

    def snapshot(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["snapshot", *arguments])
        return result.exit_code, result.output

    code, output = snapshot("create", "--from", "2026-05-31", "--to", "2026-06-01")
    assert (code, "2026-06-01" in output) == (0, True)
    manifests = json.loads(snapshot("list", "--json")[1])
    assert [manifest["as_of"][:10] for manifest in manifests] == ["2026-05-31", "2026-06-01"]
    assert snapshot("verify") == (0, "2 snapshots, 0 problems\n")
    next((tmp_path / "date=2026-06-01").rglob("values.parquet")).unlink()
    assert snapshot("verify")[0] == 2
    assert snapshot("verify", "--day", "2026-05-31")[0] == 0
    assert "0 snapshots older than 365 days" in snapshot("prune", "--dry-run")[1]
    assert snapshot("create", "--day", "x")[0] == 1
