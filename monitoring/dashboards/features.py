"""What the values are, whoever asks for them."""

from grafana_foundation_sdk.builders import dashboard

from monitoring.dashboards.panels import Row, board, lines, number, query
from monitoring.promql import by_version

_OF = '{feature_name=~"$feature_name"}'
_VERSION = "{{feature_name}}=={{version}}"
_FRESHNESS = by_version(f"feature_freshness_seconds{_OF}")
_TOLERANCE = by_version(f"feature_staleness_tolerance_seconds{_OF}")
_SHARE = f"{_FRESHNESS} / on (feature_name, version) {_TOLERANCE}"


def features() -> dashboard.Dashboard:
    """Return the dashboard."""
    return board(
        "Features: freshness and values",
        "feature-store-features",
        _now(),
        _freshness(),
        _values(),
        narrowed_by={"feature_name": "feature_staleness_tolerance_seconds"},
    )


def _now() -> Row:
    return Row(
        "Now",
        number(
            "Stale versions",
            "Computed longer ago than tolerated.",
            query(f"count({_SHARE} > 1) or vector(0)"),
            ill_from=1,
        ),
        number(
            "Never computed",
            "Live versions without a successful run.",
            query(f"count({_TOLERANCE} unless {_FRESHNESS}) or vector(0)"),
            ill_from=1,
        ),
        number("Active versions", "Deployed.", query('max(feature_versions{status="active"})')),
        number(
            "Deprecated versions",
            "Deployed still.",
            query('max(feature_versions{status="deprecated"})'),
        ),
        number(
            "Age of the last snapshot",
            "There is one a night.",
            query("max(snapshot_age_seconds)"),
            unit="s",
            ill_from=30 * 3_600,
        ),
        number(
            "Registry",
            "Whether the exporter can read it.",
            query("min(feature_registry_reachable)"),
            ill_below=1,
        ),
    )


def _freshness() -> Row:
    return Row(
        "Freshness",
        lines(
            "Age, by what is tolerated",
            "1 is each version's own staleness tolerance.",
            query(_SHARE, _VERSION),
            limit=1,
        ),
        lines(
            "Age",
            "Of the instant that the last run was about.",
            query(_FRESHNESS, _VERSION),
            unit="s",
        ),
        lines(
            "Stale entities",
            "Share whose value is older than tolerated.",
            query(by_version(f"feature_stale_entities_ratio{_OF}"), _VERSION),
            unit="percentunit",
        ),
    )


def _values() -> Row:
    return Row(
        "Values",
        lines(
            "Entities",
            "That have a latest value.",
            query(by_version(f"feature_rows{_OF}"), _VERSION),
        ),
        lines(
            "Age of the source tables",
            "Of the newest row; when it rises, something upstream has stopped.",
            query("max by (data_source) (data_freshness_seconds)", "{{data_source}}"),
            unit="s",
        ),
        lines(
            "Versions by status",
            "Deployed.",
            query("max by (status) (feature_versions)", "{{status}}"),
            stacked=True,
        ),
    )
