"""What callers see while stores fail: latency, degraded answers, and the time until all is well."""

import contextlib
import time
from pathlib import Path

import httpx
from psycopg.conninfo import conninfo_to_dict
from rich.progress import track
from rich.table import Table

from benchmarks.faulty_line import FaultyLine, State, faulty_line
from benchmarks.judged_load import Outcome, Question, gateway_process, running_load
from benchmarks.stage import running_stores
from feature_repo.stores.keys import redis_keys
from foundation.cli import console, error_console
from foundation.endpoints import resolve_endpoints
from foundation.postgres import connect
from foundation.redis import connect as connect_redis
from foundation.settings import Settings

_STORED = Question("popularity_score", 0.75, 0.1, [f"prod_{number}" for number in range(100)])
# Never stored, so every request computes it. The texts of all products are the same.
_COMPUTED = Question(
    "search_keyword_score", 0.5, 0.0, [f"prod_{number}:milk" for number in range(10)]
)
_QUESTIONS = (_STORED, _COMPUTED)
_MOST_SECONDS = 30.0


def run(*, seconds: float) -> None:
    """Let each store, and both, fail in each way under load, and print what came of it."""
    table = Table(title=f"100 stored or 10 computed values a request, {seconds:g} s of each fault")
    for heading in (
        "store",
        "fault",
        "values",
        "requests",
        "wrong or refused",
        "degraded",
        "p50 ms",
        "p99 ms",
        "max ms",
        "well again after",
    ):
        table.add_column(heading, justify="right")
    with running_stores() as settings:
        _fill(settings)
        endpoints = resolve_endpoints(settings)
        valkey = Path(endpoints.redis_url.get_secret_value().removeprefix("unix://"))
        postgres = dict(conninfo_to_dict(endpoints.postgres_url.get_secret_value()))
        socket = Path(str(postgres["host"])) / ".s.PGSQL.5432"
        with faulty_line(valkey) as of_redis, faulty_line(socket) as of_postgres:
            address = f"{postgres['user']}@127.0.0.1:{of_postgres.port}/{postgres['dbname']}"
            environment = {
                "FEATURE_STORE_REDIS_URL": f"redis://127.0.0.1:{of_redis.port}",
                "FEATURE_STORE_POSTGRES_URL": f"postgresql://{address}",
            }
            faults = [
                (name, lines, state)
                for name, lines in (
                    ("Redis", [of_redis]),
                    ("PostgreSQL", [of_postgres]),
                    ("both", [of_redis, of_postgres]),
                )
                for state in State
                if state is not State.SOUND or name == "both"
            ]
            with gateway_process(environment) as gateway:
                for name, lines, state in track(faults, console=error_console):
                    outcomes, recovery = _measure(gateway.client, lines, state, seconds)
                    fault = ("none" if state is State.SOUND else name, state.name.lower())
                    for kind, outcome in zip(("stored", "computed"), outcomes, strict=True):
                        _add_row(table, (*fault, kind), outcome, recovery)
    console.print(table)


def _fill(settings: Settings) -> None:
    """Put half of the values into both stores, the others into PostgreSQL only."""
    entities = _STORED.entity_ids
    with connect_redis(settings) as client:
        for key in redis_keys(_STORED.feature_name, "1.1.0", entities[::2]):
            client.set(key, "0.75", ex=3_600)
    with connect(settings) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO feature_latest (entity_id, feature_name, feature_value, version, "
            "\"timestamp\") VALUES (%s, %s, '0.75', '1.1.0', now() - interval '1 hour')",
            [(entity, _STORED.feature_name) for entity in entities],
        )
        cursor.executemany(
            "INSERT INTO products VALUES (%s, 'Milk', 'd', 'c', 1.0, now() - interval '1 day', "
            "now())",
            [(entity,) for entity in entities],
        )


def _measure(
    client: httpx.Client, lines: list[FaultyLine], state: State, seconds: float
) -> tuple[list[Outcome], float]:
    with contextlib.ExitStack() as loads:
        outcomes = [loads.enter_context(running_load(client, each)) for each in _QUESTIONS]
        for line in lines:
            line.become(state)
        time.sleep(seconds)
        for line in lines:
            line.become(State.SOUND)
        sound_at = time.perf_counter()
        while not _is_well(client) and time.perf_counter() - sound_at < _MOST_SECONDS:
            time.sleep(0.05)
        recovery = time.perf_counter() - sound_at
    return outcomes, recovery


def _is_well(client: httpx.Client) -> bool:
    return all(
        each.is_answered(client.post("/v1/features/batch", json=each.body).json())
        for each in _QUESTIONS
    )


def _add_row(table: Table, fault: tuple[str, ...], outcome: Outcome, recovery: float) -> None:
    requests = len(outcome.latencies)
    table.add_row(
        *fault,
        f"{requests:,}",
        f"{len(outcome.wrong):,}",
        f"{outcome.degraded / requests:.0%}",
        f"{outcome.milliseconds(50):.1f}",
        f"{outcome.milliseconds(99):.1f}",
        f"{outcome.milliseconds(100):.1f}",
        f"{recovery:.1f} s",
    )
