"""From a feature version to the expression that computes it."""

import hashlib
import importlib
from datetime import UTC, datetime

import ibis
import ibis.expr.types as ir

from feature_repo.registry.metadata import FeatureVersion
from foundation.errors import DefinitionError
from transformations.source_tables import SCHEMAS, source_table

# Any fixed instant does: a fingerprint must not depend on when it is taken.
_FINGERPRINT_AS_OF = datetime(2000, 1, 1, tzinfo=UTC)


def feature_expression(feature: FeatureVersion, *, as_of: datetime) -> ir.Table:
    """
    Return the expression of a feature version's values at an instant.

    Raises:
        DefinitionError: The version names a computation, source or parameter that does not exist.
    """
    unknown = [name for name in feature.source if name not in SCHEMAS]
    if unknown:
        raise DefinitionError(
            f"{feature.reference}, source: {unknown[0]!r} is not a source table",
            hint=f"Source tables are {', '.join(SCHEMAS)}.",
        )
    module_name = f"transformations.computations.{feature.computation}"
    try:
        module = importlib.import_module(module_name)
        expression: ir.Table = module.compute(
            **{name: source_table(name) for name in feature.source},
            as_of=as_of,
            **feature.parameters,
        )
    except ModuleNotFoundError as error:
        if error.name != module_name:
            raise
        raise DefinitionError(
            f"{feature.reference}, computation: there is no {module_name}"
        ) from error
    except TypeError as error:
        raise DefinitionError(
            f"{feature.reference}, parameters: {error}",
            hint=f"`compute` of {module_name} says what it takes.",
        ) from error
    return expression


def code_fingerprint(feature: FeatureVersion) -> str:
    """Return a digest of the compiled expression with its parameters; equal code, equal digest."""
    expression = feature_expression(feature, as_of=_FINGERPRINT_AS_OF)
    return hashlib.sha256(str(ibis.to_sql(expression, dialect="postgres")).encode()).hexdigest()
