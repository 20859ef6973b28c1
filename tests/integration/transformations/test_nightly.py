"""What is due after midnight is done, whatever becomes of the rest."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from feature_repo.registry.gather import gather_features
from foundation import clock
from foundation.errors import StoreUnavailable
from foundation.postgres import advisory_lock, connect
from foundation.settings import Settings
from tests.integration.transformations.written import write_history
from transformations.nightly import keep_snapshots
from transformations.snapshots import creation
from transformations.snapshots.storage import Storage

POPULARITY = next(f for f in gather_features() if f.reference == "popularity_score==1.0.0")


@pytest.fixture
def storing(settings: Settings, applied: Settings, tmp_path: Path) -> Settings:
    """Return settings of stores with a month to archive, and a snapshot that is too old."""
    assert applied
    storing = settings.model_copy(update={"snapshot_url": tmp_path.as_uri()})
    now = clock.now()
    _make_snapshot(storing, (now - timedelta(days=1_000)).date())
    write_history(storing, POPULARITY, now - timedelta(days=250), a=0.2)
    return storing


@pytest.fixture
def busy(storing: Settings) -> Iterator[Settings]:
    """Yield settings of stores where another process makes the snapshot and archives."""
    today = clock.now().date()
    with (
        connect(storing, autocommit=True) as connection,
        advisory_lock(connection, f"snapshot:{today}") as snapshot_is_held,
        advisory_lock(connection, "archive") as archive_is_held,
    ):
        assert (snapshot_is_held, archive_is_held) == (True, True)
        yield storing


def _make_snapshot(settings: Settings, day: date) -> None:
    creation.create(
        settings,
        Storage.open(settings),
        [POPULARITY],
        day,
        now=clock.now(),
        force=False,
        on_progress=lambda _: None,
    )


def _history(settings: Settings) -> int:
    with connect(settings) as connection:
        row = connection.execute("SELECT count(*) FROM feature_values").fetchone()
    return int(row[0]) if row else 0


def _days(settings: Settings) -> list[date]:
    return Storage.open(settings).days()


def test_what_another_process_is_at_is_left_to_it(busy: Settings) -> None:
    """It is no failure, and the rest is done here."""
    keep_snapshots(busy)
    assert _days(busy) == []
    assert _history(busy) == 1


def test_nights_that_were_missed_are_made_up_for(storing: Settings) -> None:
    """Since the snapshot before them, if that is not too long ago."""
    storage, now = Storage.open(storing), clock.now()
    missed = [(now - timedelta(days=ago)).date() for ago in (3, 2, 1, 0)]
    before = missed[0] - timedelta(days=1)
    _make_snapshot(storing, before)
    keep_snapshots(storing)
    assert storage.days() == [before, *missed]


def test_a_step_that_fails_stops_no_other(storing: Settings, tmp_path: Path) -> None:
    """Its error comes when everything else is done, so that the night is tried again."""
    today = clock.now().date()
    (tmp_path / f"date={today}").touch()
    with pytest.raises(StoreUnavailable, match=f"date={today}"):
        keep_snapshots(storing)
    assert _days(storing) == []
    assert _history(storing) == 0
