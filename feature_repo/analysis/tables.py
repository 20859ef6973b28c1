"""A profile as tables for a terminal, and as a record for other programs."""

from datetime import timedelta
from typing import Any

from rich.table import Table

from feature_repo.analysis.profile import Profile


def figures_table(profile: Profile) -> Table:
    """Return how the values are distributed."""
    slope, distribution = profile.slope_a_day(), profile.distribution
    remarks = [] if slope is None else [f"Trend of the mean: {slope:+.6g} a day."]
    if not profile.is_exact:
        remarks.append("Of so many numbers the quantiles are estimated.")
    table = Table(
        title=f"{profile.feature.reference}, {distribution.number_count:,} numbers",
        caption=" ".join(remarks),
    )
    if distribution.top_values:
        table.title = f"{profile.feature.reference}, the most frequent values"
        table.add_column("value")
        table.add_column("times", justify="right")
        for value, count in distribution.top_values:
            table.add_row(value, f"{count:,}")
        return table
    for heading in distribution.figures:
        table.add_column(heading, justify="right")
    table.add_row(*(f"{value:.6g}" for value in distribution.figures.values()))
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


def profile_record(profile: Profile) -> dict[str, Any]:
    """Return a profile as what JSON can say."""
    distribution = profile.distribution
    return {
        "feature": profile.feature.reference,
        "start": profile.start.isoformat(),
        "end": profile.end.isoformat(),
        "period_seconds": profile.period.total_seconds(),
        "value_count": profile.value_count,
        "number_count": distribution.number_count,
        "figures": dict(distribution.figures),
        "quantiles_are_exact": profile.is_exact,
        "mean_slope_a_day": profile.slope_a_day(),
        "histogram": [{"from": edge, "count": count} for edge, count in distribution.histogram],
        "bin_width": distribution.bin_width,
        "top_values": [
            {"value": value, "count": count} for value, count in distribution.top_values
        ],
        "periods": [
            {
                "start": period.start.isoformat(),
                "value_count": period.value_count,
                "entity_count": period.entity_count,
                "null_rate": period.null_rate,
                "mean": period.mean,
                "quantiles": dict(zip(("5%", "50%", "95%"), period.quantiles, strict=False)),
            }
            for period in profile.periods
        ],
    }


def _length(period: timedelta) -> str:
    return f"{period.days} days" if period.days else f"{period.seconds // 3_600} hours"
