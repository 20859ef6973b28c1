"""
Keep the totals of a long window up to date at the cost of what changed.

Under exponential decay all weights shrink alike, so totals that are decayed to one fixed instant
stay right while time passes: new events are added, and events that leave the window subtracted. The
last stretch of the window, as long as events may be late, is never part of the state but added up
anew by each run. A state is thrown away and added up from all events again when its code has
changed, when it is old, and when it does not add up.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString, cast

import ibis
import ibis.expr.types as ir
import structlog
from psycopg import sql

from foundation.postgres import Connection
from foundation.settings import Settings
from transformations.expressions import code_fingerprint, computation_module
from transformations.jobs import Job
from transformations.source_tables import source_table

_log = structlog.get_logger()

_TOTALS = ibis.schema(
    {"job_name": "!string", "product_id": "!string", "total": "float64", "event_count": "int64"}
)

_ADD = """
INSERT INTO incremental_totals AS kept (job_name, product_id, total, event_count)
SELECT {job_name}, product_id, sum(total), sum(event_count) FROM (
    SELECT product_id, total, event_count FROM ({added}) AS added
    UNION ALL
    SELECT product_id, -total, -event_count FROM ({expired}) AS expired) AS changes
GROUP BY product_id
ON CONFLICT (job_name, product_id) DO UPDATE
SET total = kept.total + excluded.total, event_count = kept.event_count + excluded.event_count
"""


@dataclass(frozen=True)
class State:
    """
    What has been added up so far.

    Attributes:
        reference: Instant that the weights are decayed to.
        window_start: Events at or before it are not in.
        window_end: Events after it are not in.
    """

    reference: datetime
    window_start: datetime
    window_end: datetime


def is_incremental(job: Job) -> bool:
    """Tell whether a job's computation can be split into totals and scores."""
    return hasattr(computation_module(job.leader), "totals")


def advance(
    settings: Settings, connection: Connection, job: Job, *, as_of: datetime
) -> State | None:
    """
    Bring a job's state forward to an instant, in one transaction.

    Args:
        settings: Say how late events may be, and how old a state may become.
        connection: Outside a transaction.
        job: An incremental one, whose lock is held.
        as_of: Aware instant of the run.

    Returns:
        The state; None where `as_of` is before its end: the whole window must be computed then.
    """
    window = timedelta(days=job.leader.parameters["window_days"])
    target = State(
        reference=as_of,
        window_start=as_of - window,
        window_end=as_of - timedelta(seconds=settings.late_events_seconds),
    )
    longest = timedelta(seconds=settings.incremental_rebuild_seconds)
    with connection.transaction():
        state = _read(connection, job)
        if state is not None and state.window_end > target.window_end:
            return None
        if (
            state is None
            or not target.window_start < state.window_end
            or (as_of - state.reference > longest)
        ):
            return _rebuild(connection, job, target)
        moved = _move(connection, job, state, target)
        if _adds_up(connection, job):
            return moved
        _log.warning("incremental_state_rebuilt", job=job.name)
        return _rebuild(connection, job, target)


def forget(connection: Connection, job: Job) -> None:
    """Throw a job's state away; the next run adds up all events again."""
    connection.execute("DELETE FROM incremental_states WHERE job_name = %s", (job.name,))


def incremental_expression(job: Job, state: State, *, as_of: datetime) -> ir.Table:
    """Return the expression of a job at an instant, from its state and the events since."""
    kept = ibis.table(_TOTALS, name="incremental_totals")
    kept = kept.filter(kept.job_name == job.name).select("product_id", "total", "event_count")
    late = _totals(job, state.reference, state.window_end, as_of)
    in_window = (
        kept.union(late)
        .group_by("product_id")
        .aggregate(total=lambda t: t.total.sum(), event_count=lambda t: t.event_count.sum())
    )
    scores: Callable[..., ir.Table] = computation_module(job.leader).scores
    parameters = {
        name: value
        for name, value in job.leader.parameters.items()
        if name not in {"window_days", "half_life_days"}
    }
    return scores(in_window, products=source_table("products"), as_of=as_of, **parameters)


def _read(connection: Connection, job: Job) -> State | None:
    row = connection.execute(
        """
        SELECT reference, window_start, window_end FROM incremental_states
        WHERE job_name = %s AND code_fingerprint = %s
        """,
        (job.name, code_fingerprint(job)),
    ).fetchone()
    return None if row is None else State(*row)


def _rebuild(connection: Connection, job: Job, target: State) -> State:
    forget(connection, job)
    empty = State(target.reference, target.window_start, target.window_start)
    connection.execute(
        "INSERT INTO incremental_states VALUES (%s, %s, %s, %s, %s)",
        (job.name, code_fingerprint(job), empty.reference, empty.window_start, empty.window_end),
    )
    return _move(connection, job, empty, target)


def _move(connection: Connection, job: Job, state: State, target: State) -> State:
    connection.execute(
        sql.SQL(_ADD).format(
            job_name=sql.Literal(job.name),
            added=_compiled(_totals(job, state.reference, state.window_end, target.window_end)),
            expired=_compiled(
                _totals(job, state.reference, state.window_start, target.window_start)
            ),
        )
    )
    # What rounding leaves of a product without events must not look like interest in it.
    connection.execute(
        "DELETE FROM incremental_totals WHERE job_name = %s AND event_count = 0", (job.name,)
    )
    connection.execute(
        "UPDATE incremental_states SET window_start = %s, window_end = %s WHERE job_name = %s",
        (target.window_start, target.window_end, job.name),
    )
    return State(state.reference, target.window_start, target.window_end)


def _adds_up(connection: Connection, job: Job) -> bool:
    """Tell whether no product lost events that it never had, because they came too late."""
    row = connection.execute(
        "SELECT 1 FROM incremental_totals WHERE job_name = %s AND event_count < 0 LIMIT 1",
        (job.name,),
    ).fetchone()
    return row is None


def _totals(job: Job, reference: datetime, start: datetime, end: datetime) -> ir.Table:
    totals: Callable[..., ir.Table] = computation_module(job.leader).totals
    return totals(
        events=source_table("events"),
        start=start,
        end=end,
        reference=reference,
        half_life_days=job.leader.parameters["half_life_days"],
    )


def _compiled(expression: ir.Table) -> sql.SQL:
    # Compiled by Ibis from our own expressions; what is not code in it are instants and numbers.
    return sql.SQL(cast("LiteralString", ibis.to_sql(expression, dialect="postgres")))
