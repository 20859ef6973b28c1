"""Whether values are what they should be, and what they were."""

from grafana_foundation_sdk.builders import dashboard

from monitoring.dashboards.panels import Row, board, lines, number, query, states
from monitoring.promql import by_version

_OF = '{feature_name=~"$feature_name"}'
_VERSION = "{{feature_name}}=={{version}}"
_MEASURED = "{{feature_name}}=={{version}}, {{against}}"
_DRIFTING = f"max by (feature_name, version, against) (feature_drifting{_OF})"
_TOO_FEW = f"max by (feature_name, version, against) (feature_drift_too_few{_OF})"
_FAILED = by_version(f"feature_failed_checks{_OF}")
_CHECKS = f"increase(feature_quality_checks_total{_OF}[1h])"


def quality() -> dashboard.Dashboard:
    """Return the dashboard."""
    return board(
        "Features: quality and drift",
        "feature-store-quality",
        _now(),
        _quality(),
        _drift(),
        narrowed_by={"feature_name": "feature_quality_checks_total"},
    )


def _now() -> Row:
    failed = 'feature_quality_checks_total{feature_name=~"$feature_name", status="fail"}'
    return Row(
        "Now",
        number(
            "Versions kept back",
            "Whose last run failed a check; values of an earlier one are served.",
            query(f"count({_FAILED} > 0) or vector(0)"),
            ill_from=1,
        ),
        number(
            "Drifting versions",
            "By the last measurement, against last snapshot or baseline.",
            query(f"count({by_version(f'feature_drifting{_OF}')} == 1) or vector(0)"),
            ill_from=1,
        ),
        number(
            "Failed checks in an hour",
            "Of all features.",
            query(f"sum(increase({failed}[1h])) or vector(0)"),
            ill_from=1,
        ),
    )


def _quality() -> Row:
    return Row(
        "Quality",
        lines(
            "Checks",
            "In an hour.",
            query(f"sum by (status) ({_CHECKS})", "{{status}}"),
            stacked=True,
        ),
        lines(
            "Checks by kind",
            "In an hour.",
            query(f"sum by (check_type) ({_CHECKS})", "{{check_type}}"),
            stacked=True,
        ),
        lines("Failed by the last run", "Checks.", query(_FAILED, _VERSION), limit=1),
    )


def _drift() -> Row:
    psi = 'feature_drift_score{feature_name=~"$feature_name", statistic="psi"}'
    return Row(
        "Drift",
        states(
            "Drift",
            "Red from the measurement that found it to the first that does not.",
            query(f"{_DRIFTING} or 2 * ({_TOO_FEW} == 1)", _MEASURED),
            well="as it was",
            ill="drifted",
            unknown="too few to tell",
        ),
        lines(
            "Distance of distributions",
            "Population stability index; most features' limit is 0.2.",
            query(f"max by (feature_name, version, against) ({psi})", _MEASURED),
            limit=0.2,
        ),
        lines(
            "Other distances",
            "The greatest of all versions, by statistic.",
            query(f"max by (statistic) (feature_drift_score{_OF})", "{{statistic}}"),
        ),
    )
