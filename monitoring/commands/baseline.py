"""`baseline`: what should a feature version's values go on looking like?"""

from typing import Annotated

import typer
from rich.table import Table

from feature_repo.registry.catalog import read_catalog
from foundation import clock
from foundation.cli import console, new_app
from foundation.instants import parse_day
from foundation.postgres import connect
from foundation.settings import load_settings

app = new_app(
    "Pin, list and unpin baselines: snapshots that drift is measured against, besides the last one."
)

FeatureName = Annotated[str, typer.Argument(help="Name of the feature.")]
Version = Annotated[str, typer.Argument(help="One of its versions, like 1.0.0.")]


@app.command()
def pin(
    feature: FeatureName,
    version: Version,
    *,
    day: Annotated[
        str | None,
        typer.Option("--date", help="Day of the snapshot; by default the last one that holds it."),
    ] = None,
) -> None:
    """
    Make a snapshot's values the baseline of a feature version.

    Take a day on which the models that use the feature were known to do well. A sample of the
    values is kept in PostgreSQL, so that the baseline outlives the snapshot.
    """
    # PyArrow is slow to import.
    from transformations.drift import baselines  # noqa: PLC0415
    from transformations.drift.samples import sample_size, sample_snapshot  # noqa: PLC0415
    from transformations.snapshots.storage import Storage  # noqa: PLC0415

    settings = load_settings()
    selected = read_catalog().select(feature, version)
    sample = sample_snapshot(
        Storage.open(settings),
        selected,
        None if day is None else parse_day(day, option="--date"),
        limit=sample_size(settings, selected),
    )
    with connect(settings) as connection:
        pinned = baselines.pin(connection, selected, sample, now=clock.now())
    console.print(
        f"{pinned.reference} is held against its {pinned.entity_count:,} values of {pinned.day}."
    )


@app.command()
def unpin(feature: FeatureName, version: Version) -> None:
    """Forget a feature version's baseline."""
    from transformations.drift import baselines  # noqa: PLC0415 - PyArrow is slow to import

    selected = read_catalog().select(feature, version)
    with connect(load_settings()) as connection:
        known = baselines.unpin(connection, selected)
    console.print(f"{selected.reference} has {'no baseline any more' if known else 'no baseline'}.")


@app.command("list")
def list_all() -> None:
    """Print all baselines."""
    from transformations.drift import baselines  # noqa: PLC0415 - PyArrow is slow to import

    table = Table(title="Baselines")
    for heading in ("feature", "snapshot", "entities", "pinned"):
        table.add_column(heading, justify="right" if heading == "entities" else "left")
    with connect(load_settings()) as connection:
        for known in baselines.list_baselines(connection):
            table.add_row(
                known.reference,
                str(known.day),
                f"{known.entity_count:,}",
                f"{known.pinned_at:%Y-%m-%d %H:%M}",
            )
    console.print(table)
