"""`lineage` and `impact`: what is made from what, and what a change would reach."""

# ruff: noqa: PLC0415 - Feast takes seconds, which `--help` doesn't need
import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from feature_repo.registry.catalog import read_catalog
from feature_repo.registry.lineage_graph import Direction, around, lineage_graph, reached
from feature_repo.registry.lineage_pictures import (
    lineage_mermaid,
    lineage_record,
    lineage_svg,
    lineage_tree,
)
from foundation import clock
from foundation.cli import console, plain_text, write_file
from foundation.settings import load_settings


class Format(StrEnum):
    """What lineage is printed as."""

    TABLE = "table"
    JSON = "json"
    MERMAID = "mermaid"
    SVG = "svg"


_Node = Annotated[
    str,
    typer.Argument(
        help="`events`, `events.event_type`, `popularity_score`, `popularity_score==1.0.0` or "
        "`ranking_v1`."
    ),
]


def lineage(
    node: _Node,
    *,
    up: Annotated[bool, typer.Option("--up", help="Only what it is made from.")] = False,
    down: Annotated[bool, typer.Option("--down", help="Only what is made from it.")] = False,
    depth: Annotated[int | None, typer.Option(min=1, help="Steps to go; by default all.")] = None,
    output: Annotated[Format, typer.Option("--format", help="What to print.")] = Format.TABLE,
    out: Annotated[Path | None, typer.Option(help="File to write instead of printing.")] = None,
) -> None:
    """
    Show what a table, a feature or a feature service is made from, and what is made from it.

    The columns of a source table that a feature reads are found in its computation. Each feature
    version comes with its last run: status, instant, values, failed checks; as JSON, with the last
    few, and with the watermarks of their sources.
    """
    from feature_repo.stores.run_facts import last_runs
    from foundation.postgres import connect

    catalog = read_catalog()
    graph = lineage_graph(catalog)
    ways = {(True, False): Direction.UP, (False, True): Direction.DOWN}
    direction = ways.get((up, down))
    found = around(graph, node, direction=direction, depth=depth)
    if output in (Format.MERMAID, Format.SVG):
        _emit(lineage_mermaid(found) if output is Format.MERMAID else lineage_svg(found), out)
        return
    with connect(load_settings()) as connection:
        facts = last_runs(connection, catalog.features)
    if output is Format.JSON:
        _emit(json.dumps(lineage_record(found, facts), indent=2, default=str) + "\n", out)
        return
    trees = [
        lineage_tree(around(graph, node, direction=way, depth=depth), node, way, facts)
        for way in (Direction if direction is None else (direction,))
    ]
    if out is None:
        console.print(*trees)
    else:
        _emit(plain_text(*trees), out)


def impact(
    node: _Node,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Show what a change of a source table, a column or a feature would reach, and whose it is."""
    from feature_repo.registry.deployment import rules_by_version

    catalog = read_catalog()
    path = load_settings().serving_rules
    rules = rules_by_version(path, catalog.features, now=clock.now()) or {}
    features = {feature.reference: feature for feature in catalog.features}
    owners = {reference: feature.owner for reference, feature in features.items()}
    owners |= catalog.service_owners
    affected = [
        {
            "name": name,
            "kind": kind.value,
            "owner": owners.get(name),
            "status": features[name].status.value if name in features else None,
            "named_by": list(rules.get(name, ())),
        }
        for name, kind in reached(lineage_graph(catalog), node).items()
    ]
    if as_json:
        console.print_json(json.dumps({"node": node, "affected": affected}))
        return
    table = Table(title=f"What a change of {node} reaches")
    for heading in ("what", "", "owner", "status", "serving rules"):
        table.add_column(heading)
    for each in affected:
        cells = (each["name"], each["kind"], each["owner"] or "-", each["status"] or "-")
        table.add_row(*map(str, cells), ", ".join(each["named_by"] or ()) or "-")
    console.print(table)


def _emit(text: str, out: Path | None) -> None:
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_file(text, out, option="--out")
