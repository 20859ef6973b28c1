"""`python -m feature_repo`: services, schema, source data and the catalog of features."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn

from feature_repo.commands import lifecycle, lineage
from feature_repo.commands.docs import docs
from feature_repo.commands.parity import parity
from feature_repo.commands.plan import plan
from feature_repo.commands.profile import profile
from feature_repo.commands.remove_retired import remove_retired
from feature_repo.commands.search import search
from feature_repo.commands.show import show
from feature_repo.commands.training_set import app as training_set_app
from feature_repo.registry.catalog import read_catalog
from feature_repo.registry.tables import catalog_table
from foundation import clock, embedded
from foundation.cli import console, error_console, new_app, run
from foundation.settings import load_settings

app = new_app("WHAT features exist: start the stores, load source data, look features up.")

app.add_typer(training_set_app, name="training-set")
app.command()(plan)
app.command()(profile)
app.command()(docs)
app.command()(search)
app.command()(show)
app.command()(lineage.lineage)
app.command()(lineage.impact)
for _command in (lifecycle.promote, lifecycle.deprecate, lifecycle.retire, lifecycle.rollback):
    app.command()(_command)
app.command()(parity)
app.command()(remove_retired)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command()
def up() -> None:
    """
    Start PostgreSQL and Valkey from the project's own environment, and bring the schema up to date.

    Servers that run already are attached to. A store whose URL is set (FEATURE_STORE_POSTGRES_URL,
    FEATURE_STORE_REDIS_URL) is used as it is; with both set, nothing is started.
    """
    settings = load_settings()
    if settings.postgres_url is None or settings.redis_url is None:
        servers = embedded.start(settings.data_dir)
        console.print(f"PostgreSQL  {servers.postgres_url}\nValkey      {servers.redis_url}")
    _migrate()


@app.command()
def down() -> None:
    """Stop the embedded servers; their data stay in the data folder."""
    settings = load_settings()
    stopped = embedded.stop(settings.data_dir)
    console.print("Stopped." if stopped else f"Nothing runs in {settings.data_dir}.")


@app.command()
def migrate() -> None:
    """Bring the database schema up to date."""
    _migrate()


@app.command()
def load(
    *,
    events: Annotated[
        Path | None,
        typer.Option(help="event_id, user_id, product_id, event_type, event_timestamp."),
    ] = None,
    products: Annotated[
        Path | None,
        typer.Option(
            help="product_id, title, description, category, price, created_at, updated_at."
        ),
    ] = None,
    rejects: Annotated[
        Path | None,
        typer.Option(
            help="CSV file for refused rows, written if there are any; "
            "by default named after the input, in the current folder."
        ),
    ] = None,
) -> None:
    """
    Load events, products or both from CSV (.csv, .csv.gz) or Parquet files with those columns.

    Bad rows go to the rejects file with line and reason, good rows are loaded, and the exit code is
    0 all the same. Wrong columns stop the load before anything is written. Loading a file again
    changes nothing; products with other content are updated. Timestamps are ISO 8601, in UTC unless
    they say otherwise.
    """
    from feature_repo.ingestion.loading import load_files  # noqa: PLC0415 - needed here only
    from feature_repo.ingestion.tables import load_table  # noqa: PLC0415 - the same

    columns = (SpinnerColumn(), *Progress.get_default_columns())
    with Progress(*columns, console=error_console, transient=True) as bar:
        task = bar.add_task("Loading", total=1.0)
        report = load_files(
            load_settings(),
            events=events,
            products=products,
            rejects=rejects,
            now=clock.now(),
            progress=lambda doing, share: bar.update(
                task, description=escape(doing), completed=share
            ),
        )
    console.print(load_table(report))


@app.command(name="list")
def list_features(*, as_json: AsJson = False) -> None:
    """Print every deployed feature version and feature service."""
    catalog = read_catalog()
    if as_json:
        features = [feature.model_dump(mode="json") for feature in catalog.features]
        console.print_json(json.dumps({"features": features, "services": catalog.services}))
    else:
        console.print(catalog_table(catalog, now=clock.now()))
    for view, problem in catalog.unreadable.items():
        error_console.print(f"{view} is left out: {problem}", highlight=False)


def _migrate() -> None:
    from feature_repo.stores.schema import migrate  # noqa: PLC0415 - Alembic is slow to import

    console.print(f"Schema      revision {migrate(load_settings())}")


def main() -> None:
    """Run the command line."""
    run(app)
