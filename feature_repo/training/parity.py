"""Did the gateway serve what training is given?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from feature_repo.history.columns import FeatureColumn
from feature_repo.history.entity_rows import INSTANT, EntityRows
from feature_repo.history.extensions import Extensions
from feature_repo.history.retrieval import HistoricalValues
from feature_repo.history.terms import Terms
from feature_repo.registry.catalog import Catalog
from feature_repo.registry.metadata import FeatureType, FeatureVersion
from feature_repo.stores.json_values import VALUE_TYPES, encode
from feature_repo.training.answers import ServedValue
from feature_repo.training.selection import select_exact, wanted_columns
from foundation.errors import ContractViolation
from foundation.settings import Settings

# Redis keeps instants in milliseconds, so the gateway tells no finer ones.
_INSTANT_MICROSECONDS = 1_000

Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True)
class FeatureParity:
    """
    How the answers of one feature version compare with historical retrieval.

    Attributes:
        feature: Which.
        same: Answers that are what training is given; both may be nothing.
        different: Answers about the same instant, or about none, with another value.
        largest_difference: Of numbers, among the different ones.
        lost: Answers from a run that the history should hold, and does not.
        not_kept: Answers from a run that is not kept, for the history has one in each interval
            only, or computed on demand.
        behind: Answers that were older than what was written down already.
        unserved: Defaults, or nothing, though a value was known.
    """

    feature: FeatureVersion
    same: int = 0
    different: int = 0
    largest_difference: float = 0.0
    lost: int = 0
    not_kept: int = 0
    behind: int = 0
    unserved: int = 0

    @property
    def is_batch(self) -> bool:
        """Whether its values are stored by runs, so that there must be no difference."""
        return self.feature.computation_frequency is not None

    @property
    def is_skewed(self) -> bool:
        """Whether training is given something else than was served, where it must not."""
        return self.is_batch and self.different + self.lost > 0


def check_parity(
    settings: Settings,
    extensions: Extensions,
    catalog: Catalog,
    answers: Iterable[ServedValue],
) -> list[FeatureParity]:
    """
    Hold answers against what historical retrieval finds now for their instants.

    Nothing counts that was written after an answer.

    Args:
        settings: Say where everything is.
        extensions: For what PostgreSQL does not hold.
        catalog: What is deployed.
        answers: A sample of what was served.

    Raises:
        ContractViolation: An answer lacks a join key, or its value is of another type.
        UnknownVersion: A version is not deployed any more.
    """
    by_reference: dict[str, list[ServedValue]] = {}
    for answer in answers:
        by_reference.setdefault(answer.feature, []).append(answer)
    found = []
    with HistoricalValues.open(settings, Terms(known_then=True), extensions) as values:
        for reference, served in sorted(by_reference.items()):
            (feature,) = select_exact(catalog, [reference], feature_service=None)
            wanted = wanted_columns(catalog, [feature], extensions, full_feature_names=False)
            (column,) = values.columns(_entity_rows(feature, served), wanted)
            found.append(compare(served, column))
    return found


def compare(served: Sequence[ServedValue], column: FeatureColumn) -> FeatureParity:
    """
    Return how answers compare with the values that were found for them.

    Args:
        served: Answers of one feature version.
        column: What was found for each.

    Raises:
        ContractViolation: A served value is not of the feature's type.
    """
    feature = column.wanted.feature
    answers = _typed(feature, [each.value if each.is_known else None for each in served])
    pairs = zip(_texts(feature, answers), _texts(feature, column.values), strict=True)
    equal = np.array([first == second for first, second in pairs])
    was_known = np.array([each.is_known for each in served])
    is_known = _flags(column.values.is_valid())
    newer, behind = _in_time(served, column)
    passing = np.array([each.served_from == "on_demand" for each in served]) & ~is_known
    newer, behind = newer & ~passing, behind & ~passing
    unserved = ~was_known & is_known
    different = ~(equal | newer | behind | unserved | passing)
    # If each run is kept, one that is not there has been lost.
    keeps_all = feature.computation_frequency == feature.history_interval
    lost = int(newer.sum()) if keeps_all else 0
    return FeatureParity(
        feature=feature,
        same=int((equal & ~newer & ~behind).sum()),
        different=int(different.sum()),
        largest_difference=_largest_difference(answers, column.values, different),
        lost=lost,
        not_kept=int((newer | (passing & ~equal)).sum()) - lost,
        behind=int(behind.sum()),
        unserved=int(unserved.sum()),
    )


def _in_time(served: Sequence[ServedValue], column: FeatureColumn) -> tuple[Flags, Flags]:
    """
    Return which answers are about a later instant than what was found, and which an earlier one.

    Without an instant of its own, an answer is neither.
    """
    is_known = _flags(column.values.is_valid())
    at = pa.array([each.event_timestamp if each.is_known else None for each in served], INSTANT)
    dated = _flags(at.is_valid()) & (_flags(column.timestamps.is_valid()) | ~is_known)
    first, second = (
        each.cast(pa.int64()).fill_null(np.iinfo(np.int64).min).to_numpy()
        for each in (at, column.timestamps)
    )
    newer = dated & (first >= second + _INSTANT_MICROSECONDS)
    behind = dated & is_known & (first + _INSTANT_MICROSECONDS <= second)
    return newer, behind


def _flags(column: pa.Array) -> Flags:
    flags: Flags = column.to_numpy(zero_copy_only=False)
    return flags


def _entity_rows(feature: FeatureVersion, served: Sequence[ServedValue]) -> EntityRows:
    for each in served:
        missing = set(feature.join_keys) - set(each.keys)
        if missing:
            raise ContractViolation(
                f"an answer of {feature.reference} has no {', '.join(sorted(missing))}",
                hint="docs/training.md says what a logged answer looks like.",
            )
    keys = {k: pa.array([each.keys[k] for each in served], pa.string()) for k in feature.join_keys}
    instants = pa.array([each.answered_at for each in served], INSTANT)
    return EntityRows.from_arrow(pa.table({**keys, "event_timestamp": instants}))


def _typed(feature: FeatureVersion, values: Sequence[object]) -> pa.Array:
    if feature.feature_type is FeatureType.MAP:
        values = [list(v.items()) if isinstance(v, dict) else v for v in values]
    try:
        return pa.array(values, VALUE_TYPES[feature.feature_type])
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ContractViolation(f"an answer of {feature.reference}: {error}") from error


def _texts(feature: FeatureVersion, values: pa.Array) -> list[str | None]:
    texts: list[str | None] = encode(values, feature.feature_type).to_pylist()
    return texts


def _largest_difference(first: pa.Array, second: pa.Array, different: Flags) -> float:
    if not pa.types.is_floating(first.type) or not different.any():
        return 0.0
    distance = np.abs(first.to_numpy(zero_copy_only=False) - second.to_numpy(zero_copy_only=False))[
        different
    ]
    return float(np.nanmax(distance)) if np.isfinite(distance).any() else 0.0
