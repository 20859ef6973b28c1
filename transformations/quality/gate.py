"""Hold frames against expectations (Great Expectations) and refuse what fails."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.data_context.data_context.context_factory import set_context
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
)
from great_expectations.expectations.expectation import Expectation
from great_expectations.render.renderer import ValidationResultsPageRenderer
from great_expectations.render.view import DefaultJinjaPageView

from foundation.errors import QualityGateFailed

_SAMPLE_COUNT = 5


@dataclass(frozen=True)
class Check:
    """
    What one expectation found.

    Attributes:
        check_type: What kind of check: dependency, schema, volume, completeness, clock_skew,
            freshness, anomaly, row_count, null_key, duplicate_key, null, range, vector_length,
            distribution or model_quality.
        subject: What was looked at, a source table or a feature version.
        expectation: What was expected, in words.
        success: Whether it was met.
        observed: What was found instead; None if it was met.
        samples: A few rows that failed, each by its label in the frame and its value.
    """

    check_type: str
    subject: str
    expectation: str
    success: bool
    observed: str | None
    samples: Sequence[Mapping[str, Any]]

    def as_record(self) -> dict[str, Any]:
        """Return the check as JSON-ready fields."""
        return asdict(self)


class Gate:
    """Holds the frames of one run, and remembers what it found for Data Docs."""

    # Great Expectations has one current context in a process, whatever the thread.
    _one_at_a_time = threading.Lock()

    def __init__(self) -> None:
        # By default each context leaves a temporary folder behind.
        stores = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
        with self._one_at_a_time:
            self._context = gx.get_context(
                mode="ephemeral", project_config=DataContextConfig(store_backend_defaults=stores)
            )
        self._context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        self._results: list[Any] = []

    def hold(
        self, frame: pd.DataFrame, expectations: Sequence[Expectation], *, subject: str
    ) -> list[Check]:
        """
        Hold a frame against expectations; one check an expectation, in their order.

        The frame's index labels the samples of rows that fail.
        """
        # Great Expectations hashes the index, and looks it up, once for each expectation: plain
        # positions are far faster than millions of labels.
        labels = frame.index
        frame = frame.set_axis(pd.RangeIndex(len(frame)))
        name = f"{subject} {len(self._results)}"
        with self._one_at_a_time:
            set_context(self._context)
            batch = (
                self._context.data_sources.add_pandas(name)
                .add_dataframe_asset(name)
                .add_batch_definition_whole_dataframe(name)
                .get_batch({"dataframe": frame})
            )
            result = batch.validate(
                gx.ExpectationSuite(name=name, expectations=list(expectations)),
                result_format={
                    "result_format": "SUMMARY",
                    "partial_unexpected_count": _SAMPLE_COUNT,
                    "include_unexpected_rows": False,
                },
            )
        self._results.append(result)
        return [_check(found, subject, labels) for found in result.results]

    def write_data_docs(self, folder: Path) -> list[Path]:
        """Write what was found as HTML pages, one a frame; returns their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        pages = []
        for result in self._results:
            document = ValidationResultsPageRenderer().render(result)
            page = folder / f"{result.suite_name.replace(' ', '-').replace('==', '-')}.html"
            page.write_text(DefaultJinjaPageView().render(document))
            pages.append(page)
        return pages


def refuse_failures(checks: Sequence[Check]) -> None:
    """
    Do nothing if every check succeeded.

    Raises:
        QualityGateFailed: A check failed; the message lists all that did.
    """
    failed = [check for check in checks if not check.success]
    if failed:
        raise QualityGateFailed(
            "the quality gate refused, and the previous values stay:\n"
            + "\n".join(f"  {c.subject}: expected {c.expectation}; {c.observed}" for c in failed),
            hint="`python -m transformations runs --failed` shows the rows that failed.",
        )


def _check(
    found: Any,  # noqa: ANN401 - GX's result has no public type
    subject: str,
    labels: pd.Index,
) -> Check:
    configuration = found.expectation_config
    if found.exception_info.get("raised_exception"):
        observed = f"it could not be checked: {found.exception_info.get('exception_message')}"
    elif found.success:
        observed = None
    else:
        observed = _observed(found.result)
    return Check(
        check_type=configuration.meta["check_type"],
        subject=subject,
        expectation=_in_words(configuration.type, configuration.kwargs),
        success=bool(found.success),
        observed=observed,
        samples=[
            {"row": str(labels[row]), "value": _plain(value)}
            for row, value in zip(
                found.result.get("partial_unexpected_index_list") or (),
                found.result.get("partial_unexpected_list") or (),
                strict=False,
            )
        ],
    )


def _observed(result: Mapping[str, Any]) -> str:
    values = ", ".join(str(_plain(v)) for v in result.get("partial_unexpected_list") or ())
    if result.get("unexpected_count") and result["element_count"] > 1:
        share = f"{result['unexpected_count']} of {result['element_count']} rows fail"
        return f"{share}: {values}" if values else share
    return f"found {values or _plain(result.get('observed_value'))}"


def _in_words(expectation_type: str, kwargs: Mapping[str, Any]) -> str:
    column = kwargs.get("column")
    limits = " and ".join(
        f"at {which} {kwargs[name]:g}"
        for which, name in (("least", "min_value"), ("most", "max_value"))
        if kwargs.get(name) is not None
    )
    return {
        "expect_column_values_to_be_between": f"{column} {limits}",
        "expect_column_mean_to_be_between": f"mean of {column} {limits}",
        "expect_column_values_to_not_be_null": f"no null in {column}",
        "expect_column_values_to_be_unique": f"no {column} twice",
        "expect_column_values_to_be_in_set": f"{column} to be {kwargs.get('value_set')}",
        "expect_table_row_count_to_be_between": f"row count {limits}",
    }[expectation_type]


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever pandas held
    """Return a value that JSON can hold; infinities and NaN as text."""
    if hasattr(value, "item"):
        value = value.item()
    finite = isinstance(value, int | str) or (
        isinstance(value, float) and abs(value) < float("inf")
    )
    return value if finite else str(value)
