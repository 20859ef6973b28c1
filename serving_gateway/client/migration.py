"""
From features that a service computes inline to features that it reads, one at a time.

The steps of a call, for the readers that wait and await: no input or output. A generator yields the
steps that it wants taken, is sent their outcomes, and returns what comes of them.
"""

import logging
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from serving_gateway.client.answers import BatchAnswer, Value
from serving_gateway.client.errors import PartialAnswer, UnknownName, VersionNotServed
from serving_gateway.client.parity import Mode, ParityLedger

_log = logging.getLogger(__name__)

_NOT_FOUND = "NOT_FOUND"
# Refusals of a batch for which one feature is enough.
_OF_ONE_FEATURE = (UnknownName, VersionNotServed)


@dataclass(frozen=True)
class Column:
    """
    Values of a feature.

    Attributes:
        values: By entity id; may hold defaults of what is missing.
        missing: Entities that have none.
    """

    values: Mapping[str, Value]
    missing: Sequence[str]

    @property
    def found(self) -> dict[str, Value]:
        """The values without defaults."""
        missing = set(self.missing)
        return {entity: value for entity, value in self.values.items() if entity not in missing}


@dataclass(frozen=True)
class Compute:
    """A step: compute a feature inline."""

    feature_name: str
    entity_ids: Sequence[str]

    def columns(self, values: Mapping[str, Value]) -> dict[str, Column]:
        """Return what the inline function says of the entities that it was asked for."""
        column = {entity: values[entity] for entity in self.entity_ids if entity in values}
        return {self.feature_name: Column(column, [e for e in self.entity_ids if e not in column])}


@dataclass(frozen=True)
class Read:
    """A step: read features from the store, with metadata."""

    feature_names: Sequence[str]
    entity_ids: Sequence[str]

    def columns(self, answer: BatchAnswer) -> dict[str, Column]:
        """Return what the store says, feature by feature."""
        origins = answer.origins or {}
        return {
            name: Column(
                {entity: answer.values[entity][name] for entity in self.entity_ids},
                [e for e in self.entity_ids if origins[e][name].status == _NOT_FOUND],
            )
            for name in self.feature_names
        }


@dataclass(frozen=True)
class Outcome:
    """
    What came of a step.

    Attributes:
        seconds: How long it took.
        columns: By feature; none if it failed.
        error: Why it failed; None if it did not.
    """

    seconds: float
    columns: Mapping[str, Column]
    error: Exception | None = None


T = TypeVar("T")
Step: TypeAlias = Compute | Read
# The steps of a list have nothing to do with each other; outcomes come in their order.
Steps: TypeAlias = Generator[Sequence[Step], Sequence[Outcome], T]


@dataclass(frozen=True)
class Stored:
    """
    What came of features that are read.

    Attributes:
        values: By feature, then by entity id.
        errors: Why others could not be read, by feature.
    """

    values: Mapping[str, Mapping[str, Value]]
    errors: Mapping[str, Exception]


class Call:
    """
    One call of a reader.

    Args:
        entity_ids: Whose features.
        modes: How far each feature has come.
        computable: Features that have an inline computation.
        ledger: Counts what happens.

    Raises:
        KeyError: A feature has no inline computation, and its mode needs one.
    """

    def __init__(
        self,
        entity_ids: Sequence[str],
        modes: Mapping[str, Mode],
        computable: Collection[str],
        ledger: ParityLedger,
    ) -> None:
        for name, mode in modes.items():
            if mode is not Mode.STORE_ONLY and name not in computable:
                raise KeyError(f"{name}: the mode {mode} needs an inline computation")
        self._entity_ids = list(entity_ids)
        self._modes = modes
        self._ledger = ledger

    def compute(self) -> Steps[dict[str, Column]]:
        """
        Compute what is computed inline anyway.

        Raises:
            Exception: What a computation raises; it is the caller's.
        """
        wanted = {n: self._entity_ids for n, mode in self._modes.items() if mode is Mode.INLINE}
        outcomes = yield from self._computed(Mode.INLINE, wanted)
        for outcome in outcomes.values():
            if outcome.error is not None:
                raise outcome.error
        return {name: outcome.columns[name] for name, outcome in outcomes.items()}

    def compare(self, computed: Mapping[str, Column]) -> Steps[None]:
        """Read in the shadow what was computed inline, and compare."""
        outcomes = yield from self._read(list(computed))
        for name, outcome in outcomes.items():
            if outcome.error is None:
                self._ledger.compare(
                    name, Mode.INLINE, computed[name].found, outcome.columns[name].found
                )
            else:
                _log.info("%s: not compared, the store does not answer: %s", name, outcome.error)

    def drop(self, computed: Mapping[str, Column]) -> None:
        """Count that a comparison was left out, or came to nothing."""
        for name in computed:
            self._ledger.dropped(name, Mode.INLINE)

    def read(self) -> Steps[Stored]:
        """
        Read what is read from the store, and compute what it lacks where that is still allowed.

        Raises:
            Exception: What a computation raises for a feature that could not be read either.
        """
        names = [name for name, mode in self._modes.items() if mode is not Mode.INLINE]
        if not names:
            return Stored({}, {})
        read = yield from self._read(names)
        lacking = {
            name: self._entity_ids if outcome.error else outcome.columns[name].missing
            for name, outcome in read.items()
            if self._modes[name] is Mode.STORE
        }
        computed = yield from self._computed(
            Mode.STORE, {name: entity_ids for name, entity_ids in lacking.items() if entity_ids}
        )
        values: dict[str, Mapping[str, Value]] = {}
        errors: dict[str, Exception] = {}
        for name, outcome in read.items():
            if outcome.error is not None and name not in computed:
                errors[name] = outcome.error
            else:
                values[name] = _mended(name, outcome, computed.get(name))
        return Stored(values, errors)

    def answer(self, computed: Mapping[str, Column], stored: Stored) -> dict[str, dict[str, Value]]:
        """
        Return all values as {entity_id: {feature_name: value}}.

        Raises:
            PartialAnswer: Some of the features could not be read.
            ClientError: None of them could.
        """
        columns = {name: column.values for name, column in computed.items()} | dict(stored.values)
        rows = {
            entity: {name: columns[name].get(entity) for name in self._modes if name in columns}
            for entity in self._entity_ids
        }
        if not stored.errors:
            return rows
        first = next(iter(stored.errors.values()))
        if columns:
            raise PartialAnswer(rows, stored.errors) from first
        raise first

    def _computed(
        self, mode: Mode, wanted: Mapping[str, Sequence[str]]
    ) -> Steps[dict[str, Outcome]]:
        outcomes = yield [Compute(name, entity_ids) for name, entity_ids in wanted.items()]
        for name, outcome in zip(wanted, outcomes, strict=True):
            if outcome.error is not None:
                self._ledger.inline_failed(name, mode)
            else:
                count = len(outcome.columns[name].values)
                self._ledger.computed(name, mode, count=count, seconds=outcome.seconds)
        return dict(zip(wanted, outcomes, strict=True))

    def _read(self, names: Sequence[str]) -> Steps[dict[str, Outcome]]:
        """Read features together; each by itself if one that is refused may spoil the others."""
        [together] = yield [Read(names, self._entity_ids)]
        outcomes = dict.fromkeys(names, together)
        if len(names) > 1 and isinstance(together.error, _OF_ONE_FEATURE):
            apart = yield [Read([name], self._entity_ids) for name in names]
            outcomes = dict(zip(names, apart, strict=True))
        for name, outcome in outcomes.items():
            if outcome.error is not None:
                self._ledger.store_failed(name, self._modes[name])
            else:
                self._ledger.store_read(
                    name,
                    self._modes[name],
                    asked=len(self._entity_ids),
                    missing=len(outcome.columns[name].missing),
                    seconds=outcome.seconds,
                )
        return outcomes


def _mended(name: str, read: Outcome, computed: Outcome | None) -> Mapping[str, Value]:
    """Return what the store has, with what was computed in place of what it lacks."""
    if read.error is not None and computed is not None:
        if computed.error is not None:
            raise computed.error from read.error
        _log.warning("%s: computed inline, the store does not answer: %s", name, read.error)
        return computed.columns[name].values
    stored = read.columns[name].values
    if computed is None:
        return stored
    if computed.error is not None:
        _log.warning("%s: not computed inline, defaults stay: %s", name, computed.error)
        return stored
    return {**stored, **computed.columns[name].values}
