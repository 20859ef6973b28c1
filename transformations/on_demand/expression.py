"""Batch computations over the rows of the wanted entities only, by the same expression."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from operator import itemgetter

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from feature_repo.registry.metadata import FeatureVersion
from transformations.computations.statements import Statement
from transformations.engines.postgres import with_queries
from transformations.expressions import computation_module, dependency_queries, job_expression
from transformations.jobs import Job
from transformations.on_demand.plan import Plan, Request

_WANTED = "wanted_entities"
# Compiling takes 10 ms; gateways ask for many entities at one instant.
_KEPT_COMPILED = 256


def plan(request: Request) -> Plan:
    """Return the plan of a module with `compute` and `FILTERABLE`, names of source tables."""
    text, schema = _compiled(
        request.feature.model_dump_json(),
        tuple(dependency.model_dump_json() for dependency in request.dependencies),
        request.as_of,
    )
    columns = [request.wanted[join_key].to_pylist() for join_key in request.feature.join_keys]
    return Plan({"values": Statement(text, columns, schema)}, itemgetter("values"))


@lru_cache(maxsize=_KEPT_COMPILED)
def _compiled(
    feature_json: str, dependency_jsons: Sequence[str], as_of: datetime
) -> tuple[str, pa.Schema]:
    """Return the SQL and its result's schema; metadata come as JSON, which can be looked up."""
    feature = FeatureVersion.model_validate_json(feature_json)
    job = Job((feature,), [FeatureVersion.model_validate_json(text) for text in dependency_jsons])
    filterable = computation_module(feature).FILTERABLE
    wanted = ibis.table(ibis.schema(dict.fromkeys(feature.join_keys, "!string")), name=_WANTED)

    def restrict(name: str, table: ir.Table) -> ir.Table:
        return table.semi_join(wanted, feature.join_keys) if name in filterable else table

    expression = job_expression(job, as_of=as_of, restrict=restrict)
    arrays = ", ".join(f"${position}::text[]" for position in range(1, len(feature.join_keys) + 1))
    # Names of join keys are checked where they are declared, and values are parameters.
    entities = f"SELECT * FROM unnest({arrays}) AS entity ({', '.join(feature.join_keys)})"  # noqa: S608
    queries = dependency_queries(job, as_of=as_of) | {_WANTED: entities}
    text = with_queries(str(ibis.to_sql(expression, dialect="postgres")), queries)
    return text, expression.schema().to_pyarrow()
