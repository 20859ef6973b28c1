"""Computations from the stored values of dependencies, such as vectors and factors."""

import contextlib
import inspect
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.json_checks import unsound_rows
from feature_repo.stores.json_values import decode
from feature_repo.stores.keys import entity_ids
from feature_repo.stores.sql import LATEST_VALUES
from transformations.computations.statements import Statement
from transformations.on_demand.plan import Plan, Request

_STORED = pa.schema({"entity_id": pa.string(), "feature_value": pa.string()})


def plan(request: Request) -> Plan:
    """
    Return the plan of a module with `combine(wanted, *, <dependencies>, <parameters>)`.

    Dependencies are given by their feature names, as the join keys and `feature_value` of those
    wanted entities that have one. It gets the parameters that it takes, and `embed` if it takes it.
    """

    def finish(results: Mapping[str, pa.Table]) -> pa.Table:
        known = {
            d.feature_name: _known_values(d, request.wanted, results[d.feature_name])
            for d in request.dependencies
        }
        return combined(request, known)

    return Plan(
        {d.feature_name: _latest(d, request.wanted) for d in request.dependencies},
        finish,
        embeds="embed" in inspect.signature(request.module.combine).parameters,
    )


def combined(request: Request, known: Mapping[str, pa.Table]) -> pa.Table:
    """
    Return what a module combines.

    Args:
        request: What is wanted of which module.
        known: By feature name of a dependency: its join keys and `feature_value`, of those wanted
            entities that have one.

    Returns:
        The join keys and `feature_value`, of those wanted entities that have one.
    """
    combine = request.module.combine
    offered = {**request.feature.parameters, "embed": request.embed}
    accepted = inspect.signature(combine).parameters
    extra = {name: value for name, value in offered.items() if name in accepted}
    result: pa.Table = combine(request.wanted, **known, **extra)
    return result


def _latest(dependency: FeatureVersion, wanted: pa.Table) -> Statement:
    identifiers = _entities(dependency, wanted)["entity_id"].to_pylist()
    return Statement(
        LATEST_VALUES, (dependency.feature_name, dependency.version, identifiers), _STORED
    )


def _known_values(dependency: FeatureVersion, wanted: pa.Table, stored: pa.Table) -> pa.Table:
    stored, values = _sound(dependency, stored)
    entities = _entities(dependency, wanted)
    rows = pc.index_in(entities["entity_id"], stored["entity_id"].combine_chunks())
    return (
        entities.filter(rows.is_valid())
        .select(dependency.join_keys)
        .append_column(
            "feature_value", pa.chunked_array([values.take(rows.drop_null().combine_chunks())])
        )
    )


def _sound(dependency: FeatureVersion, stored: pa.Table) -> tuple[pa.Table, pa.Array]:
    """Return the rows that hold values of a dependency, and the values."""
    with contextlib.suppress(pa.ArrowException, AttributeError):
        values = _decoded(dependency, stored)
        if not values.null_count and _have_length(values, dependency.vector_length):
            return stored, values
    # Looking at each takes a third as long as decoding, so it is done only where something is odd.
    texts = stored["feature_value"].cast(pa.binary()).to_pylist()
    unsound = set(unsound_rows(dependency, texts))
    sound = stored.take(pa.array([n for n in range(len(texts)) if n not in unsound], pa.int64()))
    return sound, _decoded(dependency, sound)


def _decoded(dependency: FeatureVersion, stored: pa.Table) -> pa.Array:
    return decode(stored["feature_value"].combine_chunks(), dependency.feature_type)


def _have_length(values: pa.Array, length: int | None) -> bool:
    return length is None or set(pc.unique(pc.list_value_length(values)).to_pylist()) <= {length}


def _entities(dependency: FeatureVersion, wanted: pa.Table) -> pa.Table:
    """Return a dependency's distinct join keys among the wanted entities, with their ids."""
    keys = wanted.select(dependency.join_keys).group_by(dependency.join_keys).aggregate([])
    return keys.append_column("entity_id", entity_ids([keys[k] for k in dependency.join_keys]))
