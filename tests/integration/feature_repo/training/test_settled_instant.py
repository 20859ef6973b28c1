"""Nothing that is written later bears an earlier time, whoever asks and whoever writes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy import make_url

from feature_repo.registry.gather import gather_features
from feature_repo.stores.offline_values import append_values
from feature_repo.training.settled_instant import settled_instant
from foundation.endpoints import resolve_endpoints
from foundation.errors import ConfigurationError
from foundation.postgres import Connection, connect
from foundation.settings import Settings

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
POPULARITY = next(f for f in gather_features() if f.reference == "popularity_score==1.0.0")


@pytest.fixture
def reader(settings: Settings, postgres: Connection) -> Iterator[Settings]:
    """Settings of a role that may read, and is told of nobody's transactions but its own."""
    name = sql.Identifier("analyst")
    postgres.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
    postgres.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(name))
    postgres.commit()
    url = make_url(resolve_endpoints(settings).postgres_url.get_secret_value())
    of_role = url.set(username="analyst").render_as_string(hide_password=False)
    yield settings.model_copy(update={"postgres_url": SecretStr(of_role)})
    postgres.rollback()
    postgres.execute(sql.SQL("DROP OWNED BY {}").format(name))
    postgres.execute(sql.SQL("DROP ROLE {}").format(name))
    postgres.commit()


def _now(connection: Connection) -> datetime:
    """Return when the connection's transaction started; it stays open."""
    row = connection.execute("SELECT now()").fetchone()
    assert row is not None
    started: datetime = row[0]
    return started


def _write(connection: Connection) -> None:
    """Write what training reads; the transaction stays open."""
    connection.execute("INSERT INTO products VALUES ('p', 'tea', NULL, 'c', 1, now(), now())")


def test_what_has_been_written_and_is_not_there_yet_holds_the_instant_back(
    settings: Settings, postgres: Connection
) -> None:
    """Who it is and how long it has been is told."""
    started = _now(postgres)
    _write(postgres)
    settled = settled_instant(settings)
    assert settled.instant < started
    assert settled.held_by == f"role postgres, process {postgres.info.backend_pid}"
    assert settled.lag.total_seconds() > 0
    postgres.commit()
    free = settled_instant(settings)
    assert free.instant > started
    assert (free.held_by, free.lag.total_seconds()) == ("", 0)


def test_who_has_not_written_holds_nothing_back(settings: Settings, postgres: Connection) -> None:
    """However long somebody leaves it open: what is written later bears a later instant."""
    started = _now(postgres)
    settled = settled_instant(settings)
    assert (settled.held_by, settled.instant > started) == ("", True)
    _write(postgres)
    postgres.commit()
    written = postgres.execute("SELECT written_at > %s FROM product_texts", (settled.instant,))
    assert written.fetchall() == [(True,)]


def test_a_job_that_writes_holds_it_back(settings: Settings, postgres: Connection) -> None:
    """Whatever month its values are of."""
    value = pa.table({"entity_id": ["p"], "feature_value": ["0.5"], "timestamp": [NOON]})
    append_values(postgres, POPULARITY, value)
    assert settled_instant(settings).held_by


def test_a_transaction_that_is_not_told_of_is_waited_for(
    settings: Settings, reader: Settings, postgres: Connection
) -> None:
    """What it has written counts then, and is there; or nothing is said at all."""
    with connect(settings) as writer, ThreadPoolExecutor(1) as pool:
        started = _now(writer)
        _write(writer)
        with pytest.raises(ConfigurationError, match="role postgres") as raised:
            settled_instant(reader, patience_seconds=0)
        assert "GRANT pg_read_all_stats" in raised.value.hint
        waiting = pool.submit(settled_instant, reader)
        writer.commit()
        assert waiting.result().instant > started
    assert postgres.execute("SELECT count(*) FROM product_texts").fetchone() == (1,)


def test_the_privilege_makes_waiting_needless(
    settings: Settings, reader: Settings, postgres: Connection
) -> None:
    """An ordinary role with it steps back before what is open, as everybody else does."""
    postgres.execute("GRANT pg_read_all_stats TO analyst")
    postgres.commit()
    with connect(settings) as writer:
        started = _now(writer)
        _write(writer)
        assert settled_instant(reader, patience_seconds=0).instant < started
        writer.rollback()
