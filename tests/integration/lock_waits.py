"""Tests in which one waits for another's lock."""

from concurrent.futures import Future
from typing import Any

from foundation.postgres import connect
from foundation.settings import Settings


def wait_until_it_waits(settings: Settings, future: Future[Any]) -> None:
    """Return once something waits for a lock in PostgreSQL, or has not waited for any."""
    with connect(settings, autocommit=True) as connection:
        while not future.done():
            if connection.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
                return
