"""Seconds and memory of whole runs, from the events to both stores, in a made-up shop."""

import json
import re
import subprocess
import sys
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.progress import Progress
from rich.table import Table

from benchmarks.stage import running_stores
from feature_repo.registry.gather import gather_features
from foundation import clock
from foundation.cli import console, error_console
from foundation.copy import copy_table
from foundation.postgres import connect
from foundation.settings import Settings, load_settings
from transformations import pipeline
from transformations.generated_tables import load_tables
from transformations.generator import Shop, generate
from transformations.jobs import jobs_of

_FRESH_EVENTS = 50_000
_FRESH_FOR = timedelta(minutes=5)
_PAUSE_SECONDS = 0.2


def run(*, users: int, products: int, events: int) -> None:
    """Fill a database, run two jobs on it, one again after more events, and print the figures."""
    table = Table(title=f"{users:,} users, {products:,} products, {events:,} events")
    for heading in ("run", "values", "seconds", "values/s", "process MB", "PostgreSQL MB"):
        table.add_column(heading, justify="right")
    table.add_column("steps, seconds")
    with running_stores() as settings:
        _load(
            settings,
            Shop(
                users=users,
                products=products,
                events=events,
                days=90,
                seed=7,
                until=clock.now(),
            ),
        )
        _add_row(table, settings, "popularity_score==1.0.0", "all events")
        _add_fresh_events(settings, users=users, products=products)
        _add_row(table, settings, "popularity_score==1.0.0", f"{_FRESH_EVENTS:,} more events")
        _add_row(table, settings, "category_popularity==1.0.0", "all events")
        _add_row(table, settings, "user_category_affinity==1.0.0", "all events")
    console.print(table)


def _load(settings: Settings, shop: Shop) -> None:
    with Progress(console=error_console, transient=True) as bar:
        task = bar.add_task("Loading", total=sum(shop.row_counts().values()))
        load_tables(settings, shop, progress=lambda _table, rows: bar.update(task, advance=rows))
    # What autovacuum does sooner or later; not while we measure.
    with connect(settings, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE events")
        connection.execute("CHECKPOINT")


def _add_fresh_events(settings: Settings, *, users: int, products: int) -> None:
    until = clock.now()
    shop = Shop(users=users, products=products, events=_FRESH_EVENTS, days=1, seed=8, until=until)
    rows = pa.concat_tables(generate(shop, "events"))
    ids = pc.binary_join_element_wise("more", rows["event_id"], "_")
    ages = np.linspace(_FRESH_FOR / timedelta(microseconds=1), 0, rows.num_rows).astype(np.int64)
    times = pc.subtract(
        pa.scalar(until, pa.timestamp("us", "UTC")), pa.array(ages).cast(pa.duration("us"))
    )
    rows = rows.drop_columns(["event_id", "event_timestamp"])
    with connect(settings) as connection:
        copy_table(
            connection,
            "events",
            rows.append_column("event_id", ids).append_column("event_timestamp", times),
        )


def _add_row(table: Table, settings: Settings, job_name: str, what: str) -> None:
    # A process of its own for each run, so that its peak is its own.
    command = [sys.executable, "-m", __name__, job_name]
    with (
        error_console.status(f"Computing {job_name}"),
        subprocess.Popen(command, stdout=subprocess.PIPE) as process,  # noqa: S603 - our own
    ):
        backend_bytes = _peak_of_backends(settings, process)
        found = json.loads(process.communicate()[0])
    table.add_row(
        f"{job_name}, {what}",
        f"{found['values']:,}",
        f"{found['seconds']:.1f}",
        f"{found['values'] / found['seconds']:,.0f}",
        _megabytes(found["peak_bytes"]),
        _megabytes(backend_bytes),
        ", ".join(f"{step} {seconds:.1f}" for step, seconds in found["steps"].items()),
    )


def _measure(job_name: str) -> dict[str, Any]:
    """Run a job; return its number of values, its seconds and those of its steps, and its peak."""
    # Filling the database takes longer than events may usually be old.
    settings = load_settings().model_copy(update={"input_freshness_seconds": 86_400.0})
    [job] = [job for job in jobs_of(gather_features()) if job.name == job_name]
    started = time.perf_counter()
    [report] = pipeline.run(settings, job)
    return {
        "values": report.row_count,
        "seconds": time.perf_counter() - started,
        "steps": dict(report.seconds),
        "peak_bytes": _peak_bytes("self"),
    }


def _peak_of_backends(settings: Settings, process: subprocess.Popen[bytes]) -> int | None:
    """Return the most memory of one backend, pages shared with others included."""
    peaks: list[int] = []
    with connect(settings, autocommit=True) as connection:
        while process.poll() is None:
            backends = connection.execute(
                "SELECT pid FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            ).fetchall()
            peaks += [peak for (pid,) in backends if (peak := _peak_bytes(str(pid))) is not None]
            time.sleep(_PAUSE_SECONDS)
    return max(peaks, default=None)


def _peak_bytes(process: str) -> int | None:
    """Return the most memory that a process of this machine has had; None if nobody tells."""
    # `getrusage` would not do: a new process inherits its parent's peak.
    with suppress(OSError):
        status = Path(f"/proc/{process}/status").read_text()
        if found := re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE):
            return int(found[1]) * 1_024
    return None


def _megabytes(count: int | None) -> str:
    return "unknown" if count is None else f"{count / 1e6:,.0f}"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measure(sys.argv[1])))
