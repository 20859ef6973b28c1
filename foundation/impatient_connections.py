"""Connections to PostgreSQL that are closed when the server does not answer in time."""

import contextlib
from collections.abc import Iterator
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGconn

T = TypeVar("T")

_POLL_SECONDS = 0.1


class ImpatientConnection(psycopg.Connection[tuple[Any, ...]]):
    """
    A connection that waits for each answer for so long and no longer.

    A server that is stopped, or a network that swallows everything, says nothing: the operating
    system sees a peer that is well, and no limit of the server's own will end the wait.

    Attributes:
        answer_seconds: Longest wait; None: as long as it takes.
    """

    answer_seconds: float | None = None

    def wait(
        self, gen: PQGen[T], interval: float = _POLL_SECONDS, timeout: float | None = None
    ) -> T:
        """Wait, as psycopg does at each step; `OperationalError` if it takes too long."""
        with _closed_if_silent(self.pgconn):
            return super().wait(gen, interval, timeout or self.answer_seconds)


class AsyncImpatientConnection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """The same for those who await; see `ImpatientConnection`."""

    answer_seconds: float | None = None

    async def wait(
        self,
        gen: PQGen[T],
        interval: float = _POLL_SECONDS,
        timeout: float | None = None,  # noqa: ASYNC109 - psycopg's signature
    ) -> T:
        """Wait, as psycopg does at each step; `OperationalError` if it takes too long."""
        with _closed_if_silent(self.pgconn):
            return await super().wait(gen, interval, timeout or self.answer_seconds)


@contextlib.contextmanager
def _closed_if_silent(connection: PGconn) -> Iterator[None]:
    try:
        yield
    except psycopg.OperationalError:
        if connection.transaction_status == TransactionStatus.ACTIVE:  # it still owes an answer
            connection.finish()
        raise
