"""Whether values are what they should be, and what they were."""

from grafana_foundation_sdk.builders import dashboard

from monitoring.dashboards.panels import board, lines, number, query, states

_OF = '{feature_name=~"$feature_name"}'
_VERSION = "{{feature_name}}=={{version}}"


def quality() -> dashboard.Dashboard:
    """Return the dashboard."""
    drifting = f"max by (feature_name, version) (feature_drifting{_OF})"
    failed = f"max by (feature_name, version) (feature_failed_checks{_OF})"
    checks = f"increase(feature_quality_checks_total{_OF}[1h])"
    return (
        board(
            "Features: quality and drift",
            "feature-store-quality",
            narrowed_by={"feature_name": "feature_quality_checks_total"},
        )
        .with_row(dashboard.Row("Now"))
        .with_panel(
            number(
                "Versions kept back",
                "Whose last run failed a check; values of an earlier one are served.",
                query(f"count({failed} > 0) or vector(0)"),
                ill_from=1,
            )
        )
        .with_panel(
            number(
                "Drifting versions",
                "By the last measurement, against last snapshot and baseline.",
                query(f"count({drifting} == 1) or vector(0)"),
                ill_from=1,
            )
        )
        .with_panel(
            number(
                "Failed checks in an hour",
                "Of all features.",
                query(
                    "sum(increase(feature_quality_checks_total"
                    '{feature_name=~"$feature_name", status="fail"}[1h])) or vector(0)'
                ),
                ill_from=1,
            )
        )
        .with_row(dashboard.Row("Quality"))
        .with_panel(
            lines(
                "Checks",
                "In an hour.",
                query(f"sum by (status) ({checks})", "{{status}}"),
                stacked=True,
            )
        )
        .with_panel(
            lines(
                "Checks by kind",
                "In an hour.",
                query(f"sum by (check_type) ({checks})", "{{check_type}}"),
                stacked=True,
            )
        )
        .with_panel(
            lines(
                "Failed by the last run",
                "Checks.",
                query(failed, _VERSION),
                limit=1,
            )
        )
        .with_row(dashboard.Row("Drift"))
        .with_panel(
            states(
                "Drift",
                "Red from the measurement that found it to the first that does not.",
                query(drifting, _VERSION),
                well="as it was",
                ill="drifted",
            )
        )
        .with_panel(
            lines(
                "Distance of distributions",
                "Population stability index; most features' limit is 0.2.",
                query(
                    "max by (feature_name, version) "
                    '(feature_drift_score{feature_name=~"$feature_name", statistic="psi"})',
                    _VERSION,
                ),
                limit=0.2,
            )
        )
        .with_panel(
            lines(
                "Other distances",
                "The greatest of all versions, by statistic.",
                query(f"max by (statistic) (feature_drift_score{_OF})", "{{statistic}}"),
            )
        )
    )
