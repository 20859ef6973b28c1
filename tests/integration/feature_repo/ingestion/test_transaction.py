"""A load happens whole or not at all."""

from pathlib import Path

import psycopg
import pytest

from feature_repo.ingestion.loading import load_files
from foundation.errors import ContractViolation
from foundation.postgres import Connection
from foundation.settings import Settings
from tests.integration.feature_repo.ingestion.files import (
    GOOD_EVENT,
    GOOD_PRODUCT,
    NOW,
    YEAR,
    load,
    stored_rows,
    write_events,
    write_products,
)

BAD_EVENT = ("e2", "u1", "p1", "glance", YEAR)


def test_wrong_columns_stop_before_anything_is_written(
    settings: Settings, postgres: Connection, tmp_path: Path
) -> None:
    """A wrong events file keeps the right products file out as well."""
    events = tmp_path / "events.csv"
    events.write_text("event_id,user_id,product_id,event_type,when\n")
    with pytest.raises(ContractViolation, match="missing event_timestamp; unexpected when"):
        load(settings, tmp_path, products=write_products(tmp_path, GOOD_PRODUCT), events=events)
    assert stored_rows(postgres) == [[], [], []]


@pytest.mark.parametrize("doing", ["Reading", "Checking", "Storing"])
def test_a_load_that_dies_leaves_nothing(
    settings: Settings, postgres: Connection, tmp_path: Path, doing: str
) -> None:
    """Neither rows, nor a rejects file, nor a draft of one remain."""

    def die(description: str, _share: float) -> None:
        if description == f"{doing} events.csv":
            raise KeyboardInterrupt

    products = write_products(tmp_path, GOOD_PRODUCT)
    events = write_events(tmp_path, GOOD_EVENT, BAD_EVENT)
    with pytest.raises(KeyboardInterrupt):
        load_files(
            settings,
            products=products,
            events=events,
            rejects=tmp_path / "rejects.csv",
            now=NOW,
            progress=die,
        )
    assert stored_rows(postgres) == [[], [], []]
    assert sorted(tmp_path.iterdir()) == [events, products]


def test_a_file_that_breaks_off_leaves_nothing(
    settings: Settings, postgres: Connection, tmp_path: Path
) -> None:
    """Rows before the place where it can't be read are not kept."""
    events = write_events(tmp_path, *((f"e{n}", "u1", "p1", "view", YEAR) for n in range(300_000)))
    with events.open("ab") as file:
        file.write(b"e,\xff,p1,view,2024-01-01\n")
    with pytest.raises(ContractViolation, match="invalid UTF8"):
        load(settings, tmp_path, products=write_products(tmp_path, GOOD_PRODUCT), events=events)
    assert stored_rows(postgres) == [[], [], []]


def test_writers_wait_while_rows_are_merged(
    settings: Settings, postgres: Connection, tmp_path: Path
) -> None:
    """Nobody can add an event between the check for it and its insertion."""
    waited = []

    def write_meanwhile(description: str, _share: float) -> None:
        if description == "Storing events.csv":
            postgres.execute("SET LOCAL lock_timeout = '10ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                postgres.execute("INSERT INTO events VALUES ('e1', 'u', 'p1', 'view', now())")
            postgres.rollback()
            waited.append(description)

    load_files(
        settings,
        products=write_products(tmp_path, GOOD_PRODUCT),
        events=write_events(tmp_path, GOOD_EVENT),
        rejects=tmp_path / "rejects.csv",
        now=NOW,
        progress=write_meanwhile,
    )
    assert waited == ["Storing events.csv"]
