"""What the values are, whoever asks for them."""

from grafana_foundation_sdk.builders import dashboard

from monitoring.dashboards.panels import board, lines, number, query

_OF = '{feature_name=~"$feature_name"}'
_VERSION = "{{feature_name}}=={{version}}"


def _by_version(metric: str) -> str:
    return f"max by (feature_name, version) ({metric}{_OF})"


def features() -> dashboard.Dashboard:
    """Return the dashboard."""
    freshness = _by_version("feature_freshness_seconds")
    tolerance = _by_version("feature_staleness_tolerance_seconds")
    share = f"{freshness} / on (feature_name, version) {tolerance}"
    return (
        board(
            "Features: freshness and values",
            "feature-store-features",
            narrowed_by={"feature_name": "feature_staleness_tolerance_seconds"},
        )
        .with_row(dashboard.Row("Now"))
        .with_panel(
            number(
                "Stale versions",
                "Computed longer ago than tolerated.",
                query(f"count({share} > 1) or vector(0)"),
                ill_from=1,
            )
        )
        .with_panel(
            number(
                "Never computed",
                "Live versions without a successful run.",
                query(f"count({tolerance} unless {freshness}) or vector(0)"),
                ill_from=1,
            )
        )
        .with_panel(
            number(
                "Active versions",
                "Deployed.",
                query('max(feature_versions{status="active"})'),
            )
        )
        .with_panel(
            number(
                "Deprecated versions",
                "Deployed still.",
                query('max(feature_versions{status="deprecated"})'),
            )
        )
        .with_panel(
            number(
                "Age of the last snapshot",
                "There is one a night.",
                query("max(snapshot_age_seconds)"),
                unit="s",
                ill_from=30 * 3_600,
            )
        )
        .with_panel(
            number(
                "Registry",
                "Whether the exporter can read it.",
                query("min(feature_registry_reachable)"),
                ill_below=1,
            )
        )
        .with_row(dashboard.Row("Freshness"))
        .with_panel(
            lines(
                "Age, by what is tolerated",
                "1 is each version's own staleness tolerance.",
                query(share, _VERSION),
                limit=1,
            )
        )
        .with_panel(
            lines(
                "Age",
                "Of the instant that the last run was about.",
                query(freshness, _VERSION),
                unit="s",
            )
        )
        .with_panel(
            lines(
                "Stale entities",
                "Share whose value is older than tolerated.",
                query(_by_version("feature_stale_entities_ratio"), _VERSION),
                unit="percentunit",
            )
        )
        .with_row(dashboard.Row("Values"))
        .with_panel(
            lines(
                "Entities",
                "That have a latest value.",
                query(_by_version("feature_rows"), _VERSION),
            )
        )
        .with_panel(
            lines(
                "Age of the source tables",
                "Of the newest row; when it rises, something upstream has stopped.",
                query("max by (data_source) (data_freshness_seconds)", "{{data_source}}"),
                unit="s",
            )
        )
        .with_panel(
            lines(
                "Versions by status",
                "Deployed.",
                query("max by (status) (feature_versions)", "{{status}}"),
                stacked=True,
            )
        )
    )
