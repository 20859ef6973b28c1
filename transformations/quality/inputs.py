"""Check what goes into a computation: schema, completeness, freshness, volume, anomalies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from transformations.engines import Engine
from transformations.expressions import known_values
from transformations.jobs import Job
from transformations.quality import expectations, profile
from transformations.quality.expectations import Arrivals
from transformations.quality.gate import Check, Gate
from transformations.source_tables import source_table


@dataclass(frozen=True)
class InputLimits:
    """
    What inputs are held against.

    Attributes:
        since: Events at or before it have passed the gate already; None: none has.
        as_of: Instant of the run.
        until: Instant after which no row may lie.
        max_age_seconds: Greatest age of the newest event; None for a run about the past.
        past: Profiles of the recent good runs, by table, newest first.
    """

    since: datetime | None
    as_of: datetime
    until: datetime
    max_age_seconds: float | None
    past: Sequence[Mapping[str, Mapping[str, Any]]]


def check_inputs(
    gate: Gate, engine: Engine, job: Job, limits: InputLimits
) -> tuple[dict[str, dict[str, Any]], list[Check]]:
    """
    Profile a job's source tables and hold them against what is expected.

    Returns:
        The profiles by table, ready for the run record; and the checks.

    Raises:
        ContractViolation: A table lacks a column.
    """
    profiles: dict[str, dict[str, Any]] = {}
    checks: list[Check] = []
    for known in job.dependencies:
        counted = engine.execute(known_values(known).aggregate(row_count=lambda t: t.count()))
        checks += gate.hold(
            counted.to_pandas(), expectations.dependency_expectations(), subject=known.reference
        )
    for name in job.leader.source:
        schema = engine.execute(source_table(name).limit(0)).schema
        types = pd.DataFrame([{field.name: str(field.type) for field in schema}])
        checks += gate.hold(types, expectations.schema_expectations(name), subject=name)
        profiles[name] = _profile(engine, name, limits)
        checks += _check_profile(gate, job, name, profiles[name], limits)
        if name == "events":
            checks += _check_bursts(gate, engine, limits)
    return profiles, checks


def _check_bursts(gate: Gate, engine: Engine, limits: InputLimits) -> list[Check]:
    since, as_of = limits.since, limits.as_of
    # Seldom is anything busy, and looking for it is far cheaper than looking for who it was.
    busy = engine.execute(profile.busy_expression(since=since, as_of=as_of))
    if busy.num_rows == 0:
        return []
    bursts = engine.execute(profile.burst_expression(since=since, as_of=as_of))
    return gate.hold(
        profile.burst_frame(bursts), expectations.burst_expectations(), subject="events"
    )


def _profile(engine: Engine, name: str, limits: InputLimits) -> dict[str, Any]:
    expression = profile.profile_expression(
        name, since=limits.since, as_of=limits.as_of, until=limits.until
    )
    seconds = None
    if name == "events" and limits.since is not None:
        seconds = (limits.as_of - limits.since).total_seconds()
    return {**profile.profile_record(engine.execute(expression)), "seconds": seconds}


def _check_profile(
    gate: Gate, job: Job, name: str, record: Mapping[str, Any], limits: InputLimits
) -> list[Check]:
    expected = expectations.source_expectations(
        name,
        max_age_seconds=limits.max_age_seconds if name == "events" else None,
        max_null_shares={
            column.partition(".")[2]: share
            for column, share in job.leader.expectations.max_null_shares.items()
            if column.partition(".")[0] == name
        },
        arrivals=_arrivals(record),
        past=[_arrivals(inputs[name]) for inputs in limits.past if name in inputs],
    )
    frame = profile.profile_frame(dict(record), as_of=limits.as_of)
    return gate.hold(frame, expected, subject=name)


def _arrivals(record: Mapping[str, Any]) -> Arrivals:
    return Arrivals(record["row_count"], record.get("seconds"))
