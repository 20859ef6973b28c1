"""`compute`: print values computed on demand, without storing anything."""

import json
from collections.abc import Sequence
from typing import Annotated

import pyarrow as pa
import typer
from rich.table import Table

from feature_repo.registry.catalog import Catalog, read_catalog
from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.json_values import encode
from feature_repo.stores.keys import entity_id, key_values
from foundation import clock
from foundation.cli import console
from foundation.errors import ContractViolation
from foundation.postgres import connect
from foundation.settings import load_settings
from transformations import on_demand
from transformations.embedding.process import open_embedder


def compute(
    feature: Annotated[
        str,
        typer.Argument(
            help="`search_keyword_score` for the version that is served, "
            "`search_keyword_score==1.0.0` for one."
        ),
    ],
    entity_ids: Annotated[
        list[str],
        typer.Argument(
            help="`prod_123`; of several keys, joined by `:`, like `prod_123:organic milk`, with "
            "`%3A` for a `:` and `%25` for a `%` within a key."
        ),
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """
    Compute values on demand, as of now, from the source tables and what is stored.

    Nothing is stored. An entity without a value, such as an unknown product, has `null`.
    """
    settings = load_settings()
    catalog = read_catalog()
    name, _, number = feature.partition("==")
    version = catalog.select(name, number or None)
    wanted = wanted_entities(version, entity_ids)
    with connect(settings) as connection, open_embedder(settings) as embed:
        values = on_demand.compute_values(
            connection,
            version,
            wanted,
            dependencies=_dependencies(catalog, version),
            as_of=clock.now(),
            embed=embed,
        )
    texts = _texts(version, wanted, values)
    by_id = dict(zip(entity_ids, texts, strict=True))
    if as_json:
        values_by_id = {name: json.loads(text) for name, text in by_id.items()}
        console.print_json(json.dumps({"feature": version.reference, "values": values_by_id}))
    else:
        console.print(_table(version, by_id))


def wanted_entities(feature: FeatureVersion, entity_ids: Sequence[str]) -> pa.Table:
    """
    Return the join keys of entity ids, one row each.

    Args:
        feature: Whose entities they are.
        entity_ids: Of one key, the key itself; of several, escaped and joined by ':'.

    Raises:
        ContractViolation: An id has the wrong number of keys.
    """
    count = len(feature.join_keys)
    rows = [key_values(i) if count > 1 else [i] for i in entity_ids]
    for identifier, row in zip(entity_ids, rows, strict=True):
        if len(row) != count:
            raise ContractViolation(
                f"{identifier!r} is no id of {feature.entity}: it has {len(row)} keys, not {count}",
                hint=f"Join {' and '.join(feature.join_keys)} by ':'; "
                "a ':' within a key is written %3A.",
            )
    columns = zip(*rows, strict=True)
    return pa.table(
        {
            key: pa.array(column, pa.string())
            for key, column in zip(feature.join_keys, columns, strict=True)
        }
    )


def _dependencies(catalog: Catalog, feature: FeatureVersion) -> list[FeatureVersion]:
    return [f for f in catalog.features if f.reference in feature.dependencies]


def _texts(feature: FeatureVersion, wanted: pa.Table, values: pa.Table) -> list[str]:
    """Return the JSON text of each wanted entity's value."""
    encoded = encode(values["feature_value"].combine_chunks(), feature.feature_type).to_pylist()
    by_id = dict(zip(values["entity_id"].to_pylist(), encoded, strict=True))
    rows = wanted.to_pylist()
    return [by_id.get(entity_id([row[k] for k in feature.join_keys])) or "null" for row in rows]


def _table(feature: FeatureVersion, texts: dict[str, str]) -> Table:
    table = Table(title=f"{feature.reference}, computed just now")
    table.add_column(feature.entity)
    table.add_column("value", justify="right")
    for identifier, text in texts.items():
        table.add_row(identifier, text)
    return table
