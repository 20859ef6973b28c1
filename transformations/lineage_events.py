"""
Runs as OpenLineage events, for whoever collects lineage across systems (openlineage.io).

Sent when OpenLineage's own configuration says where to (OPENLINEAGE_URL, OPENLINEAGE_CONFIG, …) and
the extra `openlineage` is installed; otherwise nothing of it is imported.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

import structlog

from feature_repo.registry.metadata import FeatureVersion
from foundation import clock
from transformations.runs import Run

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, OutputDataset

_log = structlog.get_logger()

_NAMESPACE = "feature_store"
_PRODUCER = "https://pypi.org/project/feature-store"
_CONFIGURED_BY = "OPENLINEAGE_"
_LONGEST_WAIT_SECONDS = 2.0


@contextlib.contextmanager
def reporting(attempt: Run) -> Iterator[dict[str, int]]:
    """
    Send a START event, and at the end of the block COMPLETE, or FAIL if it raises.

    Events are sent beside the run, which waits a moment for the last one at most. One that can't be
    sent is logged.

    Yields:
        Where to put the number of values by reference, once they are known.
    """
    row_counts: dict[str, int] = {}
    if not any(name.startswith(_CONFIGURED_BY) for name in os.environ):
        yield row_counts
        return
    sender = ThreadPoolExecutor(1, thread_name_prefix="openlineage")
    sender.submit(_send, attempt, "START", {})
    state, message = "COMPLETE", None
    try:
        yield row_counts
    except BaseException as error:
        state, message = "FAIL", str(error) or type(error).__name__
        raise
    finally:
        last = sender.submit(_send, attempt, state, row_counts, error=message)
        wait([last], timeout=_LONGEST_WAIT_SECONDS)
        sender.shutdown(wait=False)


def _send(
    attempt: Run, state: str, row_counts: Mapping[str, int], *, error: str | None = None
) -> None:
    try:
        from openlineage.client import OpenLineageClient  # noqa: PLC0415 - only if configured

        OpenLineageClient().emit(_event(attempt, state, row_counts, error))
    except Exception as problem:  # noqa: BLE001 - of any transport; lineage is not worth a run
        _log.warning("lineage_event_not_sent", job=attempt.job.name, error=str(problem))


def _event(attempt: Run, state: str, row_counts: Mapping[str, int], error: str | None) -> Any:  # noqa: ANN401 - the client's own
    from openlineage.client.event_v2 import Job, RunEvent, RunState  # noqa: PLC0415 - the same
    from openlineage.client.event_v2 import Run as LineageRun  # noqa: PLC0415 - the same
    from openlineage.client.facet_v2 import (  # noqa: PLC0415 - the same
        error_message_run,
        nominal_time_run,
    )

    facets: dict[str, Any] = {
        "nominalTime": nominal_time_run.NominalTimeRunFacet(attempt.as_of.isoformat())
    }
    if error is not None:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(error, "python")
    leader = attempt.job.leader
    return RunEvent(
        eventType=RunState[state],
        eventTime=clock.now().isoformat(),
        run=LineageRun(str(attempt.run_ids[leader.reference]), facets),
        job=Job(_NAMESPACE, attempt.job.name),
        inputs=[_input(name) for name in _input_names(attempt)],
        outputs=[_output(f, row_counts.get(f.reference)) for f in attempt.job.features],
        producer=_PRODUCER,
    )


def _input_names(attempt: Run) -> list[str]:
    return [*attempt.job.leader.source, *(d.view_name for d in attempt.job.dependencies)]


def _input(name: str) -> "InputDataset":
    from openlineage.client.event_v2 import InputDataset  # noqa: PLC0415 - only if configured

    return InputDataset(_NAMESPACE, name)


def _output(feature: FeatureVersion, row_count: int | None) -> "OutputDataset":
    from openlineage.client.event_v2 import OutputDataset  # noqa: PLC0415 - only if configured
    from openlineage.client.facet_v2 import (  # noqa: PLC0415 - the same
        output_statistics_output_dataset,
        schema_dataset,
    )

    columns = {"entity_id": "string", "feature_value": feature.feature_type, "timestamp": "instant"}
    fields = [schema_dataset.SchemaDatasetFacetFields(n, str(t)) for n, t in columns.items()]
    statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(row_count)
    return OutputDataset(
        _NAMESPACE,
        feature.view_name,
        facets={"schema": schema_dataset.SchemaDatasetFacet(fields)},
        outputFacets={} if row_count is None else {"outputStatistics": statistics},
    )
