"""From a job to the expression that it executes."""

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from types import ModuleType

import ibis
import ibis.expr.types as ir

from feature_repo.registry.metadata import FeatureType, FeatureVersion
from feature_repo.stores.sql import dropped_table, known_values_query
from foundation.errors import DefinitionError
from transformations.code_form import code_form
from transformations.jobs import Job
from transformations.source_tables import SCHEMAS, source_table

# Stands for any: what an expression reads and compiles to must not depend on when one asks.
EXAMPLE_INSTANT = datetime(2000, 1, 1, tzinfo=UTC)
_VALUE_TYPES = {
    FeatureType.FLOAT: "float64",
    FeatureType.STRING: "string",
    FeatureType.VECTOR: "array<float32>",
    FeatureType.MAP: "string",  # its JSON text
}


def whole_table(name: str, table: ir.Table) -> ir.Table:  # noqa: ARG001 - whatever its name
    """Return a source table as it is."""
    return table


def job_expression(
    job: Job, *, as_of: datetime, restrict: Callable[[str, ir.Table], ir.Table] = whole_table
) -> ir.Table:
    """
    Return the expression of a job at an instant.

    That is the values themselves, or what a model is fitted to.

    Args:
        job: What to compute.
        as_of: The instant.
        restrict: From a source table's name and the table to the rows that count of it.

    Raises:
        DefinitionError: The job names a computation, source or parameter that does not exist.
    """
    feature = job.leader
    check_sources(feature)
    module = computation_module(feature)
    build: Callable[..., ir.Table] = module.extract if is_model(module) else module.compute
    tables = {name: restrict(name, source_table(name)) for name in feature.source}
    tables |= {known.feature_name: known_values(known) for known in job.dependencies}
    accepted = inspect.signature(build).parameters
    parameters = {
        name: value
        for name, value in feature.parameters.items()
        if name in accepted or not is_model(module)
    }
    try:
        return build(**tables, as_of=as_of, **parameters)
    except TypeError as error:
        raise DefinitionError(
            f"{feature.reference}, parameters: {error}",
            hint=f"`{build.__name__}` of {module.__name__} says what it takes.",
        ) from error


def check_sources(feature: FeatureVersion) -> None:
    """
    Do nothing if every source table of a feature version exists.

    Raises:
        DefinitionError: One does not.
    """
    unknown = [name for name in feature.source if name not in SCHEMAS]
    if unknown:
        raise DefinitionError(
            f"{feature.feature_name}.py: {feature.reference}, source: {unknown[0]!r} is not a "
            "source table",
            hint=f"Source tables are {', '.join(SCHEMAS)}.",
        )


def dependency_queries(
    job: Job, *, as_of: datetime, dropped: Collection[str] = ()
) -> dict[str, str]:
    """
    Return SQL, by table name, of the values that a job depends on, as known at an instant.

    Args:
        job: What depends.
        as_of: The instant.
        dropped: Names of the tables of values that PostgreSQL has dropped.
    """
    return {
        known.view_name: known_values_query(
            known, as_of=as_of, with_dropped=dropped_table(known) in dropped
        )
        for known in job.dependencies
    }


def known_values(feature: FeatureVersion) -> ir.Table:
    """Return the values of a dependency as computations see them, unbound from any engine."""
    columns = dict.fromkeys(feature.join_keys, "!string")
    return ibis.table(
        ibis.schema({**columns, "feature_value": _VALUE_TYPES[feature.feature_type]}),
        name=feature.view_name,
    )


def computation_module(feature: FeatureVersion) -> ModuleType:
    """
    Return the module of a feature version's computation.

    Raises:
        DefinitionError: There is none.
    """
    name = f"transformations.computations.{feature.computation}"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise DefinitionError(f"{feature.reference}, computation: there is no {name}") from error


def is_model(module: ModuleType) -> bool:
    """Tell whether a computation fits a model to what its expression gives."""
    return hasattr(module, "fit")


def code_fingerprint(job: Job) -> str:
    """
    Return a digest of a job's computation with its parameters; equal code, equal digest.

    An expression counts as it is compiled; a model, and what is computed on demand only, by the
    code of its module and of those computations that it imports from, however that is written.
    """
    digest = hashlib.sha256()
    module = computation_module(job.leader)
    has_expression = job.leader.computation_frequency is not None
    if has_expression:
        expression = job_expression(job, as_of=EXAMPLE_INSTANT)
        digest.update(str(ibis.to_sql(expression, dialect="postgres")).encode())
    if is_model(module) or not has_expression:
        for each in _imported_computations(module):
            digest.update(code_form(inspect.getsource(each)).encode())
        digest.update(repr(sorted(job.leader.parameters.items())).encode())
    return digest.hexdigest()


def _imported_computations(module: ModuleType) -> list[ModuleType]:
    """Return a computation's module and those it imports from, however indirectly, by name."""
    package = module.__name__.rpartition(".")[0]
    found: dict[str, ModuleType] = {}
    waiting = [module]
    while waiting:
        current = waiting.pop()
        if current.__name__ not in found and current.__name__.startswith(f"{package}."):
            found[current.__name__] = current
            origins = {getattr(value, "__module__", None) for value in vars(current).values()}
            waiting += [sys.modules[name] for name in origins if name in sys.modules]
    return [found[name] for name in sorted(found)]
