"""`search`: the features that somebody is looking for."""

import json
from typing import Annotated

import typer

from feature_repo.registry.catalog import Catalog, read_catalog
from feature_repo.registry.metadata import Status
from feature_repo.registry.search import Search, matching
from feature_repo.registry.tables import catalog_table
from foundation import clock
from foundation.cli import console


def search(
    text: Annotated[
        str | None, typer.Argument(help="Words of the name or the description.")
    ] = None,
    *,
    owner: Annotated[str | None, typer.Option(help="Whose.")] = None,
    entity: Annotated[str | None, typer.Option(help="Of what: product, user, …")] = None,
    source: Annotated[
        str | None, typer.Option(help="Made from this table, or feature version.")
    ] = None,
    status: Annotated[Status | None, typer.Option(help="Where in their life.")] = None,
    tag: Annotated[str | None, typer.Option(help="Tagged so.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Find feature versions by words, owner, entity, source, status or tag; all must fit."""
    catalog = read_catalog()
    wanted = Search(text, owner=owner, entity=entity, source=source, status=status, tag=tag)
    found = matching(catalog.features, wanted)
    if as_json:
        console.print_json(json.dumps([feature.model_dump(mode="json") for feature in found]))
    else:
        console.print(catalog_table(Catalog(found, catalog.services), now=clock.now()))
