"""A model that is worse than the one being served is not published."""

from collections.abc import Mapping

import pandas as pd
from great_expectations import expectations as gxe
from great_expectations.expectations.expectation import Expectation

_META = {"check_type": "model_quality"}


def metric_frame(metrics: Mapping[str, float], *, ratios: Mapping[str, float]) -> pd.DataFrame:
    """Return those of a model's metrics that must hold, as one row; null where it has none."""
    return pd.DataFrame([{name: metrics.get(name) for name in ratios}], dtype="float64")


def metric_expectations(
    *, ratios: Mapping[str, float], last_metrics: Mapping[str, float]
) -> list[Expectation]:
    """
    Return what a model's metrics must meet, one row in all.

    Args:
        ratios: By metric, the least share of the last good run's value; greater is better.
        last_metrics: Metrics of the last good run; empty before the first. A metric that it has
            not got is not held against anything, and one that it has must not be lost.
    """
    expectations: list[Expectation] = []
    for name, ratio in ratios.items():
        if name in last_metrics:
            least = ratio * last_metrics[name]
            expectations += [
                gxe.ExpectColumnValuesToNotBeNull(column=name, meta=_META),
                gxe.ExpectColumnValuesToBeBetween(column=name, min_value=least, meta=_META),
            ]
    return expectations
