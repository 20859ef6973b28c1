"""Hold frames against expectations (Great Expectations) and refuse what fails."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.expectations.expectation import Expectation

from foundation.errors import QualityGateFailed

_SAMPLE_COUNT = 5


@dataclass(frozen=True)
class Check:
    """
    What one expectation found.

    Attributes:
        check_type: What kind of check: volume, completeness, freshness, row_count, null_key,
            duplicate_key, null, range, vector_length or distribution.
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


def hold(frame: pd.DataFrame, expectations: Sequence[Expectation], *, subject: str) -> list[Check]:
    """
    Hold a frame against expectations; one check an expectation, in their order.

    The frame's index labels the samples of rows that fail.
    """
    # Great Expectations hashes the index, and looks it up, once for each expectation: plain
    # positions are far faster than millions of labels.
    labels = frame.index
    frame = frame.set_axis(pd.RangeIndex(len(frame)))
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    batch = (
        context.data_sources.add_pandas(subject)
        .add_dataframe_asset(subject)
        .add_batch_definition_whole_dataframe(subject)
        .get_batch({"dataframe": frame})
    )
    result = batch.validate(
        gx.ExpectationSuite(name=subject, expectations=list(expectations)),
        result_format={
            "result_format": "SUMMARY",
            "partial_unexpected_count": _SAMPLE_COUNT,
            "include_unexpected_rows": False,
        },
    )
    return [_check(found, subject, labels) for found in result.results]


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
