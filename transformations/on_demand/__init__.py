"""
Values computed for one request, from what is stored, without storing them.

How a feature version is computed on demand follows from what its computation's module offers:

- `FILTERABLE`, names of source tables: the batch job's own expression, over those tables' rows of
  the wanted entities only (`on_demand.expression`).
- `statement`: a query of its own (`on_demand.query`).
- `combine`: arithmetic over the stored values of its dependencies (`on_demand.combination`).

Each gives a `Plan`: what to read, and how values follow from it. Whoever has a connection executes
it; nothing in a plan does.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.registry.metadata import FeatureVersion
from foundation.errors import ConfigurationError, ContractViolation
from foundation.postgres import Connection
from transformations.computations.statements import Statement
from transformations.embedding import Embed
from transformations.expressions import computation_module
from transformations.on_demand import combination, expression, query
from transformations.on_demand.plan import Plan, Request
from transformations.values import typed_values

# By what the module must have. Adding a way to compute is adding a module with a `plan`.
_WAYS: Mapping[str, Callable[[Request], Plan]] = {
    "FILTERABLE": expression.plan,
    "statement": query.plan,
    "combine": combination.plan,
}


def is_computable(feature: FeatureVersion) -> bool:
    """Tell whether a feature version can be computed on demand."""
    return _way(feature) is not None


def is_combined(feature: FeatureVersion) -> bool:
    """Tell whether a feature version can be computed from stored values of its dependencies."""
    return _way(feature) is combination.plan


def plan(
    feature: FeatureVersion,
    wanted: pa.Table,
    *,
    dependencies: Sequence[FeatureVersion],
    as_of: datetime,
    embed: Embed,
) -> Plan:
    """
    Return what must be read for some entities' values, and how they follow from it.

    Args:
        feature: What to compute.
        wanted: The join keys, strings; one row an entity. Rows with a null or with what PostgreSQL
            can't store have no value.
        dependencies: The feature versions that `feature` names as its dependencies.
        as_of: Aware instant of the answer.
        embed: Turns texts into vectors; called only by computations that need it.

    Raises:
        ConfigurationError: The feature can't be computed on demand.
        ContractViolation: A join key is missing.
    """
    make_plan = _way(feature)
    if make_plan is None:
        raise ConfigurationError(
            f"{feature.reference} can't be computed on demand",
            hint=f"Its values depend on more than the wanted entities: run its job. "
            f"docs/adding-a-feature.md says what {feature.computation}.py would need.",
        )
    return make_plan(
        Request(
            feature=feature,
            module=computation_module(feature),
            wanted=_storable(feature, wanted),
            dependencies=dependencies,
            as_of=as_of,
            embed=embed,
        )
    )


def compute_values(
    connection: Connection,
    feature: FeatureVersion,
    wanted: pa.Table,
    *,
    dependencies: Sequence[FeatureVersion],
    as_of: datetime,
    embed: Embed,
) -> pa.Table:
    """
    Compute some entities' values; see `plan`.

    Returns:
        entity_id string, feature_value of the feature's Arrow type; one row a distinct entity that
        has a value.
    """
    planned = plan(feature, wanted, dependencies=dependencies, as_of=as_of, embed=embed)
    results = {name: execute(connection, s) for name, s in planned.statements.items()}
    return typed_values(feature, planned.finish(results))


def execute(connection: Connection, statement: Statement) -> pa.Table:
    """Return the rows of a statement."""
    with psycopg.RawCursor(connection) as cursor:
        cursor.execute(statement.text.encode(), list(statement.parameters))
        return _table(statement, cursor.fetchall())


async def execute_async(connection: psycopg.AsyncConnection[Any], statement: Statement) -> pa.Table:
    """Return the rows of a statement, without blocking."""
    async with psycopg.AsyncRawCursor(connection) as cursor:
        await cursor.execute(statement.text.encode(), list(statement.parameters))
        return _table(statement, await cursor.fetchall())


def _table(statement: Statement, rows: Sequence[Sequence[object]]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else ((),) * len(statement.schema)
    arrays = [
        pa.array(column, field.type)
        for column, field in zip(columns, statement.schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=statement.schema)


def _way(feature: FeatureVersion) -> Callable[[Request], Plan] | None:
    module = computation_module(feature)
    for attribute, make_plan in _WAYS.items():
        # A model's module combines for those of its features that are made of the others.
        if hasattr(module, attribute) and (attribute != "combine" or feature.dependencies):
            return make_plan
    return None


def _storable(feature: FeatureVersion, wanted: pa.Table) -> pa.Table:
    """Return the distinct entities that can exist; text in PostgreSQL holds no NUL."""
    missing = set(feature.join_keys) - set(wanted.column_names)
    if missing:
        raise ContractViolation(f"{feature.reference}: no {', '.join(sorted(missing))} is given")
    keys = wanted.select(feature.join_keys)
    for name in feature.join_keys:
        keys = keys.filter(pc.invert(pc.match_substring(keys[name], "\0")))
    return keys.group_by(feature.join_keys).aggregate([])
