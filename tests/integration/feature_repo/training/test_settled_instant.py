"""Nothing that is written later bears an earlier time, whoever asks and whoever writes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy import make_url

from feature_repo.training.settled_instant import settled_instant
from foundation.endpoints import resolve_endpoints
from foundation.errors import ConfigurationError
from foundation.postgres import Connection, connect
from foundation.settings import Settings


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


def test_an_open_transaction_holds_the_instant_back(
    settings: Settings, postgres: Connection
) -> None:
    """For it may write still; who it is and how long it has been is told."""
    started = _now(postgres)
    settled = settled_instant(settings)
    assert settled.instant < started
    assert settled.held_by == f"role postgres, process {postgres.info.backend_pid}"
    assert settled.lag.total_seconds() > 0
    postgres.commit()
    free = settled_instant(settings)
    assert free.instant > started
    assert (free.held_by, free.lag.total_seconds()) == ("", 0)


def test_who_may_only_read_holds_nothing_back(settings: Settings, reader: Settings) -> None:
    """However long somebody leaves it open."""
    with connect(reader) as idle:
        started = _now(idle)
        assert settled_instant(settings).instant > started


def test_a_transaction_that_is_not_told_of_is_waited_for(
    settings: Settings, reader: Settings, postgres: Connection
) -> None:
    """What it writes while it is waited for counts, and is there; else nothing is said at all."""
    with connect(settings) as writer, ThreadPoolExecutor(1) as pool:
        started = _now(writer)
        with pytest.raises(ConfigurationError, match="role postgres") as raised:
            settled_instant(reader, patience_seconds=0)
        assert "GRANT pg_read_all_stats" in raised.value.hint
        waiting = pool.submit(settled_instant, reader)
        writer.execute(
            "INSERT INTO products VALUES ('p', 'tea', NULL, 'c', 1, now(), now())", prepare=False
        )
        writer.commit()
        assert waiting.result().instant > started
    assert postgres.execute("SELECT count(*) FROM products").fetchone() == (1,)


def test_the_privilege_makes_waiting_needless(
    settings: Settings, reader: Settings, postgres: Connection
) -> None:
    """An ordinary role with it steps back before what is open, as everybody else does."""
    postgres.execute("GRANT pg_read_all_stats TO analyst")
    postgres.commit()
    with psycopg.connect(resolve_endpoints(settings).postgres_url.get_secret_value()) as writer:
        started = _now(writer)
        settled = settled_instant(reader, patience_seconds=0)
    assert settled.instant < started
