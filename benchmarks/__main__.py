"""`python -m benchmarks`: run one benchmark, or all of them."""

from typing import Annotated

import typer

from benchmarks import faults as faults_benchmark
from benchmarks import gateway as gateway_benchmark
from benchmarks import historical as historical_benchmark
from benchmarks import metrics_cost as metrics_benchmark
from benchmarks import online_write as online_write_benchmark
from benchmarks import soak as soak_benchmark
from benchmarks import transformations as transformations_benchmark
from foundation.cli import run

app = typer.Typer(
    help="How fast it is, next to Feast alone, in one run on the same machine.",
    add_completion=False,
)

# Rows and values grow one by one, then together.
_TRAINING_SIZES = (
    *((rows, 1_000_000) for rows in (100_000, 300_000, 1_000_000)),
    *((100_000, values) for values in (3_000_000, 10_000_000)),
    (1_000_000, 10_000_000),
)

Seconds = Annotated[float, typer.Option(min=0.5, help="How long each setting is measured.")]
Count = Annotated[int, typer.Option(min=1_000, help="How many values are written.")]


@app.callback(invoke_without_command=True)
def all_of_them(context: typer.Context) -> None:
    """Run all benchmarks, unless one is named."""
    if context.invoked_subcommand is None:
        online_write()
        gateway()
        faults()
        transformations()
        historical()


@app.command()
def gateway(*, seconds: Seconds = 5.0) -> None:
    """Measure requests a second of the gateway and of `feast serve`."""
    gateway_benchmark.run(seconds=seconds)


@app.command()
def faults(*, seconds: Seconds = 5.0) -> None:
    """Measure what callers see while Redis, PostgreSQL or both fail."""
    faults_benchmark.run(seconds=seconds)


@app.command()
def gateway_metrics(*, seconds: Seconds = 5.0) -> None:
    """Measure what recording metrics costs of a request to the gateway."""
    metrics_benchmark.run(seconds=seconds)


@app.command()
def soak(
    *, minutes: Annotated[float, typer.Option(min=0.1, help="How long the load lasts.")] = 10.0
) -> None:
    """Watch the gateway's memory under a long mixed load."""
    soak_benchmark.run(minutes=minutes)


@app.command()
def historical(
    *,
    rows: Annotated[
        list[int] | None,
        typer.Option(
            help="Entity rows, over ten times as many values; several for several sizes. "
            "By default rows and values grow separately."
        ),
    ] = None,
    stock_minutes: Annotated[
        float, typer.Option(min=0, help="When Feast's store is given up; 0: it is left out.")
    ] = 10.0,
) -> None:
    """Measure training rows a second: our offline store, and Feast's own."""
    sizes = [(each, 10 * each) for each in rows] if rows else _TRAINING_SIZES
    historical_benchmark.run(
        sizes=[historical_benchmark.Size(*each) for each in sizes], stock_minutes=stock_minutes
    )


@app.command()
def online_write(*, count: Count = 200_000) -> None:
    """Measure values a second into Redis: our writer, and Feast's own store."""
    online_write_benchmark.run(count=count)


@app.command()
def transformations(
    *,
    users: Annotated[int, typer.Option(min=1, help="How many users.")] = 1_000_000,
    products: Annotated[int, typer.Option(min=1, help="How many products.")] = 100_000,
    events: Annotated[int, typer.Option(min=1, help="How many events.")] = 10_000_000,
) -> None:
    """Measure seconds and memory of runs in a made-up shop."""
    transformations_benchmark.run(users=users, products=products, events=events)


if __name__ == "__main__":
    run(app)
