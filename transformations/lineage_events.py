"""
Runs as OpenLineage events, for whoever collects lineage across systems (openlineage.io).

Sent when OpenLineage's own configuration says where to (OPENLINEAGE_URL, OPENLINEAGE_CONFIG, …) and
the extra `openlineage` is installed; otherwise nothing of it is imported.
"""

# ruff: noqa: PLC0415 - the client, and finding columns, only if configured
import contextlib
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from feature_repo.registry.metadata import FeatureVersion
from foundation import clock
from foundation.postgres import Connection
from transformations.engines.sources import Sources
from transformations.lineage_datasets import NAMESPACE_VARIABLE, Naming, naming_of
from transformations.runs import Run

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import column_lineage_dataset

_log = structlog.get_logger()

_PRODUCER = "https://pypi.org/project/feature-store"
_CONFIGURED_BY = "OPENLINEAGE_"
_LONGEST_WAIT_SECONDS = 2.0


@contextlib.contextmanager
def reporting(attempt: Run, connection: Connection, sources: Sources) -> Iterator[dict[str, int]]:
    """
    Send a START event, and at the end of the block COMPLETE, or FAIL if it raises.

    Events are sent beside the run, which waits a moment for the last one at most. One that can't be
    sent is logged.

    Args:
        attempt: Who runs.
        connection: To the PostgreSQL that it uses.
        sources: Where it finds source tables otherwise.

    Yields:
        Where to put the number of values by reference, once they are known.
    """
    row_counts: dict[str, int] = {}
    if not _is_configured():
        yield row_counts
        return
    told = _Told(attempt, naming_of(connection, sources))
    sender = ThreadPoolExecutor(1, thread_name_prefix="openlineage")
    sender.submit(_send, told, "START", {})
    state, message = "COMPLETE", None
    try:
        yield row_counts
    except BaseException as error:
        state, message = "FAIL", str(error) or type(error).__name__
        raise
    finally:
        last = sender.submit(_send, told, state, row_counts, error=message)
        wait([last], timeout=_LONGEST_WAIT_SECONDS)
        sender.shutdown(wait=False)


def _is_configured() -> bool:
    # A namespace alone is nowhere to send to.
    return any(
        name.startswith(_CONFIGURED_BY) and name != NAMESPACE_VARIABLE for name in os.environ
    )


@dataclass(frozen=True)
class _Told:
    attempt: Run
    naming: Naming


def _send(
    told: _Told, state: str, row_counts: Mapping[str, int], *, error: str | None = None
) -> None:
    try:
        from openlineage.client import OpenLineageClient

        OpenLineageClient().emit(_event(told, state, row_counts, error))
    except Exception as problem:  # noqa: BLE001 - of any transport; lineage is not worth a run
        _log.warning("lineage_event_not_sent", job=told.attempt.job.name, error=str(problem))


def _event(told: _Told, state: str, row_counts: Mapping[str, int], error: str | None) -> Any:  # noqa: ANN401 - the client's own
    from openlineage.client.event_v2 import Job, RunEvent, RunState
    from openlineage.client.event_v2 import Run as LineageRun
    from openlineage.client.facet_v2 import error_message_run, nominal_time_run

    attempt, naming = told.attempt, told.naming
    facets: dict[str, Any] = {
        "nominalTime": nominal_time_run.NominalTimeRunFacet(attempt.as_of.isoformat())
    }
    if error is not None:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(error, "python")
    leader = attempt.job.leader
    columns = _columns(told) if row_counts else None
    return RunEvent(
        eventType=RunState[state],
        eventTime=clock.now().isoformat(),
        run=LineageRun(str(attempt.run_ids[leader.reference]), facets),
        job=Job(naming.namespace, attempt.job.name),
        inputs=_inputs(told),
        outputs=[
            _output(naming, feature, row_counts.get(feature.reference), columns)
            for feature in attempt.job.features
        ],
        producer=_PRODUCER,
    )


def _inputs(told: _Told) -> "list[InputDataset]":
    from openlineage.client.event_v2 import InputDataset

    job, naming = told.attempt.job, told.naming
    names = [naming.table(name) for name in job.leader.source]
    return [InputDataset(*n) for n in (*names, *map(naming.feature, job.dependencies))]


def _columns(told: _Told) -> "column_lineage_dataset.ColumnLineageDatasetFacet":
    """Return what values are computed from: every column that the expression needs."""
    from openlineage.client.facet_v2 import column_lineage_dataset

    from transformations.columns_read import columns_read

    job, naming = told.attempt.job, told.naming
    read = [
        column_lineage_dataset.InputField(*naming.table(table), column)
        for table, columns in columns_read(job).items()
        for column in sorted(columns)
    ]
    read += [
        column_lineage_dataset.InputField(*naming.feature(known), "feature_value")
        for known in job.dependencies
    ]
    return column_lineage_dataset.ColumnLineageDatasetFacet(
        {"feature_value": column_lineage_dataset.Fields(read)}
    )


def _output(
    naming: Naming,
    feature: FeatureVersion,
    row_count: int | None,
    columns: "column_lineage_dataset.ColumnLineageDatasetFacet | None",
) -> "OutputDataset":
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import output_statistics_output_dataset, schema_dataset

    types = {"entity_id": "string", "feature_value": feature.feature_type, "timestamp": "instant"}
    fields = [schema_dataset.SchemaDatasetFacetFields(n, str(t)) for n, t in types.items()]
    facets: dict[str, Any] = {"schema": schema_dataset.SchemaDatasetFacet(fields)}
    if columns is not None:
        facets["columnLineage"] = columns
    statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(row_count)
    return OutputDataset(
        *naming.feature(feature),
        facets=facets,
        outputFacets={} if row_count is None else {"outputStatistics": statistics},
    )
