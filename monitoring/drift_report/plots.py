"""Plots of a measurement: what the values were, and what they are."""

import base64
import io
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import PercentFormatter

from feature_repo.registry.metadata import FeatureType
from transformations.drift.columns import Columns, matrix, paired_columns, principal_axes
from transformations.drift.records import Measurement
from transformations.drift.statistics import Numbers

INK, MUTED, GRID = "#1d2433", "#69758a", "#e8ebf0"
REFERENCE, STEADY, DRIFTED = "#aab4c3", "#2463c9", "#d1450b"

_SIZE_INCHES = (7.6, 3.3)
_BINS = 44
_SHOWN_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_SHOWN_RANGE = (0.005, 0.995)
# A value that so many have would flatten everything beside it.
_SPIKE_SHARE = 0.2
_SHOWN_KEYS = 12
_SHOWN_POINTS = 1_500
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
}


def measurement_plot(measurement: Measurement) -> str:
    """Return the plot of a measurement as the URL of an SVG image that needs no other file."""
    with mpl.rc_context({**_STYLE, "svg.hashsalt": measurement.feature.reference}):
        figure = _figure(measurement)
        sink = io.BytesIO()
        figure.savefig(sink, format="svg", transparent=True, metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(sink.getvalue()).decode()


def _figure(measurement: Measurement) -> Figure:
    samples = measurement.reference.values, measurement.current.values
    feature_type = measurement.feature.feature_type
    color = DRIFTED if measurement.comparison.drifted else STEADY
    before, now = paired_columns(*samples, feature_type)
    column = _shown_column(measurement, before)
    figure = Figure(figsize=_SIZE_INCHES)
    figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.05)
    match feature_type:
        case FeatureType.FLOAT:
            _draw_numbers(figure, before.numbers["value"], now.numbers["value"], color, "value")
        case FeatureType.STRING:
            _draw_keys(figure.subplots(), before, now, color)
        case FeatureType.MAP:
            keys, items = figure.subfigures(1, 2, squeeze=False, width_ratios=(1.15, 1))[0]
            _draw_keys(keys.subplots(), before, now, color)
            _draw_numbers(items, before.numbers[column], now.numbers[column], color, column)
        case FeatureType.VECTOR:
            directions, lengths = figure.subfigures(1, 2, squeeze=False)[0]
            _draw_directions(directions.subplots(), matrix(samples[0]), matrix(samples[1]), color)
            if column in now.numbers:
                _draw_numbers(lengths, before.numbers[column], now.numbers[column], color, column)
    return figure


def _shown_column(measurement: Measurement, before: Columns) -> str:
    """Return the column of numbers that tells most: the one that drifted farthest, or all items."""
    drifted = [f for f in measurement.comparison.findings if f.drifted]
    numeric = [f for f in drifted if f.column in before.numbers and f.column != "size"]
    if numeric:
        return max(numeric, key=lambda finding: finding.severity).column
    return "item" if "item" in before.numbers else "length"


def _draw_numbers(
    figure: Figure | SubFigure,
    before: Numbers,
    now: Numbers,
    color: str,
    label: str,
) -> None:
    """Draw two histograms over each other, and below them where their quantiles lie."""
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(5, 1.25))
    if not before.size or not now.size:
        upper.set_title("no numbers to compare", loc="left", fontsize=9, color=MUTED)
        return
    _draw_histograms(upper, before, now, color)
    for height, sample, shade in ((1, before, MUTED), (0, now, color)):
        _draw_quantiles(lower, np.quantile(sample, _SHOWN_QUANTILES), height, shade)
    lower.set_ylim(-0.7, 1.7)
    lower.set_yticks([1, 0], ["then", "now"])
    lower.set_xlabel(label)
    lower.grid(visible=False)
    lower.spines[["top", "right", "left"]].set_visible(False)
    lower.spines["bottom"].set_color(GRID)
    lower.tick_params(left=False, colors=MUTED)


def _draw_histograms(axes: Axes, before: Numbers, now: Numbers, color: str) -> None:
    spike = _spike(before, now)
    rest = [sample[sample != spike] for sample in (before, now)]
    pooled = np.concatenate(rest)
    low, high = np.quantile(pooled if pooled.size else before, _SHOWN_RANGE)
    edges = np.linspace(low, high if high > low else low + 1.0, _BINS + 1)
    then, current = [
        np.histogram(part, edges)[0] / whole.size
        for part, whole in zip(rest, (before, now), strict=True)
    ]
    axes.stairs(then, edges, fill=True, color=REFERENCE, alpha=0.55, linewidth=0)
    axes.stairs(current, edges, fill=True, color=color, alpha=0.14, linewidth=0)
    axes.stairs(current, edges, color=color, linewidth=1.6)
    axes.set_xlim(edges[0], edges[-1])
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.locator_params(axis="y", nbins=4)
    if spike is not None:
        shares = [float(np.mean(sample == spike)) for sample in (before, now)]
        axes.set_title(
            f"{spike:.3g} itself, not drawn: {shares[0]:.1%}, now {shares[1]:.1%}",
            loc="left",
            fontsize=8.5,
            color=MUTED,
        )
    _finish(axes)
    axes.tick_params(bottom=False)


def _spike(before: Numbers, now: Numbers) -> float | None:
    """Return the value that many have in either sample; None if all are rarer."""
    for sample in (before, now):
        values, counts = np.unique(sample, return_counts=True)
        if counts.max() >= _SPIKE_SHARE * sample.size and values.size > 1:
            return float(values[counts.argmax()])
    return None


def _draw_quantiles(axes: Axes, quantiles: Numbers, height: float, color: str) -> None:
    least, lower, median, upper, most = quantiles
    axes.plot([least, most], [height, height], color=color, linewidth=1.3, solid_capstyle="round")
    axes.plot([lower, upper], [height, height], color=color, linewidth=6, solid_capstyle="butt")
    axes.plot([median], [height], "o", color="white", markersize=5, markeredgecolor=color, zorder=3)


def _draw_keys(axes: Axes, before: Columns, now: Columns, color: str) -> None:
    """Draw for each key which share of the entities had it, and which has it."""
    reference, current = before.keys or {}, now.keys or {}
    shares = {
        key: (
            reference.get(key, 0) / max(1, before.count),
            current.get(key, 0) / max(1, now.count),
        )
        for key in reference.keys() | current.keys()
    }
    keys = _shown_keys(shares)
    for height, key in enumerate(keys):
        _draw_shares(axes, height, *shares[key], color)
    axes.set_yticks(range(len(keys)), [_shortened(key) for key in keys])
    farthest = max((max(pair) for pair in shares.values()), default=1.0)
    axes.set_xlim(-0.03 * farthest, 1.15 * farthest)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("share of entities")
    _finish(axes)
    axes.grid(axis="x", color=GRID)
    axes.grid(visible=False, axis="y")


def _shown_keys(shares: Mapping[str, tuple[float, float]]) -> list[str]:
    """Return the most common keys and those that moved most, the rarest first."""
    common = sorted(shares, key=lambda key: (-max(shares[key]), key))
    moved = sorted(shares, key=lambda key: -abs(shares[key][1] - shares[key][0]))
    chosen = set(moved[: _SHOWN_KEYS // 3])
    chosen |= set([key for key in common if key not in chosen][: _SHOWN_KEYS - len(chosen)])
    return [key for key in common if key in chosen][::-1]


def _draw_shares(axes: Axes, height: int, then: float, now: float, color: str) -> None:
    axes.plot([then, now], [height, height], color=color, linewidth=2, alpha=0.35, zorder=1)
    axes.plot([then], [height], "o", color=REFERENCE, markersize=7, zorder=2)
    filled = "white" if now == 0.0 else color
    axes.plot([now], [height], "o", color=filled, markeredgecolor=color, markersize=6, zorder=3)
    if 0.0 in (then, now):
        axes.annotate(
            "new" if then == 0.0 else "gone",
            (max(then, now), height),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            color=color,
            fontweight="bold",
        )


def _shortened(key: str) -> str:
    return key if len(key) <= 22 else f"{key[:21]}…"  # noqa: PLR2004 - what fits beside the plot


def _draw_directions(axes: Axes, before: Numbers, now: Numbers, color: str) -> None:
    """Draw where vectors lie, seen along the two axes on which they vary most."""
    if not before.size or before.shape[1] != now.shape[-1]:
        axes.set_title("vectors of another length", loc="left", fontsize=9, color=MUTED)
        return
    centre, directions = principal_axes(np.concatenate([before, now]), count=2)
    for rows, shade in ((before, REFERENCE), (now, color)):
        seen = (rows[:_SHOWN_POINTS] - centre) @ directions.T
        across, up = (*seen.T, np.zeros(len(seen)))[:2]
        axes.plot(across, up, ".", color=shade, markersize=3, alpha=0.45, rasterized=True)
    axes.set_xlabel("axis 1")
    axes.set_ylabel("axis 2")
    axes.locator_params(nbins=5)
    _finish(axes)


def _finish(axes: Axes) -> None:
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(left=False, colors=MUTED)
