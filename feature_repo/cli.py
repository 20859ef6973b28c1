"""`python -m feature_repo`: services, schema, source data and the catalog of features."""

import json
from typing import Annotated

import typer

from feature_repo.registry.catalog import read_catalog
from feature_repo.registry.tables import catalog_table, feature_table
from foundation import embedded
from foundation.cli import console, new_app, run
from foundation.logs import configure_logs
from foundation.settings import load_settings

app = new_app("WHAT features exist: start the stores, load source data, look features up.")

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


@app.command(name="list")
def list_features(*, as_json: AsJson = False) -> None:
    """Print every deployed feature version and feature service."""
    catalog = read_catalog()
    if as_json:
        features = [feature.model_dump(mode="json") for feature in catalog.features]
        console.print_json(json.dumps({"features": features, "services": catalog.services}))
    else:
        console.print(catalog_table(catalog))


@app.command()
def show(
    feature_name: Annotated[str, typer.Argument(help="For example popularity_score.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Print all that is known of one feature, version by version."""
    versions = read_catalog().versions(feature_name)
    if as_json:
        console.print_json(json.dumps([v.model_dump(mode="json") for v in versions]))
    else:
        console.print(feature_table(versions))


def _migrate() -> None:
    from feature_repo.stores.schema import migrate  # noqa: PLC0415 - Alembic is slow to import

    console.print(f"Schema      revision {migrate(load_settings())}")


def main() -> None:
    """Run the command line."""
    configure_logs(load_settings())
    run(app)
