"""How figures look that are saved to files: one hand drew them."""

from typing import Final

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

INK: Final = "#222222"
MUTED: Final = "#767676"
MAIN: Final = "#1f6fb2"
WRONG: Final = "#c0392b"
_GRID = "#e6e6e6"
_WIDTH_INCHES = 11


def titled_figure(title: str, *, height: float) -> Figure:
    """
    Return an empty figure to be saved; pyplot knows nothing of it.

    Args:
        title: Stands above its plots.
        height: In inches.
    """
    figure = Figure(figsize=(_WIDTH_INCHES, height), dpi=144, facecolor="white")
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.12)
    figure.suptitle(title, x=0.01, ha="left", fontsize=14, fontweight="bold", color=INK)
    return figure


def finish(axes: Axes, title: str) -> None:
    """Give a plot that is drawn its title, and take away what is no data."""
    axes.set_title(title, loc="left", pad=10, fontsize=11, color=INK)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    axes.grid(axis="y", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, labelcolor=MUTED, left=False, labelleft=True)


def show_dates(axes: Axes, *, most: int) -> None:
    """Mark the axis of time with instants, as many as this at most."""
    locator = AutoDateLocator(minticks=2, maxticks=most)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
