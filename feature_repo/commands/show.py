"""`show`: all that is known of one feature."""

# ruff: noqa: PLC0415 - Feast takes seconds, which `--help` doesn't need
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from feature_repo.registry.catalog import Catalog, read_catalog
from feature_repo.registry.inventory import Consumer, Inventory, consumers_of
from feature_repo.registry.lifecycle import is_past_sunset
from feature_repo.registry.lineage_graph import Direction, around, lineage_graph
from feature_repo.registry.metadata import FeatureVersion
from feature_repo.registry.tables import feature_table
from feature_repo.stores.latest_facts import QUANTILES, LatestFacts, latest_facts
from feature_repo.stores.run_facts import last_runs
from foundation import clock
from foundation.cli import console
from foundation.postgres import connect
from foundation.settings import load_settings


def show(
    feature_name: Annotated[str, typer.Argument(help="For example popularity_score.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """
    Print all that is known of one feature, version by version.

    Its metadata; what it is made from and who uses it; how its last computations went, which checks
    failed, and how far its sources had come; how many entities have a value, how old it is, and how
    values are spread.
    """
    from feature_repo.registry.deployment import rules_by_version

    catalog, settings = read_catalog(), load_settings()
    versions = catalog.versions(feature_name)
    rules = rules_by_version(settings.serving_rules, catalog.features, now=clock.now()) or {}
    with connect(settings) as connection:
        runs = last_runs(connection, versions)
        pages = {
            feature.version: _page(
                catalog,
                feature,
                runs[feature.reference],
                latest_facts(connection, feature),
                consumers_of(feature.reference, Inventory.of_catalog(catalog), rules),
            )
            for feature in versions
        }
    if as_json:
        told = [v.model_dump(mode="json") | {"facts": pages[v.version]} for v in versions]
        console.print_json(json.dumps(told, default=str))
        return
    console.print(feature_table(versions))
    table = Table(title="As it is now")
    table.add_column("fact", style="bold")
    for version in pages:
        table.add_column(version)
    for fact in next(iter(pages.values())):
        table.add_row(fact.replace("_", " "), *(_words(page[fact]) for page in pages.values()))
    console.print(table)


def _page(
    catalog: Catalog,
    feature: FeatureVersion,
    runs: Sequence[Mapping[str, Any]],
    latest: LatestFacts,
    consumers: Sequence[Consumer],
) -> dict[str, Any]:
    graph = lineage_graph(catalog)
    made_from = around(graph, feature.reference, direction=Direction.UP).nodes
    found = asdict(latest)
    quantiles = found.pop("quantiles")
    spread = None if quantiles is None else dict(zip(map(str, QUANTILES), quantiles, strict=True))
    now = clock.now()
    age = None if latest.newest is None else (now - latest.newest).total_seconds()
    return {
        "is_past_sunset": is_past_sunset(feature, now=now),
        "made_from": [name for name in made_from if name != feature.reference],
        "used_by": [str(consumer) for consumer in consumers],
        "last_runs": [_run(each) for each in runs],
        "values_computed": runs[0]["row_count"] if runs else None,
        "failed_checks": runs[0]["failed_checks"] if runs else None,
        "watermarks": [f"{table}: {at}" for table, at in runs[0]["watermarks"].items()]
        if runs
        else None,
        "entities": latest.entity_count,
        "newest_value": latest.newest,
        "staleness_seconds": age,
        "is_fresh": None if age is None else age <= feature.staleness_tolerance.total_seconds(),
        "spread": spread,
    }


def _run(run: Mapping[str, Any]) -> str:
    return f"{run['status']} as of {run['as_of']:%Y-%m-%d %H:%M}"


def _words(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return "\n".join(value) or "-"
    if isinstance(value, dict):
        return "\n".join(f"{float(q):.0%} {number:.4g}" for q, number in value.items())
    return f"{value:,.0f}" if isinstance(value, float) else str(value)
