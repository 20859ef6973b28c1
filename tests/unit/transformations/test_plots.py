"""The figure of a model's quality shows the newest run, all runs, and which of them failed."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes

from foundation.errors import ContractViolation
from transformations.plots import model_quality_figure

AS_OF = datetime(2026, 6, 1, 12, tzinfo=UTC)


def _run(days_ago: int, value: float, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    metrics = {
        f"{prefix}{measure}_at_{cut_off}": value * share
        for prefix, share in (("", 1.0), ("baseline_", 0.5))
        for measure in ("recall", "ndcg")
        for cut_off in (5, 20)
    }
    as_of = AS_OF - timedelta(days=days_ago)
    run = {"as_of": as_of, "started_at": as_of, "status": "succeeded", "metrics": metrics}
    return {**run, **changes}


def _lines(axes: Axes) -> list[list[float]]:
    return [np.asarray(line.get_ydata(), float).tolist() for line in axes.get_lines()]


def test_the_newest_run_and_all_runs_are_drawn() -> None:
    """Left the newest run by cut-off, right cut-off 20 of all; model first, then baseline."""
    figure = model_quality_figure([_run(0, 0.4), _run(2, 0.2), _run(1, 0.3)], title="Title")
    assert len(figure.axes) == 4
    for left, right in (figure.axes[:2], figure.axes[2:]):
        assert _lines(left) == [[0.4, 0.4], [0.2, 0.2]]
        assert _lines(right) == [[0.2, 0.3, 0.4], [0.1, 0.15, 0.2]]
    assert [label.get_text() for label in figure.axes[2].get_xticklabels()] == ["5", "20"]


def test_a_failed_run_stands_off_the_line() -> None:
    """It is a mark of its own, at its own instant."""
    figure = model_quality_figure([_run(0, 0.4), _run(1, 0.1, status="failed")], title="Title")
    assert _lines(figure.axes[1]) == [[0.4], [0.2], [0.1]]
    failed = figure.axes[1].get_lines()[2]
    assert np.asarray(failed.get_xdata()).tolist() == [AS_OF - timedelta(days=1)]


def test_a_run_counts_once() -> None:
    """Runs without metrics are left out; of one instant the attempt started last counts."""
    later = AS_OF + timedelta(hours=1)
    runs = [_run(0, 0.4, started_at=later), _run(0, 0.1), _run(1, 0.3, metrics={})]
    figure = model_quality_figure(runs, title="Title")
    assert _lines(figure.axes[1]) == [[0.4], [0.2]]


def test_the_figure_can_be_saved() -> None:
    """One run is enough, even one that failed and found nothing."""
    for run in (_run(0, 0.4), _run(0, 0.0, status="failed")):
        file = io.BytesIO()
        model_quality_figure([run], title="Title").savefig(file, format="png")
        assert file.getvalue().startswith(b"\x89PNG")


def test_without_a_measured_run_there_is_no_figure() -> None:
    """The error says so."""
    with pytest.raises(ContractViolation, match="no run on record has measured its model"):
        model_quality_figure([_run(0, 0.4, metrics={})], title="Title")
