"""Figures of how good a model is, from the record of its runs."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from foundation.errors import ContractViolation
from foundation.figure_style import MAIN, MUTED, WRONG, finish, show_dates, titled_figure

Run = Mapping[str, Any]

_MEASURES = {"recall": "Recall", "ndcg": "NDCG"}
_FOLLOWED_CUT_OFF = 20
# For the numbers above the highest points.
_HEADROOM = 1.18


def model_quality_figure(runs: Iterable[Run], *, title: str) -> Figure:
    """
    Draw a model's recall and NDCG against its baseline's: by cut-off, and over its runs.

    Args:
        runs: Records of runs in any order, each with `as_of`, `started_at`, `status` and
            `metrics`. Those without metrics are left out; of several of one `as_of` the one started
            last counts. A run that failed is a cross
            off the line.
        title: Stands above the plots.

    Returns:
        A figure to be saved; pyplot knows nothing of it.

    Raises:
        ContractViolation: No run has metrics.
    """
    measured = _measured(runs)
    if not measured:
        raise ContractViolation(
            "no run on record has measured its model",
            hint="A model is measured once there are enough events to hold some out.",
        )
    figure = titled_figure(title, height=6.4)
    grid = figure.subplots(2, 2, sharex="col", gridspec_kw={"hspace": 0.08, "wspace": 0.06})
    for (left, right), (measure, label) in zip(grid, _MEASURES.items(), strict=True):
        _draw_cut_offs(left, measured[-1], measure)
        _draw_runs(right, measured, measure)
        for axes, what in (
            (left, f"of the model as of {measured[-1]['as_of']:%d %b %Y}"),
            (right, f"of the best {_FOLLOWED_CUT_OFF} products, run by run"),
        ):
            finish(axes, f"{label} {what}")
            axes.set_ylim(0, max(axes.dataLim.y1, 0.01) * _HEADROOM)
    grid[1, 0].set_xlabel("number of products recommended", color=MUTED)
    grid[1, 1].set_xlabel("as of", color=MUTED)
    return figure


def _measured(runs: Iterable[Run]) -> list[Run]:
    """Return the runs with metrics, one an instant, oldest first."""
    ordered = sorted(
        (run for run in runs if run["metrics"]), key=lambda run: (run["as_of"], run["started_at"])
    )
    return list({run["as_of"]: run for run in ordered}.values())


def _draw_cut_offs(axes: Axes, run: Run, measure: str) -> None:
    metrics: Mapping[str, float] = run["metrics"]
    cut_offs = sorted(
        int(found[1]) for name in metrics if (found := re.fullmatch(rf"{measure}_at_(\d+)", name))
    )
    places = list(range(len(cut_offs)))
    model, baseline = (
        [metrics[f"{prefix}{measure}_at_{cut_off}"] for cut_off in cut_offs]
        for prefix in ("", "baseline_")
    )
    _draw_pair(axes, places, model, baseline)
    axes.margins(x=0.08)
    axes.set_xticks(places, [str(cut_off) for cut_off in cut_offs])
    for place, value, reference in zip(places, model, baseline, strict=True):
        if reference:
            axes.annotate(
                f"{value / reference - 1:+.0%}",
                (place, value),
                xytext=(0, 9),
                textcoords="offset points",
                ha="center",
                fontsize=8.5,
                color=MAIN,
            )


def _draw_runs(axes: Axes, runs: Sequence[Run], measure: str) -> None:
    metric = f"{measure}_at_{_FOLLOWED_CUT_OFF}"
    succeeded = [run for run in runs if run["status"] != "failed"]
    failed = [run for run in runs if run["status"] == "failed"]
    if succeeded:
        _draw_pair(
            axes,
            [run["as_of"] for run in succeeded],
            [run["metrics"][metric] for run in succeeded],
            [run["metrics"][f"baseline_{metric}"] for run in succeeded],
        )
    if failed:
        instants = [run["as_of"] for run in failed]
        values = [run["metrics"][metric] for run in failed]
        axes.plot(
            instants,
            values,
            linestyle="none",
            marker="X",
            markersize=10,
            markeredgecolor="white",
            color=WRONG,
            label="run failed",
        )
        axes.legend(loc="lower left", frameon=False, labelcolor=WRONG, fontsize=9)
    show_dates(axes, most=6)
    # Some room around a first run too, which would otherwise stand amid years.
    room = max((runs[-1]["as_of"] - runs[0]["as_of"]) * 0.06, timedelta(days=1))
    axes.set_xlim(runs[0]["as_of"] - room, runs[-1]["as_of"] + room)


def _draw_pair(
    axes: Axes,
    places: Sequence[int] | Sequence[datetime],
    model: Sequence[float],
    baseline: Sequence[float],
) -> None:
    """Draw the model's line and the baseline's, each named at its end."""
    lines = (
        (model, "model", {"color": MAIN, "linewidth": 2.2}),
        (baseline, "popular\nproducts", {"color": MUTED, "linewidth": 1.6, "linestyle": "--"}),
    )
    for values, name, style in lines:
        axes.plot(places, values, marker="o", markersize=4.5, **style)  # type: ignore[arg-type]
        axes.annotate(
            name,
            (places[-1], values[-1]),
            xytext=(9, 0),
            textcoords="offset points",
            va="center",
            fontsize=9.5,
            color=str(style["color"]),
        )
