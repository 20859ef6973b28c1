"""Totals that are kept up to date equal totals that are added up anew, whatever happens."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from feature_repo.registry.gather import gather_features
from foundation.postgres import Connection, connect
from foundation.settings import Settings
from transformations import incremental
from transformations.computing import compute
from transformations.engines.postgres import PostgresEngine
from transformations.expressions import job_expression
from transformations.jobs import jobs_of

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
PRODUCTS = ("p0", "p1", "p2")
[JOB] = [job for job in jobs_of(gather_features()) if job.name == "popularity_score==1.1.0"]
LATENESS = timedelta(minutes=15)


@dataclass(frozen=True)
class Step:
    """What happens before a run: time passes, events come in (some late), the last run crashed."""

    gap: timedelta
    events: list[tuple[str, str, timedelta]]
    crashed: bool
    repeated: bool


ages = st.integers(0, 100 * 86_400).map(lambda seconds: timedelta(seconds=seconds))
delays = st.one_of(
    st.just(timedelta(0)),
    st.integers(0, int(LATENESS.total_seconds()) - 1).map(
        lambda seconds: timedelta(seconds=seconds)
    ),
)
kinds = st.sampled_from(["view", "add_to_cart", "purchase"])
steps_strategy = st.lists(
    st.builds(
        Step,
        gap=st.sampled_from(
            [timedelta(minutes=5), timedelta(hours=7), timedelta(days=1), timedelta(days=100)]
        ),
        events=st.lists(st.tuples(st.sampled_from(PRODUCTS), kinds, delays), max_size=20),
        crashed=st.booleans(),
        repeated=st.booleans(),
    ),
    min_size=1,
    max_size=6,
)
history_strategy = st.lists(st.tuples(st.sampled_from(PRODUCTS), kinds, ages), max_size=40)

examples = hypothesis_settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _insert(
    connection: Connection, events: list[tuple[str, str, timedelta]], *, before: datetime
) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO events VALUES (gen_random_uuid()::text, 'u', %s, %s, %s)",
            [(product_id, event_type, before - age) for product_id, event_type, age in events],
        )


def _values(settings: Settings, expression: Any, as_of: datetime) -> dict[str, float]:  # noqa: ANN401 - Ibis is untyped
    with PostgresEngine.open(settings) as engine:
        table = compute(JOB, engine.execute(expression), as_of=as_of).values[JOB.leader.reference]
    return dict(
        zip(table["entity_id"].to_pylist(), table["feature_value"].to_pylist(), strict=True)
    )


def _event_counts(connection: Connection) -> dict[str, int]:
    rows = connection.execute("SELECT product_id, event_count FROM incremental_totals")
    return dict(rows.fetchall())


@examples
@given(history=history_strategy, steps=steps_strategy, rebuild_days=st.sampled_from([1, 1_000]))
def test_incremental_equals_full(
    servers: Settings,
    history: list[tuple[str, str, timedelta]],
    steps: list[Step],
    rebuild_days: int,
) -> None:
    """After every run, with late events, crashes, repeats and long pauses, to 1e-9."""
    settings = servers.model_copy(
        update={
            "late_events_seconds": LATENESS.total_seconds(),
            "incremental_rebuild_seconds": rebuild_days * 86_400.0,
        }
    )
    with connect(settings, autocommit=True) as connection:
        connection.execute("TRUNCATE events, products, users, incremental_states CASCADE")
        connection.execute(
            "INSERT INTO products SELECT p, 't', NULL, 'c', 1, %s, %s FROM unnest(%s::text[]) AS p",
            (START - timedelta(days=200), START, list(PRODUCTS)),
        )
        _insert(connection, history, before=START)
        as_of = START
        for step in steps:
            as_of += step.gap
            _insert(connection, step.events, before=as_of)
            if step.crashed:
                with connection.transaction(force_rollback=True):
                    incremental.advance(settings, connection, JOB, as_of=as_of)
            for _ in range(1 + step.repeated):
                state = incremental.advance(settings, connection, JOB, as_of=as_of)
                assert state is not None
                kept = incremental.incremental_expression(JOB, state, as_of=as_of)
                assert _values(settings, kept, as_of) == pytest.approx(
                    _values(settings, job_expression(JOB, as_of=as_of), as_of), abs=1e-9
                )


def test_an_event_that_came_too_late_waits_for_the_next_rebuild(settings: Settings) -> None:
    """Until then the state does not know it."""
    with connect(settings, autocommit=True) as connection:
        incremental.advance(settings, connection, JOB, as_of=START)
        _insert(connection, [("p0", "view", timedelta(days=1))], before=START)
        soon, next_day = START + timedelta(hours=1), START + timedelta(hours=25)
        incremental.advance(settings, connection, JOB, as_of=soon)
        assert _event_counts(connection) == {}
        incremental.advance(settings, connection, JOB, as_of=next_day)
        assert _event_counts(connection) == {"p0": 1}


def test_a_state_that_does_not_add_up_is_rebuilt(settings: Settings) -> None:
    """An event that leaves the window without ever having been in is noticed."""
    patient = settings.model_copy(update={"incremental_rebuild_seconds": 1e9})
    with connect(patient, autocommit=True) as connection:
        incremental.advance(patient, connection, JOB, as_of=START)
        late = [("p0", "view", timedelta(days=89)), ("p1", "view", timedelta(days=1))]
        _insert(connection, late, before=START)
        incremental.advance(patient, connection, JOB, as_of=START + timedelta(hours=1))
        assert _event_counts(connection) == {}
        incremental.advance(patient, connection, JOB, as_of=START + timedelta(days=2))
        assert _event_counts(connection) == {"p1": 1}


def test_an_older_instant_leaves_the_state_alone(settings: Settings) -> None:
    """What it needs has been subtracted already; the whole window must be computed."""
    with connect(settings, autocommit=True) as connection:
        state = incremental.advance(settings, connection, JOB, as_of=START)
        assert (
            incremental.advance(settings, connection, JOB, as_of=START - timedelta(hours=1)) is None
        )
        assert incremental.advance(settings, connection, JOB, as_of=START) == state
