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

_INSTANT = pa.timestamp("us", "UTC")
_STORED = pa.schema({"entity_id": pa.string(), "feature_value": pa.string(), "timestamp": _INSTANT})


def plan(request: Request) -> Plan:
    """
    Return the plan of a module with `combine(wanted, *, <dependencies>, <parameters>)`.

    Dependencies are given by their feature names, as the join keys and `feature_value` of those
    wanted entities that have one that is no older than their look-back, as in training. It gets the
    parameters that it takes, and `embed` if it takes it.

    A value that is kept is as old as the oldest of those that it is made from: its `timestamp`. One
    that is made for each request is of now.
    """

    def finish(results: Mapping[str, pa.Table]) -> pa.Table:
        known = {
            d.feature_name: _known_values(d, request.wanted, results[d.feature_name])
            for d in request.dependencies
        }
        result = combined(request, known)
        if not request.feature.serving_location:
            return result
        made_at = [_made_at(d, result, results[d.feature_name]) for d in request.dependencies]
        now = pa.scalar(request.as_of, _INSTANT).cast(pa.int64())
        oldest = pc.min_element_wise(*made_at, now).cast(_INSTANT)
        return result.append_column("timestamp", oldest)

    return Plan(
        {d.feature_name: _latest(d, request) for d in request.dependencies},
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


def _latest(dependency: FeatureVersion, request: Request) -> Statement:
    identifiers = _entities(dependency, request.wanted)["entity_id"].to_pylist()
    since = request.as_of - dependency.look_back
    return Statement(
        LATEST_VALUES, (dependency.feature_name, dependency.version, identifiers, since), _STORED
    )


def _made_at(dependency: FeatureVersion, result: pa.Table, stored: pa.Table) -> pa.ChunkedArray:
    """Return the event timestamp of a dependency at each row of a result; null without a value."""
    identifiers = entity_ids([result[key] for key in dependency.join_keys])
    rows = pc.index_in(identifiers, stored["entity_id"].combine_chunks())
    # Of timestamps Arrow finds no least.
    return pc.take(stored["timestamp"], rows).cast(pa.int64())


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
