"""Which columns of the source tables a job's expression reads, from the expression itself."""

from collections.abc import Mapping

import ibis
from sqlglot import exp, parse_one
from sqlglot.optimizer import optimize
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope

from transformations.expressions import EXAMPLE_INSTANT, job_expression, known_values
from transformations.jobs import Job
from transformations.source_tables import SCHEMAS

_DIALECT = "postgres"


def columns_read(job: Job) -> Mapping[str, frozenset[str]]:
    """
    Return the columns that a job reads, by source table.

    A column that is only handed on and then dropped does not count. Of what is computed by a
    statement of its own, for a request, nobody knows: it is not in the result.
    """
    if job.leader.computation_frequency is None:
        return {}
    statement = ibis.to_sql(job_expression(job, as_of=EXAMPLE_INSTANT), dialect=_DIALECT)
    schema = {name: dict.fromkeys(columns, "text") for name, columns in _schemas(job).items()}
    tree = optimize(
        parse_one(str(statement), dialect=_DIALECT),
        schema=schema,
        dialect=_DIALECT,
        rules=(qualify, pushdown_projections),
    )
    found: dict[str, set[str]] = {name: set() for name in job.leader.source}
    for scope in traverse_scope(tree):
        for column in scope.columns:
            source = scope.sources.get(column.table)
            if isinstance(source, exp.Table) and source.name in found:
                found[source.name].add(column.name)
    return {name: frozenset(columns) for name, columns in found.items()}


def _schemas(job: Job) -> dict[str, tuple[str, ...]]:
    known = {name: tuple(schema.names) for name, schema in SCHEMAS.items()}
    return known | {d.view_name: tuple(known_values(d).columns) for d in job.dependencies}
