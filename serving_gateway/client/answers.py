"""What the gateway answers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

Value: TypeAlias = float | str | list[float] | dict[str, float] | None


@dataclass(frozen=True)
class Origin:
    """
    Where a value comes from.

    Attributes:
        status: PRESENT, OUTSIDE_MAX_AGE for a stale value, NOT_FOUND for a default.
        served_from: online, offline, on_demand or default.
        version: Of the feature.
        event_timestamp: The instant that the value is about; None for a default.
        staleness_seconds: How long ago that was.
    """

    status: str
    served_from: str
    version: str
    event_timestamp: datetime | None
    staleness_seconds: float | None

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> "Origin":
        """Return the origin that an answer tells."""
        instant = fields["event_timestamp"]
        return cls(
            fields["status"],
            fields["served_from"],
            fields["version"],
            None if instant is None else datetime.fromisoformat(instant),
            fields["staleness_seconds"],
        )


@dataclass(frozen=True)
class Summary:
    """
    What every answer says of its values.

    Attributes:
        versions: The version that was read, by feature name.
        counts: How many values each tier served.
        stale: How many values are older than tolerated.
        degraded: Whether a tier could not answer, and a lower one stood in.
        experiments: The user's variant of each experiment.
    """

    versions: Mapping[str, str]
    counts: Mapping[str, int]
    stale: int
    degraded: bool
    experiments: Mapping[str, str]

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "Summary":
        """Return the summary of an answer's body."""
        return cls(
            body["versions"], body["counts"], body["stale"], body["degraded"], body["experiments"]
        )

    @classmethod
    def join(cls, parts: Sequence["Summary"]) -> "Summary":
        """Return the summary of an answer that came in parts."""
        counts: dict[str, int] = {}
        for part in parts:
            for tier, count in part.counts.items():
                counts[tier] = counts.get(tier, 0) + count
        return cls(
            {name: version for part in parts for name, version in part.versions.items()},
            counts,
            sum(part.stale for part in parts),
            any(part.degraded for part in parts),
            {name: variant for part in parts for name, variant in part.experiments.items()},
        )


@dataclass(frozen=True)
class BatchAnswer:
    """
    Every feature of every entity.

    Attributes:
        values: By entity id, then by feature name.
        summary: What is said of all of them.
        origins: Of each value, if asked for.
    """

    values: Mapping[str, Mapping[str, Value]]
    summary: Summary
    origins: Mapping[str, Mapping[str, Origin]] | None

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "BatchAnswer":
        """Return the answer of a body."""
        told = body.get("metadata")
        return cls(
            body["values"],
            Summary.parse(body),
            None if told is None else {entity: _origins(row) for entity, row in told.items()},
        )

    @classmethod
    def join(cls, parts: Sequence["BatchAnswer"]) -> "BatchAnswer":
        """Return the answer that came in parts, of some entities and some features each."""
        return cls(
            _merged(part.values for part in parts),
            Summary.join([part.summary for part in parts]),
            None if parts[0].origins is None else _merged(part.origins or {} for part in parts),
        )


@dataclass(frozen=True)
class ServiceAnswer:
    """
    A row a product, with every feature of a feature service.

    Attributes:
        rows: `product_id`, and values by feature name.
        summary: What is said of all of them.
        origins: Of each row, by feature name, if asked for.
    """

    rows: Sequence[Mapping[str, Value]]
    summary: Summary
    origins: Sequence[Mapping[str, Origin]] | None

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "ServiceAnswer":
        """Return the answer of a body."""
        told = body.get("metadata")
        return cls(
            body["rows"],
            Summary.parse(body),
            None
            if told is None
            else [_origins({k: v for k, v in row.items() if k != "product_id"}) for row in told],
        )

    @classmethod
    def join(cls, parts: Sequence["ServiceAnswer"]) -> "ServiceAnswer":
        """Return the answer that came in parts, of some products each."""
        return cls(
            [row for part in parts for row in part.rows],
            Summary.join([part.summary for part in parts]),
            None
            if parts[0].origins is None
            else [row for part in parts for row in part.origins or ()],
        )


def _origins(row: Mapping[str, Any]) -> dict[str, Origin]:
    return {name: Origin.parse(fields) for name, fields in row.items()}


def _merged(parts: Iterable[Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    merged: dict[str, dict[str, Any]] = {}
    for part in parts:
        for entity, row in part.items():
            merged.setdefault(entity, {}).update(row)
    return merged
