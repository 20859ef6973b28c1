"""What can't be read is read again soon."""

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from feature_repo.registry.catalog import Catalog
from foundation.errors import StoreUnavailable
from monitoring.exporter.picture import Picture
from monitoring.exporter.watch import Reading, Watch

OFTEN, SELDOM = timedelta(milliseconds=10), timedelta(days=1)


def test_a_reading_that_failed_is_not_waited_for() -> None:
    """One blip of what is read seldom is over with the next reading of what is read often."""
    attempts = 0
    well = threading.Event()

    def often(_picture: Picture, _now: datetime) -> Mapping[str, Any]:
        return {"catalog": Catalog(features=[], services={})}

    def seldom(_picture: Picture, _now: datetime) -> Mapping[str, Any]:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise StoreUnavailable("a blip")
        well.set()
        return {}

    watch = Watch(Reading("often", OFTEN, often), Reading("seldom", SELDOM, seldom))
    # As after a first reading of all: without a catalog everything is read often.
    watch.read_all()
    watch.start()
    assert well.wait(60)
    watch.stop()
    assert attempts == 3
