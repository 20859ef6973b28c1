"""A month that is archived keeps nobody from the rest of the history."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import stamina
from pyarrow import fs

from feature_repo.history.slices import SliceReader
from feature_repo.registry.gather import gather_features
from feature_repo.stores.partitions import month_of
from foundation.postgres import connect
from foundation.settings import Settings
from tests.integration.lock_waits import wait_until_it_waits
from tests.integration.transformations.written import write_history
from transformations.archives.storage import Archive
from transformations.retention import MonthState, archive_months

POPULARITY = next(f for f in gather_features() if f.reference == "popularity_score==1.0.0")
AT = datetime(2020, 2, 29, 23, tzinfo=UTC)
NOW = datetime(2026, 6, 1, 5, tzinfo=UTC)
IN_USE = MonthState(month_of(AT).name, dropped=False, reason="the history was in use")


def test_nobody_queues_for_long_behind_a_month_in_use(settings: Settings, tmp_path: Path) -> None:
    """While one reads for long, others begin to."""
    write_history(settings, POPULARITY, AT, a=0.1)
    archive = Archive(fs.LocalFileSystem(), str(tmp_path))
    with (
        ThreadPoolExecutor(1) as pool,
        SliceReader.open(settings),
        stamina.set_testing(testing=True, attempts=1),
    ):
        moving = pool.submit(archive_months, settings, archive, now=NOW, dry_run=False)
        wait_until_it_waits(settings, moving)
        with connect(settings) as connection:
            connection.execute("SET LOCAL lock_timeout = '3s'")
            connection.execute("SELECT * FROM feature_values")
        assert IN_USE in moving.result()
