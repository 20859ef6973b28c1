"""A profile as tables for a terminal."""

from datetime import timedelta

from rich.table import Table

from feature_repo.analysis.profile import Profile


def figures_table(profile: Profile) -> Table:
    """Return how the values are distributed."""
    slope = profile.slope_a_day()
    trend = "" if slope is None else f"Trend of the mean: {slope:+.6g} a day."
    table = Table(
        title=f"{profile.feature.reference}, {profile.number_count:,} numbers", caption=trend
    )
    if profile.top_values:
        table.title = f"{profile.feature.reference}, the most frequent values"
        table.add_column("value")
        table.add_column("times", justify="right")
        for value, count in profile.top_values:
            table.add_row(value, f"{count:,}")
        return table
    for heading in profile.figures:
        table.add_column(heading, justify="right")
    table.add_row(*(f"{value:.6g}" for value in profile.figures.values()))
    return table


def periods_table(profile: Profile) -> Table:
    """Return the trend, one row a period."""
    table = Table(title=f"Each {_length(profile.period)}")
    table.add_column("from (UTC)")
    for heading in ("values", "entities", "null rate", "mean", "5%", "50%", "95%"):
        table.add_column(heading, justify="right")
    for period in profile.periods:
        table.add_row(
            f"{period.start:%Y-%m-%d %H:%M}",
            f"{period.value_count:,}",
            f"{period.entity_count:,}",
            "" if period.null_rate is None else f"{period.null_rate:.1%}",
            "" if period.mean is None else f"{period.mean:.6g}",
            *([f"{value:.6g}" for value in period.quantiles] or ["", "", ""]),
        )
    return table


def _length(period: timedelta) -> str:
    return f"{period.days} days" if period.days else f"{period.seconds // 3_600} hours"
