"""Are answers what training is given? Nothing here reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from feature_repo.history.columns import FeatureColumn
from feature_repo.history.entity_rows import INSTANT
from feature_repo.registry.metadata import FeatureType, FeatureVersion
from feature_repo.stores.json_values import VALUE_TYPES, encode
from feature_repo.stores.run_facts import PublishedRun
from feature_repo.training.answers import ServedValue
from foundation.errors import ContractViolation

Flags = npt.NDArray[np.bool_]
Microseconds = npt.NDArray[np.int64]

# Redis keeps instants in milliseconds, so the gateway tells no finer ones.
_PRECISION = 1_000
_NEVER = np.iinfo(np.int64).min // 2


@dataclass(frozen=True)
class FeatureParity:
    """
    How the answers of one feature version compare with historical retrieval.

    Attributes:
        feature: Which.
        same: Answers that are what training is given; both may be nothing.
        different: Answers about the same instant, or about none, with another value.
        largest_difference: Of numbers, among the different ones.
        outdated: Answers with another value that were older than what had been written down for
            longer than the staleness tolerance, or than training looks back.
        withheld: Defaults, or nothing, though another value had been written down for longer than
            the staleness tolerance.
        unrecorded: Answers from no run on record, or with a value beyond all that the run had.
        lost: Answers from a run that the history should hold, and does not.
        not_kept: Answers from a run that is not kept, for the history has one in each interval
            only, or computed on demand.
        behind: Answers that were older than what was written down already, within the tolerance.
        unserved: Defaults, or nothing, though a value was known, within the tolerance.
    """

    feature: FeatureVersion
    same: int = 0
    different: int = 0
    largest_difference: float = 0.0
    outdated: int = 0
    withheld: int = 0
    unrecorded: int = 0
    lost: int = 0
    not_kept: int = 0
    behind: int = 0
    unserved: int = 0

    @property
    def is_batch(self) -> bool:
        """Whether its values are stored by runs, so that there must be no difference."""
        return self.feature.computation_frequency is not None

    @property
    def skewed_count(self) -> int:
        """Of how many answers training is given something else."""
        return self.different + self.outdated + self.withheld + self.unrecorded + self.lost

    @property
    def is_skewed(self) -> bool:
        """Whether training is given something else than was served, where it must not."""
        return self.is_batch and self.skewed_count > 0

    @property
    def compared_count(self) -> int:
        """How many answers could be held against a value, or the lack of one."""
        return self.same + self.skewed_count


@dataclass(frozen=True)
class Known:
    """
    What is known of answers of one feature version.

    Attributes:
        at_answer: What historical retrieval finds at each answer, of what was written by then.
        long_before: The same, a staleness tolerance before.
        runs: Those that published values as of the answers' event timestamps.
        recorded_since: Of runs as of instants before it the records may be gone.
        on_demand: Whether values can be computed for a request, so that there need be no run.
    """

    at_answer: FeatureColumn
    long_before: FeatureColumn
    runs: Sequence[PublishedRun]
    recorded_since: datetime
    on_demand: bool


def judge(served: Sequence[ServedValue], known: Known) -> FeatureParity:
    """
    Return how answers compare with what is known of them.

    Args:
        served: Answers of one feature version.
        known: The same number of values.

    Raises:
        ContractViolation: A served value is not of the feature's type.
    """
    feature = known.at_answer.wanted.feature
    answers, found = _answered(feature, served), _found(known.at_answer)
    verdicts = _verdicts(feature, served, answers, found, known)
    return FeatureParity(
        feature=feature,
        largest_difference=_largest_difference(answers.values, found.values, verdicts["different"]),
        **{name: int(flags.sum()) for name, flags in verdicts.items()},
    )


@dataclass(frozen=True)
class _Timed:
    """Values, whether each is one, whether it is of an instant, and of which, in microseconds."""

    values: pa.Array
    is_known: Flags
    is_dated: Flags
    at: Microseconds


def _verdicts(
    feature: FeatureVersion,
    served: Sequence[ServedValue],
    answers: _Timed,
    found: _Timed,
    known: Known,
) -> dict[str, Flags]:
    """Return, by verdict, of which answers it is the one; each answer has one."""
    before = _found(known.long_before)
    agrees = _texts(feature, answers.values) == _texts(feature, found.values)
    on_demand = np.array([each.served_from == "on_demand" for each in served])
    passing = answers.is_known & on_demand & ~found.is_known
    is_dated = answers.is_dated & (found.is_dated | ~found.is_known) & ~passing
    newer = is_dated & (answers.at >= found.at + _PRECISION)
    older = is_dated & found.is_known & (answers.at + _PRECISION <= found.at)
    unserved = ~answers.is_known & found.is_known
    same = np.where(answers.is_known, agrees, ~found.is_known) & ~newer & ~older
    forgotten = newer & ~found.is_known & (answers.at < _oldest(feature, served))
    overtaken = older & ~agrees & before.is_known & (answers.at + _PRECISION <= before.at)
    withheld = unserved & ~agrees & before.is_known
    unkept = newer & ~forgotten
    # If each run is kept, one that is not there has been lost.
    keeps_all = feature.computation_frequency == feature.history_interval
    lost = unkept & ~on_demand & keeps_all
    unrecorded = unkept & ~lost & ~_may_be_of_run(answers, known)
    return {
        "same": same,
        "different": ~(same | newer | older | unserved | passing),
        "outdated": forgotten | overtaken,
        "withheld": withheld,
        "unrecorded": unrecorded,
        "lost": lost,
        "not_kept": (unkept & ~lost & ~unrecorded) | passing,
        "behind": older & ~overtaken,
        "unserved": unserved & ~withheld,
    }


def _answered(feature: FeatureVersion, served: Sequence[ServedValue]) -> _Timed:
    instants = pa.array(
        [each.event_timestamp if each.is_known else None for each in served], INSTANT
    )
    return _Timed(
        values=_typed(feature, [each.value for each in served]),
        is_known=np.array([each.is_known for each in served]),
        is_dated=_flags(instants.is_valid()),
        at=_microseconds(instants),
    )


def _found(column: FeatureColumn) -> _Timed:
    return _Timed(
        values=column.values,
        is_known=_flags(column.values.is_valid()),
        is_dated=_flags(column.timestamps.is_valid()),
        at=_microseconds(column.timestamps),
    )


def _oldest(feature: FeatureVersion, served: Sequence[ServedValue]) -> Microseconds:
    """Return of each answer the oldest instant of which a value would count."""
    oldest = [each.answered_at - feature.look_back for each in served]
    return _microseconds(pa.array(oldest, INSTANT))


def _may_be_of_run(answers: _Timed, known: Known) -> Flags:
    """
    Return which answers may come from a run on record, from one that was, or on demand.

    One that is of a run's instant has a value that is within what the run's values are within.
    """
    since = _microseconds(pa.array([known.recorded_since], INSTANT))
    anyway: Flags = (answers.at < since) | known.on_demand
    if not known.runs:
        return anyway
    instants = _microseconds(pa.array([run.as_of for run in known.runs], INSTANT))
    next_run = np.minimum(np.searchsorted(instants, answers.at), len(instants) - 1)
    last_run = np.maximum(next_run - 1, 0)
    is_next = np.abs(instants[next_run] - answers.at) < np.abs(instants[last_run] - answers.at)
    run = np.where(is_next, next_run, last_run)
    is_of_run: Flags = np.abs(instants[run] - answers.at) < _PRECISION
    if not pa.types.is_floating(answers.values.type):
        return is_of_run | anyway
    numbers = answers.values.to_numpy(zero_copy_only=False)
    least = np.array([-np.inf if r.least is None else r.least for r in known.runs])[run]
    greatest = np.array([np.inf if r.greatest is None else r.greatest for r in known.runs])[run]
    is_within: Flags = (least <= numbers) & (numbers <= greatest)
    return np.where(is_of_run, is_within, anyway)


def _typed(feature: FeatureVersion, values: Sequence[object]) -> pa.Array:
    if feature.feature_type is FeatureType.MAP:
        values = [list(v.items()) if isinstance(v, dict) else v for v in values]
    try:
        return pa.array(values, VALUE_TYPES[feature.feature_type])
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ContractViolation(f"an answer of {feature.reference}: {error}") from error


def _texts(feature: FeatureVersion, values: pa.Array) -> npt.NDArray[np.object_]:
    return np.array(encode(values, feature.feature_type).to_pylist(), object)


def _microseconds(instants: pa.Array) -> Microseconds:
    integers: Microseconds = instants.cast(pa.int64()).fill_null(_NEVER).to_numpy()
    return integers


def _flags(column: pa.Array) -> Flags:
    flags: Flags = column.to_numpy(zero_copy_only=False)
    return flags


def _largest_difference(first: pa.Array, second: pa.Array, different: Flags) -> float:
    if not pa.types.is_floating(first.type) or not different.any():
        return 0.0
    distance = np.abs(first.to_numpy(zero_copy_only=False) - second.to_numpy(zero_copy_only=False))[
        different
    ]
    return float(np.nanmax(distance)) if np.isfinite(distance).any() else 0.0
