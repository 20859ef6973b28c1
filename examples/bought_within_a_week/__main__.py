"""`python -m examples.bought_within_a_week`: history, training set, model, one after the other."""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import pyarrow.parquet as pq
import typer
from rich.table import Table

from examples.bought_within_a_week.model import Evaluation, evaluate
from examples.bought_within_a_week.rows import LABEL, WEEK, labelled_rows
from feature_repo.history.entity_rows import EntityRows
from feature_repo.registry.catalog import Catalog
from feature_repo.training.building import build
from feature_repo.training.context import Context, open_context
from feature_repo.training.folder import write
from feature_repo.training.recipes import Recipe
from feature_repo.training.selection import select_exact, wanted_columns
from feature_repo.training.settled_instant import settled_instant
from foundation import clock
from foundation.cli import console, run
from foundation.errors import ContractViolation
from foundation.postgres import connect
from foundation.settings import load_settings
from transformations.backfill import Plan, backfill
from transformations.jobs import Job, jobs_of
from transformations.pipeline import Options

SERVICE = "ranking_v1"


def main(
    *,
    weeks: Annotated[
        int, typer.Option(min=2, help="How many to learn from; the last one is for the test.")
    ] = 3,
    most_purchases: Annotated[
        int, typer.Option(min=1, help="Purchases of each week that count, drawn if there are more.")
    ] = 20_000,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the training set; by default in the data folder.")
    ] = None,
) -> None:
    """
    Learn from past weeks which products a shopper buys next, and say what each feature adds.

    It takes purchases, such as those of `make demo`. Past values that are not there are computed
    first; that is a backfill, which a second call skips.
    """
    settings = load_settings()
    context = open_context()
    folder = out or settings.data_dir / "examples" / "bought_within_a_week"
    instants = past_weeks(clock.now(), weeks=weeks)
    console.print(f"Computing {SERVICE} as of {', '.join(f'{at:%d %b}' for at in instants)}")
    compute_history(context, instants)
    build_training_set(context, instants, folder, most_purchases=most_purchases)
    console.print(f"Training set in {folder}/", highlight=False)
    console.print(evaluation_table(evaluate_folder(context, folder)))


def past_weeks(now: datetime, *, weeks: int) -> list[datetime]:
    """Return so many midnights, a week apart, the last of which is a whole week ago."""
    last = now.replace(hour=0, minute=0, second=0, microsecond=0) - WEEK
    return [last - week * WEEK for week in range(weeks - 1, -1, -1)]


def compute_history(context: Context, instants: Sequence[datetime]) -> None:
    """
    Compute the feature service's values of past instants, as far as they are not there.

    Raises:
        ContractViolation: A job failed.
    """
    report = backfill(
        context.settings,
        Plan(service_jobs(context.catalog), instants, entity_ids=None),
        options=Options(),
        parallel=os.cpu_count() or 1,
        on_progress=lambda _at, _count: None,
    )
    for at, outcome in report.failed:
        raise ContractViolation(f"{outcome.job.name} as of {at:%Y-%m-%d}: {outcome.error}")


def build_training_set(
    context: Context, instants: Sequence[datetime], folder: Path, *, most_purchases: int
) -> None:
    """Write a training set of the feature service, labelled by what was bought within a week."""
    features = select_exact(context.catalog, [], feature_service=SERVICE)
    with connect(context.settings) as connection:
        rows = labelled_rows(connection, instants, most_purchases=most_purchases, seed=7)
    recipe = Recipe(
        rows=EntityRows.from_arrow(rows),
        labels=[LABEL],
        wanted=wanted_columns(
            context.catalog, features, context.extensions, full_feature_names=False
        ),
        known_at=settled_instant(context.settings).instant,
    )
    write(build(context, recipe), folder, replace=True)


def evaluate_folder(context: Context, folder: Path) -> Evaluation:
    """Train and test on a training set of the feature service."""
    features = select_exact(context.catalog, [], feature_service=SERVICE)
    table = pq.read_table(folder / "training_set.parquet")
    return evaluate(table, [feature.feature_name for feature in features])


def service_jobs(catalog: Catalog) -> list[Job]:
    """Return the jobs that compute the feature service and what it depends on, in order."""
    wanted = set(catalog.services[SERVICE])
    jobs = jobs_of(catalog.features)
    for job in reversed(jobs):
        if any(feature.reference in wanted for feature in job.features):
            wanted |= {feature.reference for feature in job.dependencies}
    return [job for job in jobs if any(feature.reference in wanted for feature in job.features)]


def evaluation_table(evaluation: Evaluation) -> Table:
    """Return what each feature adds."""
    table = Table(
        title=f"AUC {evaluation.auc:.4f} with all features",
        caption=f"Trained on {evaluation.trained_rows:,} rows, tested on "
        f"{evaluation.tested_rows:,} of the last week.",
    )
    table.add_column("feature")
    for heading in ("AUC without", "it adds", "AUC alone"):
        table.add_column(heading, justify="right")
    for name, without in evaluation.auc_without.items():
        adds = evaluation.auc - without
        table.add_row(name, f"{without:.4f}", f"{adds:+.4f}", f"{evaluation.auc_alone[name]:.4f}")
    for name in evaluation.unknown:
        table.add_row(name, "no value", "", "")
    return table


if __name__ == "__main__":
    run(lambda: typer.run(main))
