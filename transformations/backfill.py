"""Compute jobs for a range of past instants."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from foundation.errors import ConfigurationError, ContractViolation
from foundation.postgres import connect
from foundation.settings import Settings
from transformations import past_runs
from transformations.expressions import code_fingerprint
from transformations.jobs import Job
from transformations.orchestration import Ending, Outcome, run_jobs
from transformations.pipeline import Options

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Plan:
    """
    What a backfill computes.

    Attributes:
        jobs: Dependencies first.
        instants: Ascending; each job is computed for each.
        entity_ids: Publish values of these entities only; None: of all.
    """

    jobs: Sequence[Job]
    instants: Sequence[datetime]
    entity_ids: pa.Array | None

    @property
    def scope(self) -> str:
        """What the run record says of the entities: `all`, or a digest of their ids."""
        if self.entity_ids is None:
            return "all"
        text = "\n".join(sorted(self.entity_ids.to_pylist()))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class BackfillReport:
    """
    What a backfill did.

    Attributes:
        outcomes: How each job went, with its instant.
        already_done: Jobs and instants that an earlier call had computed with the same code.
    """

    outcomes: Sequence[tuple[datetime, Outcome]]
    already_done: int

    @property
    def failed(self) -> list[tuple[datetime, Outcome]]:
        """What failed or was skipped."""
        return [(at, o) for at, o in self.outcomes if o.ending is not Ending.SUCCEEDED]

    def as_record(self) -> dict[str, Any]:
        """Return the report as JSON-ready fields."""
        return {
            "already_done": self.already_done,
            "updated": [
                {
                    "feature": report.feature.reference,
                    "as_of": at.isoformat(),
                    "values": report.row_count,
                    "latest_rows_changed": report.latest_row_count,
                    "history_rows_changed": report.history_row_count,
                    "online_values": report.online_row_count,
                }
                for at, outcome in self.outcomes
                for report in outcome.reports
            ],
            "failed": [
                {
                    "job": outcome.job.name,
                    "as_of": at.isoformat(),
                    "status": outcome.ending,
                    "error": outcome.error,
                }
                for at, outcome in self.failed
            ],
        }


def instants_between(start: datetime, end: datetime, *, step: timedelta) -> list[datetime]:
    """
    Return the instants of a backfill: multiples of the step since 1970, from start to end.

    So two backfills of overlapping ranges compute the same instants.

    Raises:
        ConfigurationError: There is none.
    """
    first = _EPOCH + -((_EPOCH - start) // step) * step
    found = list(_steps(first, end, step))
    if not found:
        raise ConfigurationError(
            f"no multiple of {step} lies between {start.isoformat()} and {end.isoformat()}",
            hint="Choose a wider range, or a smaller --step.",
        )
    return found


def read_entity_ids(path: Path) -> pa.Array:
    """
    Read entity ids from a text file, one a line; empty lines don't count.

    Raises:
        ContractViolation: The file can't be read, or holds none.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ContractViolation(
            f"{path}: {error}", hint="Give a text file, one id a line."
        ) from error
    identifiers = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not identifiers:
        raise ContractViolation(f"{path}: holds no entity id", hint="Write one id on each line.")
    return pa.array(identifiers, pa.string())


def backfill(
    settings: Settings,
    plan: Plan,
    *,
    options: Options,
    parallel: int,
    on_progress: Callable[[datetime, int], None],
) -> BackfillReport:
    """
    Compute what is planned, and not yet computed by the same code.

    Values go to the history, and to the stores of what is served only where nothing newer is. What
    fails doesn't stop the rest; call again to go on where a call was cut off.

    Args:
        settings: Where the stores are, and when to try again.
        plan: What to compute.
        options: How to run each job.
        parallel: Instants that are computed at a time.
        on_progress: Called with an instant and the number of its jobs that are done with.
    """
    options = replace(
        options, append_history=True, entity_ids=plan.entity_ids, entity_scope=plan.scope
    )
    remaining = _remaining(settings, plan)
    done = len(plan.jobs) * len(plan.instants) - sum(map(len, remaining.values()))
    for instant in plan.instants:
        on_progress(instant, len(plan.jobs) - len(remaining[instant]))
    outcomes: list[tuple[datetime, Outcome]] = []
    with ThreadPoolExecutor(parallel) as pool:
        futures = {
            pool.submit(
                run_jobs, settings, jobs, as_of=at, options=options, on_start=lambda _: None
            ): at
            for at, jobs in remaining.items()
            if jobs
        }
        try:
            for future in as_completed(futures):
                at = futures[future]
                outcomes += [(at, outcome) for outcome in future.result()]
                on_progress(at, len(remaining[at]))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return BackfillReport(sorted(outcomes, key=lambda entry: entry[0]), already_done=done)


def _remaining(settings: Settings, plan: Plan) -> dict[datetime, list[Job]]:
    with connect(settings) as connection:
        done = {
            job.name: past_runs.computed_instants(
                connection, job, code_fingerprint=code_fingerprint(job), entity_scope=plan.scope
            )
            for job in plan.jobs
        }
    return {at: [job for job in plan.jobs if at not in done[job.name]] for at in plan.instants}


def _steps(first: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    at = first
    while at <= end:
        yield at
        at += step
