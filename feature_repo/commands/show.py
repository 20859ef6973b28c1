"""`show`: all that is known of one feature."""

# ruff: noqa: PLC0415 - Feast takes seconds, which `--help` doesn't need
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.table import Table

from feature_repo.registry.catalog import read_catalog
from feature_repo.registry.inventory import Inventory
from feature_repo.registry.lineage_graph import lineage_graph
from feature_repo.registry.standing import Standing, standing
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
    graph, inventory, pages = lineage_graph(catalog), Inventory.of_catalog(catalog), {}
    with connect(settings) as connection:
        runs = last_runs(connection, versions)
        for feature in versions:
            latest = latest_facts(connection, feature)
            stands = standing(
                feature, graph, inventory, rules=rules, newest=latest.newest, now=clock.now()
            )
            pages[feature.version] = _page(stands, runs[feature.reference], latest)
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
    stands: Standing, runs: Sequence[Mapping[str, Any]], latest: LatestFacts
) -> dict[str, Any]:
    quantiles = latest.quantiles
    spread = None if quantiles is None else dict(zip(map(str, QUANTILES), quantiles, strict=True))
    return {
        "is_past_sunset": stands.is_past_sunset,
        "made_from": stands.made_from,
        "used_by": [str(consumer) for consumer in stands.used_by],
        "last_runs": [_run(each) for each in runs],
        "values_computed": runs[0]["row_count"] if runs else None,
        "failed_checks": runs[0]["failed_checks"] if runs else None,
        "watermarks": [f"{table}: {at}" for table, at in runs[0]["watermarks"].items()]
        if runs
        else None,
        "entities": latest.entity_count,
        "newest_value": latest.newest,
        "staleness_seconds": stands.staleness_seconds,
        "is_fresh": stands.is_fresh,
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
