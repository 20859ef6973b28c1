"""Which columns of the source tables a job reads, from its own expression or statements."""

from collections.abc import Iterable, Mapping
from itertools import chain

import ibis
import pyarrow as pa
from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.optimizer import optimize
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope

from foundation.errors import DefinitionError
from transformations import on_demand
from transformations.embedding import no_model
from transformations.expressions import (
    EXAMPLE_INSTANT,
    check_sources,
    job_expression,
    known_values,
)
from transformations.jobs import Job
from transformations.source_tables import DERIVED_COLUMNS, SCHEMAS

_DIALECT = "postgres"
_STORED_VALUES = ("entity_id", "feature_name", "feature_value", "version", "timestamp")


def columns_read(job: Job) -> Mapping[str, frozenset[str]]:
    """
    Return the columns that a job reads, by source table.

    A column that is only handed on and then dropped does not count. One that PostgreSQL derives
    stands for those that it is derived from. What is computed for requests only is judged by what
    it would ask of PostgreSQL.

    Args:
        job: What is computed.

    Returns:
        Every source table, maybe without columns; nothing at all where nobody can tell.

    Raises:
        DefinitionError: A source table does not exist, or one is read that is not named as source.
    """
    feature = job.leader
    check_sources(feature)
    if feature.computation_frequency is not None:
        expression = job_expression(job, as_of=EXAMPLE_INSTANT)
        found = _columns(job, str(ibis.to_sql(expression, dialect=_DIALECT)))
    elif on_demand.is_computable(feature):
        try:
            found = list(chain.from_iterable(_columns(job, text) for text in _statements(job)))
        except SqlglotError:  # SQL by hand may be of a kind that it does not know
            return {}
    else:
        return {}
    _check_named(job, {table for table, _ in found})
    return {
        name: frozenset(
            chain.from_iterable(_origins(name, column) for table, column in found if table == name)
        )
        for name in feature.source
    }


def _statements(job: Job) -> Iterable[str]:
    """Return the SQL that a computation on demand would execute for nobody."""
    nobody = pa.table({key: pa.array([], pa.string()) for key in job.leader.join_keys})
    planned = on_demand.plan(
        job.leader,
        nobody,
        dependencies=job.dependencies,
        as_of=EXAMPLE_INSTANT,
        embed=no_model,
    )
    return [statement.text for statement in planned.statements.values()]


def _columns(job: Job, statement: str) -> list[tuple[str, str]]:
    """Return the columns of tables that a statement needs, each with its table."""
    schema = {name: dict.fromkeys(columns, "text") for name, columns in _schemas(job).items()}
    tree = optimize(
        parse_one(statement, dialect=_DIALECT),
        schema=schema,
        dialect=_DIALECT,
        rules=(qualify, pushdown_projections),
    )
    return [
        (source.name, column.name)
        for scope in traverse_scope(tree)
        for column in scope.columns
        if isinstance(source := scope.sources.get(column.table), exp.Table)
    ]


def _schemas(job: Job) -> dict[str, tuple[str, ...]]:
    known = {
        name: (*schema.names, *DERIVED_COLUMNS.get(name, ())) for name, schema in SCHEMAS.items()
    }
    known["feature_latest"] = _STORED_VALUES
    return known | {d.view_name: tuple(known_values(d).columns) for d in job.dependencies}


def _origins(table: str, column: str) -> tuple[str, ...]:
    return DERIVED_COLUMNS.get(table, {}).get(column, (column,))


def _check_named(job: Job, tables: set[str]) -> None:
    unnamed = sorted((tables & SCHEMAS.keys()) - set(job.leader.source))
    if unnamed:
        raise DefinitionError(
            f"{job.leader.feature_name}.py: {job.leader.reference}, source: its computation reads "
            f"{unnamed[0]!r}, which is not named",
            hint="What it does not name is missing from lineage, and is not checked before a run.",
        )
