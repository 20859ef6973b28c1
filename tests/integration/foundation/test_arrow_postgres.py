"""Connections whose results are Arrow, when something is wrong."""

import socket

import pytest
from pydantic import SecretStr

from foundation.arrow_postgres import (
    connect_again,
    connect_arrow,
    record_batches,
    translated_errors,
)
from foundation.errors import ContractViolation, StoreUnavailable
from foundation.postgres import connect
from foundation.settings import Settings


def test_a_silent_server_is_given_up(servers: Settings) -> None:
    """After the time that connecting may take."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = SecretStr(f"postgresql://127.0.0.1:{silent.getsockname()[1]}/postgres")
        changes = {"postgres_url": url, "postgres_connect_timeout_seconds": 1}
        settings = servers.model_copy(update=changes)
        with pytest.raises(StoreUnavailable, match="timeout"), connect_arrow(settings):
            pass


@pytest.mark.parametrize(
    "query", ["SELECT 1 / 0", "SELECT 'x'::int", "SELEC", "SELECT nothing FROM nowhere"]
)
def test_what_postgresql_refuses_is_no_outage(servers: Settings, query: str) -> None:
    """Whatever is wrong with what it was asked."""
    with (
        connect_arrow(servers) as connection,
        connection.cursor() as cursor,
        pytest.raises(ContractViolation, match="PostgreSQL refused a query"),
        translated_errors("a query"),
    ):
        cursor.execute(f"CREATE TEMP TABLE found AS {query}")


def test_a_connection_that_broke_is_an_outage(servers: Settings) -> None:
    """Another one of the same kind does not break with it."""
    with (
        connect_arrow(servers) as connection,
        connect_again(connection) as another,
        connection.cursor() as cursor,
        another.cursor() as other_cursor,
    ):
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetch_arrow_table()[0][0].as_py()
        with connect(servers) as killer:
            killer.execute("SELECT pg_terminate_backend(%s, 60000)", (pid,))
        with pytest.raises(StoreUnavailable, match="terminating"), translated_errors("a query"):
            cursor.execute("SELECT 1")
        other_cursor.execute("SELECT 1 AS one")
        assert other_cursor.fetch_arrow_table().to_pydict() == {"one": [1]}


def test_a_value_amid_batches_that_postgresql_refuses_is_no_outage(servers: Settings) -> None:
    """However many came before it."""
    with connect_arrow(servers) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT repeat('x', 1000), 1 / (n - 200000) FROM generate_series(1, 200000) AS n"
        )
        with pytest.raises(ContractViolation, match="by zero"), translated_errors("a query"):
            list(record_batches(cursor))


def test_a_connection_that_breaks_between_batches_is_an_outage(servers: Settings) -> None:
    """As one that breaks before."""
    with connect_arrow(servers) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT repeat('x', 1000), CASE n WHEN 200000 THEN"
            " pg_terminate_backend(pg_backend_pid()) END FROM generate_series(1, 200000) AS n"
        )
        with pytest.raises(StoreUnavailable), translated_errors("a query"):
            list(record_batches(cursor))
