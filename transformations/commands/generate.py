"""`python -m transformations generate`: a made-up shop of any size."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn

from foundation import clock
from foundation.cli import console, error_console
from foundation.errors import ConfigurationError
from foundation.settings import load_settings
from transformations import generated_tables
from transformations.generator import Shop


def generate(
    *,
    users: Annotated[int, typer.Option(min=1, help="How many users.")] = 10_000,
    products: Annotated[int, typer.Option(min=1, help="How many products.")] = 1_000,
    events: Annotated[int, typer.Option(min=1, help="How many events.")] = 100_000,
    days: Annotated[int, typer.Option(min=1, help="How long the events take.")] = 90,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another shop.")] = 1,
    until: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"],
            help="Instant of the newest event, UTC unless it says otherwise. Without it: now.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for events.parquet, products.parquet and users.parquet."),
    ] = None,
    load: Annotated[
        bool,
        typer.Option("--load", help="Put the rows into PostgreSQL, in the place of such rows."),
    ] = False,
) -> None:
    """
    Make up a shop of any size, as Parquet files, in PostgreSQL, or both.

    The same numbers, seed and `--until` give the same files, byte by byte. All ids begin with
    `gen_`; tables that hold anything else are left as they are, and the exit code is 1.
    """
    if output is None and not load:
        raise ConfigurationError(
            "there is nothing to do", hint="Name a folder with --output, or give --load, or both."
        )
    shop = Shop(
        users=users,
        products=products,
        events=events,
        days=days,
        seed=seed,
        until=_aware(until or clock.now()),
    )
    columns = (SpinnerColumn(), *Progress.get_default_columns())
    with Progress(*columns, console=error_console, transient=True) as bar:
        if output is not None:
            files = generated_tables.write_files(shop, output, progress=_task(bar, shop, "Writing"))
        if load:
            settings = load_settings()
            generated_tables.load_tables(settings, shop, progress=_task(bar, shop, "Loading"))
    for path in files if output is not None else ():
        console.print(f"Written     {path}")
    if load:
        counts = ", ".join(f"{count:,} {table}" for table, count in shop.row_counts().items())
        console.print(f"Loaded      {counts}")


def _task(bar: Progress, shop: Shop, doing: str) -> generated_tables.Progress:
    task = bar.add_task(doing, total=sum(shop.row_counts().values()))
    return lambda table, rows: bar.update(task, description=f"{doing} {table}", advance=rows)


def _aware(instant: datetime) -> datetime:
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
