"""A profile as a picture."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from feature_repo.analysis.profile import Distribution, Period, Profile
from foundation.errors import ConfigurationError
from foundation.figure_style import INK, MAIN, WRONG, finish, show_dates, titled_figure


def profile_figure(profile: Profile) -> Figure:
    """
    Draw how values are distributed, their trend, and who is missing.

    Returns:
        A figure to be saved; pyplot knows nothing of it.
    """
    figure = titled_figure(
        f"{profile.feature.reference}   {profile.start:%d %b %Y %H:%M} to "
        f"{profile.end:%d %b %Y %H:%M} UTC",
        height=7.2,
    )
    axes = figure.subplots(3, 1, gridspec_kw={"height_ratios": [1.3, 1.3, 0.9]})
    _draw_distribution(axes[0], profile.distribution)
    _draw_trend(axes[1], profile.periods)
    _draw_missing(axes[2], profile.periods)
    for each in axes[1:]:
        room = (profile.end - profile.start) / 50
        each.set_xlim(profile.start - room, profile.end + room)
        show_dates(each, most=9)
    return figure


def refuse_unwritable(path: Path) -> None:
    """
    Raise if a figure can't be written to a path.

    Raises:
        ConfigurationError: Its folder is not there, or its name ends like no picture's.
    """
    if not path.parent.is_dir():
        raise ConfigurationError(f"{path}: there is no folder {path.parent}", hint="Make it first.")
    kinds = FigureCanvasBase.get_supported_filetypes()
    if path.suffix.lower().removeprefix(".") not in kinds:
        raise ConfigurationError(
            f"{path}: no kind of picture ends in {path.suffix or 'nothing'!r}",
            hint=f"Pictures end in {', '.join(f'.{kind}' for kind in sorted(kinds))}.",
        )


def write_figure(figure: Figure, path: Path) -> None:
    """
    Write a figure; whoever looks at the path sees all of it, or what was there before.

    Raises:
        ConfigurationError: It can't be written.
    """
    written = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        figure.savefig(written, format=path.suffix.lower().removeprefix("."))
        written.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be written: {error.strerror}") from error
    finally:
        written.unlink(missing_ok=True)


def _draw_distribution(axes: Axes, distribution: Distribution) -> None:
    if distribution.top_values:
        names, counts = zip(*distribution.top_values, strict=True)
        axes.bar([str(name)[:24] for name in names], counts, color=MAIN)
        axes.tick_params(axis="x", rotation=30)
        finish(axes, "The most frequent values")
        return
    edges = [edge for edge, _ in distribution.histogram]
    heights = [count for _, count in distribution.histogram]
    axes.bar(edges, heights, width=distribution.bin_width or 0.1, align="edge", color=MAIN)
    if distribution.figures:
        axes.axvline(distribution.figures["50%"], color=INK, linewidth=1.2, linestyle="--")
        axes.annotate(
            "median",
            (distribution.figures["50%"], 1),
            xycoords=("data", "axes fraction"),
            xytext=(4, -10),
            textcoords="offset points",
            fontsize=9,
            color=INK,
        )
    finish(axes, f"Distribution of {distribution.number_count:,} numbers")


def _draw_trend(axes: Axes, periods: Sequence[Period]) -> None:
    known = [period for period in periods if period.mean is not None]
    if known:
        starts = _places(known)
        low, middle, high = (np.array([p.quantiles[n] for p in known]) for n in range(3))
        means = np.array([period.mean for period in known], float)
        axes.fill_between(starts, low, high, color=MAIN, alpha=0.15, linewidth=0, label="5 to 95 %")
        axes.plot(starts, middle, color=MAIN, linewidth=2, label="median")
        axes.plot(starts, means, color=INK, linewidth=1.2, linestyle="--", label="mean")
        axes.legend(frameon=False, fontsize=9, ncols=3, loc="upper right")
    finish(axes, "Trend")


def _draw_missing(axes: Axes, periods: Sequence[Period]) -> None:
    known = [period for period in periods if period.null_rate is not None]
    rates = np.array([period.null_rate for period in known], float)
    axes.plot(_places(known), rates, color=WRONG, linewidth=1.6, marker="o", markersize=3)
    axes.set_ylim(-0.03, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    finish(axes, "Null rate: values that are due and missing")


def _places(periods: Sequence[Period]) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    """Return where periods start on an axis of time."""
    return np.array([period.start.replace(tzinfo=None) for period in periods], "datetime64[us]")
