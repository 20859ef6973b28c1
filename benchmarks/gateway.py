"""Requests a second and latency of the gateway, of `feast serve`, and of Redis itself."""

import socket
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import hiredis
import numpy as np
from rich.progress import Progress
from rich.table import Table

from benchmarks.http_load import Load, measure, together
from benchmarks.rivals import Rival, keys_of, running_rivals
from foundation.cli import console, error_console
from foundation.settings import Settings

_SHAPES = ((1, 4), (100, 4), (100, 50))
_CONNECTIONS = (1, 16)
_ROUNDS = 3
_BARE_READS = 2_000


def run(*, seconds: float) -> None:
    """Measure all servers by turns in each setting, and print the ratios."""
    table = Table(title="Gateway and `feast serve`", caption=_CAPTION)
    for heading in ("values", "connections", "server", "requests/s", "p50 ms", "p99 ms"):
        table.add_column(heading, justify="right")
    table.add_column("requests/s ratio", justify="right")
    table.add_column("p99 ratio", justify="right")
    with running_rivals() as (settings, rivals), Progress(console=error_console) as bar:
        task = bar.add_task("Measuring", total=len(_SHAPES) * len(_CONNECTIONS) * _ROUNDS)
        for entities, features in _SHAPES:
            bare = _bare_p50_milliseconds(settings, entities, features)
            for connections in _CONNECTIONS:
                rounds: dict[str, list[Load]] = {rival.name: [] for rival in rivals}
                for _ in range(_ROUNDS):
                    for rival in rivals:
                        rounds[rival.name].append(
                            _measure(rival, entities, features, connections, seconds / _ROUNDS)
                        )
                    bar.advance(task)
                loads = {name: together(each) for name, each in rounds.items()}
                _add_rows(table, f"{entities} × {features}", connections, loads)
            table.add_row(f"{entities} × {features}", "1", "bare MGET", "", f"{bare:.2f}", "")
    console.print(table)


_CAPTION = "Ratios of the gateway to the better of Feast's two layouts."


def _measure(rival: Rival, entities: int, features: int, connections: int, seconds: float) -> Load:
    bodies = rival.bodies(entities, features)
    return measure(
        rival.port,
        rival.path,
        bodies,
        connections=connections,
        seconds=seconds,
        headers=rival.headers,
    )


def _bare_p50_milliseconds(settings: Settings, entities: int, features: int) -> float:
    """Return how long Redis takes for the keys of a batch, asked by hiredis over a bare socket."""
    assert settings.redis_url is not None  # noqa: S101 - of the benchmark's own making
    url = urlsplit(settings.redis_url.get_secret_value())
    keys = keys_of([f"prod_{number * 7}" for number in range(entities)], features)
    command = hiredis.pack_command(("MGET", *keys))  # type: ignore[arg-type] # any length will do
    took = []
    with socket.create_connection((url.hostname, url.port)) as connection:
        reader = hiredis.Reader()
        for _ in range(_BARE_READS):
            started = time.perf_counter()
            connection.sendall(command)
            while (answer := reader.gets()) is False:
                reader.feed(connection.recv(1_000_000))
            took.append(time.perf_counter() - started)
            assert len(answer) == len(keys)  # noqa: S101 - a benchmark that reads nothing is none
    return float(np.median(took)) * 1_000


def _add_rows(table: Table, values: str, connections: int, loads: dict[str, Load]) -> None:
    feasts = [load for name, load in loads.items() if name != "gateway"]
    for name, load in loads.items():
        ratios: Sequence[str] = ()
        if name == "gateway":
            best = max(feast.requests_per_second for feast in feasts)
            least = min(feast.p99_milliseconds for feast in feasts)
            ratios = (
                f"{load.requests_per_second / best:.1f}×",
                f"1/{least / load.p99_milliseconds:.1f}",
            )
        table.add_row(
            values,
            str(connections),
            name,
            f"{load.requests_per_second:,.0f}",
            f"{load.p50_milliseconds:.2f}",
            f"{load.p99_milliseconds:.2f}",
            *ratios,
        )
