"""A model must come near the last good one, where that was measured."""

from collections.abc import Mapping

import pytest

from transformations.quality import gate
from transformations.quality.model_quality import metric_expectations, metric_frame

RATIOS = {"ndcg_at_20": 0.9}


def _checks(metrics: Mapping[str, float], last: Mapping[str, float]) -> list[gate.Check]:
    expected = metric_expectations(ratios=RATIOS, last_metrics=last)
    return gate.Gate().hold(metric_frame(metrics, ratios=RATIOS), expected, subject="model")


@pytest.mark.parametrize(
    ("metrics", "last"),
    [
        ({"ndcg_at_20": 0.9 * 0.2, "recall_at_20": 0.0}, {"ndcg_at_20": 0.2, "recall_at_20": 0.5}),
        ({"ndcg_at_20": 0.1}, {}),
        ({}, {}),
    ],
    ids=["just as good as it must be", "the first that is measured", "never measured"],
)
def test_a_model_is_good_enough(metrics: Mapping[str, float], last: Mapping[str, float]) -> None:
    """Only the metrics with a ratio count, and only against those of a last good run."""
    gate.refuse_failures(_checks(metrics, last))


@pytest.mark.parametrize(
    ("metrics", "observed"),
    [
        ({"ndcg_at_20": 0.1}, "found 0.1"),
        ({"recall_at_20": 0.1}, "found nan"),
        ({"ndcg_at_20": float("nan")}, "found nan"),
    ],
    ids=["worse", "not measured any more", "not a number"],
)
def test_a_model_is_refused(metrics: Mapping[str, float], observed: str) -> None:
    """The check says what was expected, and what was found."""
    failed = [check for check in _checks(metrics, {"ndcg_at_20": 0.2}) if not check.success]
    [check] = failed
    assert check.check_type == "model_quality"
    assert check.expectation in {"ndcg_at_20 at least 0.18", "no null in ndcg_at_20"}
    assert check.observed == observed
