"""What callers see while stores fail: latency, degraded answers, and the time until all is well."""

import json
import time
from pathlib import Path
from typing import Any

import httpx
from psycopg.conninfo import conninfo_to_dict
from rich.progress import track
from rich.table import Table

from benchmarks.faulty_line import FaultyLine, State, faulty_line
from benchmarks.judged_load import Outcome, gateway_process, running_load
from benchmarks.stage import running_stores
from feature_repo.stores.keys import redis_keys
from foundation.cli import console, error_console
from foundation.endpoints import resolve_endpoints
from foundation.postgres import connect
from foundation.redis import connect as connect_redis
from foundation.settings import Settings

_FEATURE = "popularity_score"
_ENTITIES = [f"prod_{number}" for number in range(100)]
_ASKED: dict[str, Any] = {"entity_ids": _ENTITIES, "feature_names": [_FEATURE]}
_RIGHT: dict[str, dict[str, object]] = {entity: {_FEATURE: 0.75} for entity in _ENTITIES}
_MOST_SECONDS = 30.0


def run(*, seconds: float) -> None:
    """Let each store, and both, fail in each way under load, and print what came of it."""
    table = Table(title=f"100 values a request, stores failing for {seconds:g} s")
    for heading in (
        "store",
        "fault",
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
                    outcome, recovery = _measure(gateway.client, lines, state, seconds)
                    _add_row(table, name, state, outcome, recovery)
    console.print(table)


def _fill(settings: Settings) -> None:
    """Put half of the values into both stores, the others into PostgreSQL only."""
    with connect_redis(settings) as client:
        for key in redis_keys(_FEATURE, "1.1.0", _ENTITIES[::2]):
            client.set(key, "0.75", ex=3_600)
    with connect(settings) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO feature_latest (entity_id, feature_name, feature_value, version, "
            "\"timestamp\") VALUES (%s, %s, '0.75', '1.1.0', now() - interval '1 hour')",
            [(entity, _FEATURE) for entity in _ENTITIES],
        )


def _measure(
    client: httpx.Client, lines: list[FaultyLine], state: State, seconds: float
) -> tuple[Outcome, float]:
    with running_load(client, _ASKED, _RIGHT) as outcome:
        for line in lines:
            line.become(state)
        time.sleep(seconds)
        for line in lines:
            line.become(State.SOUND)
        sound_at = time.perf_counter()
        while not _is_well(client) and time.perf_counter() - sound_at < _MOST_SECONDS:
            time.sleep(0.05)
        recovery = time.perf_counter() - sound_at
    return outcome, recovery


def _is_well(client: httpx.Client) -> bool:
    answer = json.loads(client.post("/v1/features/batch", json=_ASKED).content)
    return bool(answer["values"] == _RIGHT and not answer["degraded"])


def _add_row(table: Table, store: str, state: State, outcome: Outcome, recovery: float) -> None:
    requests = len(outcome.latencies)
    table.add_row(
        "none" if state is State.SOUND else store,
        state.name.lower(),
        f"{requests:,}",
        f"{len(outcome.wrong):,}",
        f"{outcome.degraded / requests:.0%}",
        f"{outcome.milliseconds(50):.1f}",
        f"{outcome.milliseconds(99):.1f}",
        f"{outcome.milliseconds(100):.1f}",
        f"{recovery:.1f} s",
    )
