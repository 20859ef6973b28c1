"""Alerts of what callers of the gateway get."""

from datetime import timedelta

from monitoring.alerts.alert import GATEWAY, Alert, Severity, by_version

# Of the routes, those that retrieve features.
_RETRIEVAL = (
    'route=~"/v1/features/batch|/v1/feature-services/.*|/v1/features/.*/values/.*'
    '|/get-online-features"'
)
# Probes answer 503 on purpose.
_NO_PROBE = 'route!~"/health|/ready|/metrics"'
# Values or requests in a second: of fewer, a share says little.
_ENOUGH = "0.1"


def _share(served_from: str, window: str) -> str:
    """Return the share of each version's values that a tier served, of versions in use."""

    def rate(selector: str) -> str:
        values = f"rate(feature_requests_total{selector}[{window}])"
        return f"sum by (feature_name, version) ({values})"

    served, every = rate(f'{{served_from="{served_from}"}}'), rate("")
    # A tier that served nothing at all has no series of its own.
    return f"(({served}) or 0 * {every}) / ({every} > {_ENOUGH})"


def _limit(metric: str) -> str:
    """Return the limit of each version; for a day also without the exporter."""
    return by_version(f"last_over_time({metric}[1d])")


def _open(tier: str) -> str:
    return f'max by (tier) (feature_tier_state{{tier=~"{tier}"}}) == 1'


ALERTS = (
    Alert(
        name="FeatureRetrievalSlow",
        expression=(
            "histogram_quantile(0.95, sum by (route, le) "
            f"(rate(http_request_duration_seconds_bucket{{{_RETRIEVAL}}}[5m]))) > 0.05 "
            "and on (route) "
            f"sum by (route) (rate(http_request_duration_seconds_count[5m])) > {_ENOUGH}"
        ),
        hold=timedelta(minutes=5),
        severity=Severity.WARNING,
        summary=(
            "{{ $labels.route }}: one request in twenty takes "
            "{{ $value | humanizeDuration }} or more"
        ),
        description="Retrieval is to take less than 50 ms; rankings that wait for it get slower.",
    ),
    Alert(
        name="FeatureCacheHitRateLow",
        expression=(
            f"{_share('online', '15m')} < on (feature_name, version) "
            f"{_limit('feature_hit_rate_limit_ratio')}"
        ),
        hold=timedelta(minutes=10),
        severity=Severity.WARNING,
        summary=(
            "{{ $labels.feature_name }}=={{ $labels.version }}: only "
            "{{ $value | humanizePercentage }} of the values come from Redis"
        ),
        description="Others come from PostgreSQL or are computed, slower, or are defaults.",
    ),
    Alert(
        name="FeatureUnavailable",
        expression=(
            f"{_share('default', '5m')} > on (feature_name, version) "
            f"{_limit('feature_unavailable_limit_ratio')}"
        ),
        hold=timedelta(minutes=5),
        severity=Severity.CRITICAL,
        summary=(
            "{{ $labels.feature_name }}=={{ $labels.version }}: "
            "{{ $value | humanizePercentage }} of the values served are defaults"
        ),
        description="No tier has these values; models decide on defaults.",
    ),
    Alert(
        name="GatewayErrors",
        expression=(
            f'sum(rate(http_requests_total{{{_NO_PROBE}, status=~"5.."}}[5m])) '
            f"/ sum(rate(http_requests_total{{{_NO_PROBE}}}[5m])) > 0.01"
        ),
        hold=timedelta(minutes=5),
        severity=Severity.CRITICAL,
        summary="{{ $value | humanizePercentage }} of the requests end in an error of the gateway",
        description="Callers get no values at all, not even defaults.",
    ),
    Alert(
        name="OnlineTierOpen",
        expression=_open("online(:.*)?"),  # in a cluster, of each node
        hold=timedelta(minutes=1),
        severity=Severity.CRITICAL,
        summary="Reads are kept off Redis, which failed several times in a row",
        description="Values come from PostgreSQL, slower, and load it.",
    ),
    Alert(
        name="OfflineTierOpen",
        expression=_open("offline"),
        hold=timedelta(minutes=2),
        severity=Severity.WARNING,
        summary="Reads are kept off PostgreSQL, which failed several times in a row",
        description="What Redis lacks is served as defaults.",
    ),
    Alert(
        name="OnDemandTierOpen",
        expression=_open("on_demand:.*"),
        hold=timedelta(minutes=5),
        severity=Severity.WARNING,
        summary="{{ $labels.tier }}: computed no more, after several failures in a row",
        description="Values of this feature that no store has are served as defaults.",
    ),
    Alert(
        name="DeprecatedVersionUsed",
        expression=(
            "sum by (feature_name, version) (increase(feature_deprecated_requests_total[1h])) > 0 "
            "or sum by (feature_name, version) (feature_deprecated_requests_total "
            "unless feature_deprecated_requests_total offset 1h) > 0"
        ),
        hold=timedelta(0),
        severity=Severity.INFO,
        summary=(
            "{{ $labels.feature_name }}=={{ $labels.version }} is deprecated, and was asked for "
            "in the last hour"
        ),
        description="Whoever asks must move before the version is retired.",
    ),
    Alert(
        name="GatewayDown",
        expression=f'up{{job="{GATEWAY}"}} == 0 or absent(up{{job="{GATEWAY}"}})',
        hold=timedelta(minutes=1),
        severity=Severity.CRITICAL,
        summary="The gateway {{ $labels.instance }} does not answer",
        description="If it is the only one, nobody gets any features.",
    ),
)
