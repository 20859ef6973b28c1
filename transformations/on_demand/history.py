"""
Values on demand as they would have been at instants of the past, for training.

A computation from stored values (`combine`) gets those that were known at each row. One that is a
query of its own needs `past_statement` beside `statement`, which must not read what a source table
says now, but what it said then, such as `product_texts`. The batch expressions that can be filtered
to some entities are left out: their values are stored, and what is not was not there.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.history.extensions import KnownValues
from feature_repo.history.terms import Terms
from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.json_values import VALUE_TYPES
from feature_repo.stores.keys import entity_ids
from foundation.postgres import connect
from foundation.settings import Settings
from transformations.columns_read import columns_read
from transformations.embedding import Embed
from transformations.embedding.process import open_embedder
from transformations.expressions import check_sources, code_fingerprint, computation_module
from transformations.jobs import Job, jobs_of
from transformations.on_demand import execute, is_combined, is_computable
from transformations.on_demand.combination import combined
from transformations.on_demand.plan import Request
from transformations.source_tables import SCHEMAS
from transformations.values import typed_values

Places = npt.NDArray[np.int64]


class PastComputations:
    """What historical retrieval asks of the code that computes features."""

    def covers(self, feature: FeatureVersion) -> bool:
        """Tell whether values of the past can be computed, if they are not stored."""
        module = computation_module(feature)
        return hasattr(module, "past_statement") or is_combined(feature)

    def compute(
        self,
        settings: Settings,
        feature: FeatureVersion,
        rows: pa.Table,
        dependencies: Sequence[KnownValues],
        *,
        terms: Terms,
    ) -> pa.Array:
        """
        Compute values as they would have been.

        Args:
            settings: Say where the source tables are, and name the embedding model.
            feature: What to compute; one that is covered.
            rows: The join keys, and `as_of`, an instant; no null.
            dependencies: What was known at the rows of each version that it is computed from.
            terms: Which of what was written counts.

        Returns:
            One value a row, of the feature's Arrow type; null where there is none.

        Raises:
            ConfigurationError: It takes a model of embeddings, and none is configured.
        """
        if is_combined(feature):
            with open_embedder(settings) as embed:
                return _combined(feature, rows, dependencies, embed)
        return _queried(settings, feature, rows, terms)

    def on_demand(self, feature: FeatureVersion) -> bool:
        """Tell whether values can be computed for one request."""
        return is_computable(feature)

    def fingerprint(self, feature: FeatureVersion, features: Sequence[FeatureVersion]) -> str:
        """
        Return a digest of the code that computes a feature version now.

        Args:
            feature: Whose code.
            features: All that are deployed.
        """
        return code_fingerprint(_job_of(feature, features))

    def columns(
        self, feature: FeatureVersion, features: Sequence[FeatureVersion]
    ) -> Mapping[str, Sequence[str]]:
        """
        Return the columns that a feature version is computed from, by source table.

        Args:
            feature: Whose columns.
            features: All that are defined.
        """
        found = columns_read(_job_of(feature, features))
        return {table: sorted(columns) for table, columns in sorted(found.items())}

    def tables(self, feature: FeatureVersion) -> Mapping[str, Sequence[str]]:
        """
        Return the columns that the source tables of a feature version have.

        Raises:
            DefinitionError: There is no such table.
        """
        check_sources(feature)
        return {name: list(SCHEMAS[name].names) for name in sorted(feature.source)}


def _job_of(feature: FeatureVersion, features: Sequence[FeatureVersion]) -> Job:
    for job in jobs_of(features):
        if feature in job.features:
            return job
    known = {each.reference: each for each in features}
    return Job((feature,), tuple(known[r] for r in feature.dependencies if r in known))


def _queried(settings: Settings, feature: FeatureVersion, rows: pa.Table, terms: Terms) -> pa.Array:
    possible = np.ones(rows.num_rows, bool)
    for key in feature.join_keys:  # PostgreSQL's text holds no NUL
        possible &= ~pc.match_substring(rows[key], "\0").to_numpy().astype(bool)
    places = np.flatnonzero(possible)
    asked = rows.append_column("known_at", _known_at(rows, terms)).take(pa.array(places))
    with connect(settings) as connection:
        found = execute(connection, computation_module(feature).past_statement(asked))
    return _placed(feature, rows.num_rows, places[found["row"].to_numpy()], found["feature_value"])


def _known_at(rows: pa.Table, terms: Terms) -> pa.ChunkedArray:
    """Return of each row the instant after which nothing that was written counts; null: none."""
    instants = rows["as_of"]
    limit = pa.scalar(terms.known_at, instants.type)
    if not terms.known_then:
        return pa.chunked_array([pa.repeat(limit, rows.num_rows)])
    is_earlier = pc.fill_null(pc.less(instants, limit), fill_value=True)
    return pc.if_else(is_earlier, instants, limit)


def _combined(
    feature: FeatureVersion,
    rows: pa.Table,
    dependencies: Sequence[KnownValues],
    embed: Embed,
) -> pa.Array:
    """Combine rows that know values of the same instants together: an entity has one of each."""
    places, values = [], []
    for together in _groups(dependencies):
        some = rows.take(pa.array(together))
        keys = some.select(feature.join_keys)
        request = Request(
            feature=feature,
            module=computation_module(feature),
            wanted=keys.group_by(feature.join_keys).aggregate([]),
            dependencies=(),
            as_of=some["as_of"][0].as_py(),
            embed=embed,
        )
        known = {each.feature.feature_name: _table(each, some, together) for each in dependencies}
        computed = typed_values(feature, combined(request, known))
        identifiers = entity_ids([keys[key] for key in feature.join_keys]).combine_chunks()
        found = pc.index_in(identifiers, computed["entity_id"].combine_chunks())
        has_value = found.is_valid().to_numpy(zero_copy_only=False)
        places.append(together[has_value])
        values.extend(computed["feature_value"].take(found.drop_null()).chunks)
    column = pa.chunked_array(values, VALUE_TYPES[feature.feature_type])
    return _placed(feature, rows.num_rows, np.concatenate([*places, np.array([], int)]), column)


def _groups(dependencies: Sequence[KnownValues]) -> Iterator[Places]:
    """Yield the rows, as their places, whose values are of the same instants."""
    code = np.zeros(len(dependencies[0].timestamps), np.int64)
    for known in dependencies:
        encoded = known.timestamps.dictionary_encode()
        indices = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy()
        # Numbered anew each time, so that no number of instants is too many.
        code = np.unique(code * (len(encoded.dictionary) + 1) + indices, return_inverse=True)[1]
    order = np.argsort(code, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(code[order])) + 1)


def _table(known: KnownValues, rows: pa.Table, places: Places) -> pa.Table:
    """Return the values of a dependency, one an entity, that some rows know."""
    join_keys = list(known.feature.join_keys)
    with_places = rows.select(join_keys).append_column("place", known.places.take(pa.array(places)))
    with_places = with_places.filter(pc.is_valid(with_places["place"]))
    distinct = with_places.group_by([*join_keys, "place"]).aggregate([])
    values = known.values.take(distinct["place"].combine_chunks())
    return distinct.select(join_keys).append_column("feature_value", pa.chunked_array([values]))


def _placed(
    feature: FeatureVersion, count: int, places: Places, values: pa.ChunkedArray
) -> pa.Array:
    """Return a column that has values at some places and is null elsewhere."""
    source = np.full(count, -1, np.int64)
    source[places] = np.arange(len(places))
    column = pa.concat_arrays([pa.array([], VALUE_TYPES[feature.feature_type]), *values.chunks])
    return column.take(pa.array(source, mask=source < 0))
