"""What callers of the gateway get."""

from grafana_foundation_sdk.builders import dashboard

from monitoring.dashboards.panels import board, lines, number, query, states

_OF = '{feature_name=~"$feature_name"}'
_RETRIEVAL = 'route=~".*batch|.*feature-services.*|.*values.*|/get-online-features"'
_NO_PROBE = 'route!~"/health|/ready|/metrics"'
_RATE = "[$__rate_interval]"


def _share(served_from: str, by: str = "") -> str:
    grouped = f" by ({by})" if by else ""
    tier = f'{{feature_name=~"$feature_name", served_from="{served_from}"}}'
    every = f"sum{grouped} (rate(feature_requests_total{_OF}{_RATE}))"
    part = f"sum{grouped} (rate(feature_requests_total{tier}{_RATE}))"
    return f"({part} or 0 * {every}) / {every}"


def _latency(quantile: float) -> str:
    buckets = f"rate(http_request_duration_seconds_bucket{{{_RETRIEVAL}}}{_RATE})"
    return f"histogram_quantile({quantile}, sum by (le) ({buckets}))"


def serving() -> dashboard.Dashboard:
    """Return the dashboard."""
    return (
        board(
            "Features: serving",
            "feature-store-serving",
            narrowed_by={"feature_name": "feature_requests_total"},
        )
        .with_row(dashboard.Row("Now"))
        .with_panel(
            number(
                "Requests",
                "Of features, answered in a second.",
                query(f"sum(rate(http_requests_total{{{_RETRIEVAL}}}{_RATE}))"),
                unit="reqps",
            )
        )
        .with_panel(
            number(
                "95 % take less than",
                "Red from 50 ms on, as the alert.",
                query(_latency(0.95)),
                unit="s",
                ill_from=0.05,
            )
        )
        .with_panel(
            number(
                "From Redis",
                "Share of the values served; others cost more, or are defaults.",
                query(_share("online")),
                unit="percentunit",
                ill_below=0.6,
            )
        )
        .with_panel(
            number(
                "Defaults",
                "Share of the values served that no tier had.",
                query(_share("default")),
                unit="percentunit",
                ill_from=0.05,
            )
        )
        .with_panel(
            number(
                "Errors",
                "Share of requests that the gateway could not answer at all.",
                query(
                    f'(sum(rate(http_requests_total{{{_NO_PROBE}, status=~"5.."}}{_RATE})) or '
                    f"vector(0)) / sum(rate(http_requests_total{{{_NO_PROBE}}}{_RATE}))"
                ),
                unit="percentunit",
                ill_from=0.01,
            )
        )
        .with_panel(
            number(
                "Gateways",
                "That answer Prometheus.",
                query('sum(up{job="gateway"})'),
                ill_below=1,
            )
        )
        .with_row(dashboard.Row("Requests"))
        .with_panel(
            lines(
                "Time to an answer",
                "Of requests for features; half, 95 % and 99 % take less.",
                query(_latency(0.5), "50 %"),
                query(_latency(0.95), "95 %"),
                query(_latency(0.99), "99 %"),
                unit="s",
                limit=0.05,
            )
        )
        .with_panel(
            lines(
                "Requests by route",
                "Probes aside.",
                query(
                    f"sum by (route) (rate(http_requests_total{{{_NO_PROBE}}}{_RATE}))", "{{route}}"
                ),
                unit="reqps",
                stacked=True,
            )
        )
        .with_panel(
            lines(
                "Requests by status",
                "4xx are mistakes of callers, 5xx of the gateway.",
                query(
                    f"sum by (status) (rate(http_requests_total{{{_NO_PROBE}}}{_RATE}))",
                    "{{status}}",
                ),
                unit="reqps",
                stacked=True,
            )
        )
        .with_row(dashboard.Row("Values"))
        .with_panel(
            lines(
                "Values by tier",
                "From where they were served: online is Redis, offline PostgreSQL.",
                query(
                    f"sum by (served_from) (rate(feature_requests_total{_OF}{_RATE}))",
                    "{{served_from}}",
                ),
                stacked=True,
            )
        )
        .with_panel(
            lines(
                "From Redis, by feature",
                "Each feature's own limit is in its metadata.",
                query(_share("online", "feature_name, version"), "{{feature_name}}=={{version}}"),
                unit="percentunit",
            )
        )
        .with_panel(
            lines(
                "Defaults, by feature",
                "Each feature's own limit is in its metadata.",
                query(_share("default", "feature_name, version"), "{{feature_name}}=={{version}}"),
                unit="percentunit",
            )
        )
        .with_row(dashboard.Row("Tiers"))
        .with_panel(
            lines(
                "Time of a tier",
                "95 % of its batches take less.",
                query(
                    "histogram_quantile(0.95, sum by (tier, le) "
                    f"(rate(feature_retrieval_duration_seconds_bucket{_RATE})))",
                    "{{tier}}",
                ),
                unit="s",
            )
        )
        .with_panel(
            states(
                "State of the tiers",
                "Red while reads are kept off one.",
                query(
                    "max by (tier, computation) (feature_tier_state)", "{{tier}} {{computation}}"
                ),
                well="reads",
                ill="kept off",
            )
        )
        .with_panel(
            lines(
                "Misses by tier",
                "Values that it was asked for and did not have.",
                query(f"sum by (tier) (rate(feature_tier_misses_total{_OF}{_RATE}))", "{{tier}}"),
            )
        )
        .with_panel(
            lines(
                "Age of served values",
                "95 % are younger.",
                query(
                    "histogram_quantile(0.95, sum by (feature_name, le) "
                    f"(rate(feature_staleness_seconds_bucket{_OF}{_RATE})))",
                    "{{feature_name}}",
                ),
                unit="s",
            )
        )
        .with_panel(
            lines(
                "Written back",
                "Values found below Redis.",
                query(
                    f"sum by (store, outcome) (rate(feature_write_back_values_total{_RATE}))",
                    "{{store}} {{outcome}}",
                ),
            )
        )
        .with_panel(
            lines(
                "Deprecated versions",
                "Requests in an hour that were served one; their callers must move.",
                query(
                    "sum by (feature_name, version) "
                    f"(increase(feature_deprecated_requests_total{_OF}[1h])) or vector(0)",
                    "{{feature_name}}=={{version}}",
                ),
            )
        )
        .with_row(dashboard.Row("Vital signs"))
        .with_panel(
            lines(
                "Lag of the event loop",
                "Beyond some milliseconds the gateway lacks CPU.",
                query("max by (instance) (event_loop_lag_seconds)", "{{instance}}"),
                unit="s",
            )
        )
        .with_panel(
            lines(
                "Age of the catalog",
                "Time since the registry was read; it rises while the registry is away.",
                query("max by (instance) (feature_catalog_age_seconds)", "{{instance}}"),
                unit="s",
            )
        )
    )
