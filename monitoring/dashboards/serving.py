"""What callers of the gateway get."""

from grafana_foundation_sdk.builders import dashboard

from monitoring.dashboards.panels import Row, board, lines, number, query, states
from monitoring.promql import GATEWAY, NO_PROBE, RETRIEVAL, share_served

_NAMED = 'feature_name=~"$feature_name"'
_OF = f"{{{_NAMED}}}"
_WINDOW = "$__rate_interval"
_RATE = f"[{_WINDOW}]"
_VERSION = "{{feature_name}}=={{version}}"
_REQUESTS = f"rate(http_requests_total{{{NO_PROBE}}}{_RATE})"


def serving() -> dashboard.Dashboard:
    """Return the dashboard."""
    return board(
        "Features: serving",
        "feature-store-serving",
        _now(),
        _requests(),
        _values(),
        _tiers(),
        _vital_signs(),
        narrowed_by={"feature_name": "feature_requests_total"},
    )


def _latency(quantile: float) -> str:
    buckets = f"rate(http_request_duration_seconds_bucket{{{RETRIEVAL}}}{_RATE})"
    return f"histogram_quantile({quantile}, sum by (le) ({buckets}))"


def _share(served_from: str) -> str:
    return share_served(served_from, _WINDOW, _NAMED)


def _whole_share(served_from: str) -> str:
    return share_served(served_from, _WINDOW, _NAMED, by="")


def _now() -> Row:
    failed = f'rate(http_requests_total{{{NO_PROBE}, status=~"5.."}}{_RATE})'
    return Row(
        "Now",
        number(
            "Requests",
            "Of features, answered in a second.",
            query(f"sum(rate(http_requests_total{{{RETRIEVAL}}}{_RATE}))"),
            unit="reqps",
        ),
        number(
            "95 % take less than",
            "Red from 50 ms on, as the alert.",
            query(_latency(0.95)),
            unit="s",
            ill_from=0.05,
        ),
        number(
            "From Redis",
            "Share of the values served; others cost more, or are defaults.",
            query(_whole_share("online")),
            unit="percentunit",
            ill_below=0.6,
        ),
        number(
            "Defaults",
            "Share of the values served that no tier had.",
            query(_whole_share("default")),
            unit="percentunit",
            ill_from=0.05,
        ),
        number(
            "Errors",
            "Share of requests that the gateway could not answer at all.",
            query(f"(sum({failed}) or vector(0)) / sum({_REQUESTS})"),
            unit="percentunit",
            ill_from=0.01,
        ),
        number(
            "Gateways",
            "That answer Prometheus.",
            query(f'sum(up{{job="{GATEWAY}"}})'),
            ill_below=1,
        ),
    )


def _requests() -> Row:
    return Row(
        "Requests",
        lines(
            "Time to an answer",
            "Of requests for features; half, 95 % and 99 % take less.",
            query(_latency(0.5), "50 %"),
            query(_latency(0.95), "95 %"),
            query(_latency(0.99), "99 %"),
            unit="s",
            limit=0.05,
        ),
        lines(
            "Requests by route",
            "Probes aside.",
            query(f"sum by (route) ({_REQUESTS})", "{{route}}"),
            unit="reqps",
            stacked=True,
        ),
        lines(
            "Requests by status",
            "4xx are mistakes of callers, 5xx of the gateway.",
            query(f"sum by (status) ({_REQUESTS})", "{{status}}"),
            unit="reqps",
            stacked=True,
        ),
    )


def _values() -> Row:
    return Row(
        "Values",
        lines(
            "Values by tier",
            "From where they were served: online is Redis, offline PostgreSQL.",
            query(
                f"sum by (served_from) (rate(feature_requests_total{_OF}{_RATE}))",
                "{{served_from}}",
            ),
            stacked=True,
        ),
        lines(
            "From Redis, by feature",
            "Each feature's own limit is in its metadata.",
            query(_share("online"), _VERSION),
            unit="percentunit",
        ),
        lines(
            "Defaults, by feature",
            "Each feature's own limit is in its metadata.",
            query(_share("default"), _VERSION),
            unit="percentunit",
        ),
    )


def _tiers() -> Row:
    return Row(
        "Tiers",
        lines(
            "Time of a tier",
            "95 % of its batches take less.",
            query(
                "histogram_quantile(0.95, sum by (tier, le) "
                f"(rate(feature_retrieval_duration_seconds_bucket{_RATE})))",
                "{{tier}}",
            ),
            unit="s",
        ),
        states(
            "State of the tiers",
            "Red while reads are kept off one.",
            query("max by (tier, part) (feature_tier_state)", "{{tier}} {{part}}"),
            well="reads",
            ill="kept off",
        ),
        lines(
            "Misses by tier",
            "Values that it was asked for and did not have.",
            query(f"sum by (tier) (rate(feature_tier_misses_total{_OF}{_RATE}))", "{{tier}}"),
        ),
        lines(
            "Age of served values",
            "95 % are younger.",
            query(
                "histogram_quantile(0.95, sum by (feature_name, le) "
                f"(rate(feature_staleness_seconds_bucket{_OF}{_RATE})))",
                "{{feature_name}}",
            ),
            unit="s",
        ),
        lines(
            "Written back",
            "Values found below Redis; a tenth of them failed is an alert.",
            query(
                f"sum by (store, outcome) (rate(feature_write_back_values_total{_RATE}))",
                "{{store}} {{outcome}}",
            ),
        ),
        lines(
            "Deprecated versions",
            "Requests in an hour that were served one; their callers must move.",
            query(
                "sum by (feature_name, version) "
                f"(increase(feature_deprecated_requests_total{_OF}[1h])) or vector(0)",
                _VERSION,
            ),
        ),
    )


def _vital_signs() -> Row:
    return Row(
        "Vital signs",
        lines(
            "Lag of the event loop",
            "Beyond some milliseconds the gateway lacks CPU.",
            query("max by (instance) (event_loop_lag_seconds)", "{{instance}}"),
            unit="s",
        ),
        lines(
            "Age of the catalog",
            "Time since the registry was read; it rises while the registry is away.",
            query("max by (instance) (feature_catalog_age_seconds)", "{{instance}}"),
            unit="s",
            limit=300,
        ),
        lines(
            "Age of the API keys",
            "Time since they were read; what was revoked since is not known.",
            query("max by (instance) (feature_api_keys_age_seconds)", "{{instance}}"),
            unit="s",
            limit=300,
        ),
    )
