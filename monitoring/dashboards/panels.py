"""The few kinds of panels that the dashboards are made of."""

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    timeseries,
)
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphThresholdsStyleMode,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
    VariableRefresh,
)

_SOURCE = DataSourceRef(type_val="prometheus", uid="$datasource")
_WELL, _ILL, _UNKNOWN = "green", "red", "gray"
_WIDTH, _HEIGHT = 8, 8
_NUMBER_WIDTH, _NUMBER_HEIGHT = 4, 4

Panel = timeseries.Panel | stat.Panel | statetimeline.Panel


class Row:
    """
    Panels beside and below each other, under a title.

    Args:
        title: Shown above them.
        panels: What is shown.
    """

    def __init__(self, title: str, *panels: Panel) -> None:
        self.title = title
        self.panels = panels


def board(title: str, name: str, *rows: Row, narrowed_by: Mapping[str, str]) -> dashboard.Dashboard:
    """
    Return a dashboard.

    Args:
        title: Shown on top.
        name: Of its URL; stays when the title changes.
        rows: What it shows.
        narrowed_by: Labels that people choose values of, and a metric that has all of them.
    """
    made = (
        dashboard.Dashboard(title)
        .uid(name)
        .tags(["feature-store"])
        .refresh("30s")
        .time("now-3h", "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .readonly()
        .with_variable(
            dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
        )
        .link(
            dashboard.DashboardLink("Feature store")
            .tags(["feature-store"])
            .as_dropdown(as_dropdown=True)
        )
    )
    for label, metric in narrowed_by.items():
        made = made.with_variable(
            dashboard.QueryVariable(label)
            .label(label)
            .datasource(_SOURCE)
            .query(f"label_values({metric}, {label})")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(multi=True)
            .include_all(include_all=True)
            .all_value(".*")
        )
    for row in rows:
        made = made.with_row(dashboard.Row(row.title))
        for panel in row.panels:
            made = made.with_panel(panel)
    return made


def query(expression: str, legend: str = "") -> prometheus.Dataquery:
    """Return a query over time; the legend names labels like `{{feature_name}}`."""
    return prometheus.Dataquery().expr(expression).legend_format(legend).datasource(_SOURCE)


def lines(
    title: str,
    description: str,
    *queries: prometheus.Dataquery,
    unit: str = "short",
    limit: float | None = None,
    stacked: bool = False,
) -> timeseries.Panel:
    """
    Return lines over time.

    Args:
        title: What they are of.
        description: What to make of them.
        queries: Each gives a line for each of its series.
        unit: Of Grafana: `s`, `percentunit`, `reqps`, `short` ...
        limit: Drawn as a red line; beyond it lies what an alert is about.
        stacked: Whether the lines add up.
    """
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(_SOURCE)
        .unit(unit)
        .min(0)
        .span(_WIDTH)
        .height(_HEIGHT)
        .fill_opacity(60 if stacked else 8)
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    if limit is not None:
        style = common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.LINE)
        panel = panel.thresholds(_steps([(limit, _ILL)])).thresholds_style(style)
    for each in _numbered(queries):
        panel = panel.with_target(each)
    return panel


def number(
    title: str,
    description: str,
    asked: prometheus.Dataquery,
    *,
    unit: str = "short",
    ill_from: float | None = None,
    ill_below: float | None = None,
) -> stat.Panel:
    """
    Return one number, green or red.

    Args:
        title: What it is.
        description: What to make of it.
        asked: Gives one series.
        unit: As for `lines`.
        ill_from: Where red begins.
        ill_below: Where red ends.
    """
    steps: Sequence[tuple[float, str]] = []
    if ill_from is not None:
        steps = [(ill_from, _ILL)]
    if ill_below is not None:
        steps = [(ill_below, _WELL)]
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(_SOURCE)
        .unit(unit)
        .span(_NUMBER_WIDTH)
        .height(_NUMBER_HEIGHT)
        .color_mode(BigValueColorMode.BACKGROUND)
        .graph_mode(BigValueGraphMode.AREA)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(_steps(steps, first=_WELL if ill_below is None else _ILL))
        .with_target(asked)
    )


def states(
    title: str,
    description: str,
    asked: prometheus.Dataquery,
    *,
    well: str,
    ill: str,
    unknown: str | None = None,
) -> statetimeline.Panel:
    """Return bands over time, of series that are 0 (well), 1 (ill) or 2, and words for each."""
    words = {"0": (well, _WELL), "1": (ill, _ILL), "2": (unknown, _UNKNOWN)}
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(_SOURCE)
        .span(_WIDTH)
        .height(_HEIGHT)
        .thresholds(_steps([(1, _ILL)]))
        .mappings(
            [
                ValueMap(
                    options={
                        value: ValueMappingResult(text=text, color=color)
                        for value, (text, color) in words.items()
                        if text is not None
                    }
                )
            ]
        )
        .with_target(asked)
    )


def _numbered(queries: Sequence[prometheus.Dataquery]) -> list[prometheus.Dataquery]:
    return [each.ref_id(chr(ord("A") + number)) for number, each in enumerate(queries)]


def _steps(steps: Sequence[tuple[float, str]], first: str = _WELL) -> dashboard.ThresholdsConfig:
    return (
        dashboard.ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps(
            [
                Threshold(value=None, color=first),
                *(Threshold(value=value, color=color) for value, color in steps),
            ]
        )
    )
