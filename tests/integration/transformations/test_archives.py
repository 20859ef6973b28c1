"""A dropped month is in the archive, whole; nobody who reads or writes meanwhile loses anything."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec
import pyarrow.parquet as pq
import pytest
import stamina
from pyarrow import fs

from feature_repo.history.slices import SliceReader
from feature_repo.registry.gather import gather_features
from feature_repo.stores.archived_parts import archived_parts, record
from feature_repo.stores.partitions import keep_months, months
from foundation.errors import StoreUnavailable
from foundation.postgres import connect
from foundation.settings import Settings
from tests.integration.lock_waits import wait_until_it_waits
from tests.integration.transformations import archiving_process
from tests.integration.transformations.written import write_history
from transformations.archives import verification
from transformations.archives.manifest import part_folder
from transformations.archives.storage import Archive
from transformations.retention import MonthState, archive_months
from transformations.value_files import value_path

FEATURES = {feature.reference: feature for feature in gather_features()}
POPULARITY = FEATURES["popularity_score==1.0.0"]
AFFINITY = FEATURES["user_category_affinity==1.0.0"]
FACTORS = FEATURES["user_factors==1.0.0"]
# A month so long ago that no other test has one like it.
MONTH = "feature_values_2020_02"
AT = datetime(2020, 2, 29, 23, tzinfo=UTC)
NOW = datetime(2026, 6, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def folder(tmp_path: Path) -> Archive:
    """Return an archive in a folder."""
    return Archive(fs.LocalFileSystem(), str(tmp_path))


@pytest.fixture(params=["folder", "memory"])
def archive(request: pytest.FixtureRequest, folder: Archive) -> Iterator[Archive]:
    """Yield one in a folder, and one in none: nothing may depend on local paths."""
    if request.param == "folder":
        yield folder
    else:
        memory = fsspec.filesystem("memory")
        yield Archive(fs.PyFileSystem(fs.FSSpecHandler(memory)), "/snapshots")
        memory.rm("/", recursive=True)


@pytest.fixture
def stored(settings: Settings) -> Settings:
    """Settings of stores with values of every kind in an old month, and one of a young month."""
    write_history(settings, POPULARITY, AT - HOUR, a=0.1, b=0.2)
    write_history(settings, POPULARITY, AT, a=0.3, b=0.4)
    write_history(settings, POPULARITY, AT, a=0.35)  # a correction
    write_history(settings, AFFINITY, AT, u={"é": 0.5, "b": 1.0}, v={})
    write_history(settings, FACTORS, AT, u=[0.5, -0.25] * 32)
    write_history(settings, POPULARITY, NOW, a=0.9)
    return settings


def _move(
    settings: Settings,
    archive: Archive,
    *,
    dry_run: bool = False,
    on_progress: Callable[[str], None] = lambda _: None,
) -> list[MonthState]:
    """Archive what is old, and return what becomes of the month of these tests."""
    states = archive_months(settings, archive, now=NOW, dry_run=dry_run, on_progress=on_progress)
    return [state for state in states if state.name == MONTH]


def _rows(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with connect(settings) as connection:
        return connection.execute(query.encode()).fetchall()


def _files(settings: Settings, archive: Archive, feature_name: str) -> list[list[dict[str, Any]]]:
    """Return the rows of each part's file of a feature."""
    with connect(settings) as connection:
        parts = archived_parts(connection)
    path = value_path(feature_name, "1.0.0")
    return [
        pq.read_table(
            archive.path(part_folder(part.month, part.name), path),
            filesystem=archive.filesystem,
            partitioning=None,
        ).to_pylist()
        for part in parts
        if f"{feature_name}==1.0.0" in part.features
    ]


HISTORY = f"""
SELECT entity_id, feature_name, feature_value::text, version, "timestamp", created_at,
       NULL::timestamptz AS replaced_at
FROM feature_values WHERE "timestamp" < '{NOW}'
UNION ALL
SELECT entity_id, feature_name, feature_value::text, version, "timestamp", created_at, replaced_at
FROM replaced_values ORDER BY feature_name, entity_id, "timestamp", created_at
"""  # noqa: S608 - our own SQL


def test_a_month_is_archived_whole(stored: Settings, archive: Archive) -> None:
    """Every column of every row, replaced ones too, of whatever type; then PostgreSQL drops it."""
    history = _rows(stored, HISTORY)
    assert [row[-1] is None for row in history].count(False) == 1
    assert _move(stored, archive) == [MonthState(MONTH, dropped=True, reason="", row_count=8)]
    found = [
        tuple(row.values())
        for feature in (POPULARITY, AFFINITY, FACTORS)
        for row in _files(stored, archive, feature.feature_name)[0]
    ]
    assert sorted(found, key=repr) == sorted(history, key=repr)
    assert _rows(stored, "SELECT feature_value FROM feature_values") == [(0.9,)]
    assert _rows(stored, "SELECT count(*) FROM replaced_values") == [(0,)]
    assert _rows(stored, "SELECT count(*) FROM feature_latest") == [(5,)]
    with connect(stored) as connection:
        (part,) = archived_parts(connection)
        assert MONTH not in [month.name for month in months(connection)]
    assert part.features == {POPULARITY.reference, AFFINITY.reference, FACTORS.reference}
    assert verification.verify(archive, part) == []
    assert _move(stored, archive) == []


def test_what_nobody_knows_any_more_is_archived_too(settings: Settings, archive: Archive) -> None:
    """Values of versions that are not defined, of any JSON; nothing is rounded."""
    other = POPULARITY.model_copy(update={"feature_name": "it's_gone"})
    write_history(settings, other, AT, a="é\n'", b=None, c=[1, {"x": None}])
    with connect(settings) as connection:
        connection.execute(
            "UPDATE feature_values SET feature_value = '0.1234567890123456789012'"
            " WHERE entity_id = 'c'"
        )
    assert [state.dropped for state in _move(settings, archive)] == [True]
    (rows,) = _files(settings, archive, "it's_gone")
    assert {row["entity_id"]: row["feature_value"] for row in rows} == {
        "a": '"é\\n\'"',
        "b": None,
        "c": "0.1234567890123456789012",
    }


def test_a_look_changes_nothing(stored: Settings, archive: Archive) -> None:
    """A dry run tells which months would go."""
    history = _rows(stored, HISTORY)
    assert _move(stored, archive, dry_run=True) == [MonthState(MONTH, dropped=True, reason="")]
    assert _rows(stored, HISTORY) == history
    assert archive.folders("archive") == []


def test_a_month_that_is_written_to_again_has_another_part(
    stored: Settings, archive: Archive
) -> None:
    """The first part stays as it is; without new values there is no new part."""
    _move(stored, archive)
    before = _files(stored, archive, POPULARITY.feature_name)
    write_history(stored, POPULARITY, AT, c=0.5)
    _move(stored, archive)
    first, second = _files(stored, archive, POPULARITY.feature_name)
    assert [first] == before
    assert [row["entity_id"] for row in second] == ["c"]
    with connect(stored) as connection:
        connection.execute("SELECT 1")
        keep_months(connection, [AT])
    assert [state.dropped for state in _move(stored, archive)] == [True]
    with connect(stored) as connection:
        parts = archived_parts(connection)
    assert [len(part.features) for part in parts] == [3, 1]
    assert [problem for part in parts for problem in verification.verify(archive, part)] == []


@pytest.mark.parametrize("stop", range(3))
def test_what_is_cut_off_leaves_the_month(stored: Settings, archive: Archive, stop: int) -> None:
    """Wherever that is; the next attempt does all of it, and removes what was left behind."""
    history, seen = _rows(stored, HISTORY), []

    def interrupt(reference: str) -> None:
        seen.append(reference)
        if len(seen) > stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _move(stored, archive, on_progress=interrupt)
    assert _rows(stored, HISTORY) == history
    assert _rows(stored, "SELECT count(*) FROM archived_parts") == [(0,)]
    assert [state.row_count for state in _move(stored, archive)] == [len(history)]
    assert len(archive.folders("archive", "month=2020-02")) == 1


def test_a_killed_process_leaves_the_month(
    stored: Settings, folder: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what it had written is no archive."""
    monkeypatch.setenv("FEATURE_STORE_SNAPSHOT_URL", tmp_path.as_uri())
    history = _rows(stored, HISTORY)
    command = [sys.executable, "-m", archiving_process.__name__]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL  # noqa: S603 - our own
    assert list(tmp_path.rglob("*.parquet"))
    assert _rows(stored, HISTORY) == history
    with connect(stored, autocommit=True) as connection:  # as soon as the server has noticed
        connection.execute("SELECT pg_advisory_lock(hashtextextended('archive', 0))")
    assert [state.dropped for state in _move(stored, folder)] == [True]
    assert len(folder.folders("archive", "month=2020-02")) == 1


def test_what_can_not_be_read_back_is_not_dropped(
    stored: Settings, folder: Archive, tmp_path: Path
) -> None:
    """A disk that loses a bit of what was just written."""
    history = _rows(stored, HISTORY)

    def damage(_reference: str) -> None:
        for path in tmp_path.rglob("feature_name=popularity_score/**/values.parquet"):
            content = bytearray(path.read_bytes())
            content[len(content) // 4] ^= 1
            path.write_bytes(content)

    with pytest.raises(StoreUnavailable, match=r"popularity_score.*can't be read back"):
        _move(stored, folder, on_progress=damage)
    assert _rows(stored, HISTORY) == history


def test_storage_that_refuses_keeps_the_month(
    stored: Settings, folder: Archive, tmp_path: Path
) -> None:
    """With an error that says where."""
    (tmp_path / "archive").touch()
    history = _rows(stored, HISTORY)
    with pytest.raises(StoreUnavailable, match=str(tmp_path)):
        _move(stored, folder)
    assert _rows(stored, HISTORY) == history


def test_who_writes_meanwhile_waits_and_loses_nothing(stored: Settings, folder: Archive) -> None:
    """What comes while a month is archived is written to it afterwards."""
    with ThreadPoolExecutor(1) as pool:
        writing: list[Future[None]] = []

        def write(_reference: str) -> None:
            if not writing:
                writing.append(pool.submit(write_history, stored, POPULARITY, AT, a=0.99))
                wait_until_it_waits(stored, writing[0])

        assert [state.dropped for state in _move(stored, folder, on_progress=write)] == [True]
        writing[0].result()
    assert (AT, 0.99) in _rows(stored, 'SELECT "timestamp", feature_value FROM feature_values')
    (rows,) = _files(stored, folder, POPULARITY.feature_name)
    assert 0.99 not in [float(row["feature_value"]) for row in rows]


def test_a_month_in_use_is_left_for_later(stored: Settings, folder: Archive) -> None:
    """Jobs are not made to wait for long, and who reads goes on reading."""
    with SliceReader.open(stored) as reader, stamina.set_testing(testing=True, attempts=1):
        (state,) = _move(stored, folder)
        assert MONTH in [month.name for month in reader.months()]
        assert reader.query("SELECT count(*) FROM feature_values")[0][0].as_py() == 8
    assert (state.dropped, state.reason) == (False, "the history was in use")
    assert [state.dropped for state in _move(stored, folder)] == [True]


def test_a_reader_that_ends_is_waited_for(stored: Settings, folder: Archive) -> None:
    """A month that is written down is not written again because somebody still reads."""
    written: list[str] = []
    with contextlib.ExitStack() as reading:
        reading.enter_context(SliceReader.open(stored))
        stamina.instrumentation.set_on_retry_hooks([lambda _: reading.close()])
        with stamina.set_testing(testing=True, attempts=2):
            (state,) = _move(stored, folder, on_progress=written.append)
    stamina.instrumentation.set_on_retry_hooks(None)
    assert (state.dropped, len(written)) == (True, 3)


def test_who_begins_to_read_meanwhile_sees_the_month_once(
    stored: Settings, folder: Archive
) -> None:
    """In the archive, if PostgreSQL drops it while a reader waits to begin."""
    _move(stored, folder)
    with connect(stored) as connection:
        (part,) = archived_parts(connection)
        connection.execute("DELETE FROM archived_parts")
    write_history(stored, POPULARITY, AT, a=0.1)

    def read() -> tuple[bool, int]:
        with SliceReader.open(stored) as reader:
            holds = MONTH in [month.name for month in reader.months()]
            return holds, len(reader.archived_parts())

    with ThreadPoolExecutor(1) as pool:
        with connect(stored) as connection:  # what dropping comes down to
            connection.execute(f"ALTER TABLE feature_values DETACH PARTITION {MONTH}")
            connection.execute(f"DROP TABLE {MONTH}")
            reading = pool.submit(read)
            wait_until_it_waits(stored, reading)
            record(connection, part)
        assert reading.result() == (False, 1)
