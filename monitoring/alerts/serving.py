"""Alerts of what callers of the gateway get."""

from datetime import timedelta

from monitoring.alerts.alert import Alert, Severity
from monitoring.alerts.owners import with_owner
from monitoring.promql import (
    GATEWAY,
    NO_PROBE,
    RETRIEVAL,
    by_version,
    share_served,
    values_served,
)

# Values or requests in a second: of fewer, a share says little.
_ENOUGH = "0.1"
_REQUESTS = f"sum(rate(http_requests_total{{{NO_PROBE}}}[5m]))"
_WRITTEN_BACK = "sum(rate(feature_write_back_values_total[10m]))"
_NOT_WRITTEN_BACK = 'sum(rate(feature_write_back_values_total{outcome="failed"}[10m]))'


def _share(served_from: str, window: str) -> str:
    """Return the share of each version's values that a tier served, of versions in use."""
    enough = f"{values_served(window)} > {_ENOUGH}"
    return f"({share_served(served_from, window)} and on (feature_name, version) {enough})"


def _limit(metric: str) -> str:
    """Return the limit of each version; for a day also without the exporter."""
    return by_version(f"last_over_time({metric}[1d])")


def _open(tier: str) -> str:
    return f'max by (tier, part) (feature_tier_state{{tier="{tier}"}}) == 1'


ALERTS = (
    Alert(
        name="FeatureRetrievalSlow",
        expression=(
            "histogram_quantile(0.95, sum by (route, le) "
            f"(rate(http_request_duration_seconds_bucket{{{RETRIEVAL}}}[5m]))) > 0.05 "
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
        expression=with_owner(
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
        expression=with_owner(
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
            f'sum(rate(http_requests_total{{{NO_PROBE}, status=~"5.."}}[5m])) / {_REQUESTS} > 0.01 '
            f"and {_REQUESTS} > {_ENOUGH}"
        ),
        hold=timedelta(minutes=5),
        severity=Severity.CRITICAL,
        summary="{{ $value | humanizePercentage }} of the requests end in an error of the gateway",
        description="Callers get no values at all, not even defaults.",
    ),
    Alert(
        name="OnlineTierOpen",
        expression=_open("online"),  # in a cluster, of each node
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
        expression=_open("on_demand"),
        hold=timedelta(minutes=5),
        severity=Severity.WARNING,
        summary="{{ $labels.part }}: computed no more, after several failures in a row",
        description="Values of this feature that no store has are served as defaults.",
    ),
    Alert(
        name="TierRecovering",
        expression=(
            'max by (tier) (max_over_time(feature_tier_state{tier=~"online|offline"}[15m])) == 1'
        ),
        hold=timedelta(0),
        severity=Severity.NONE,
        summary="{{ $labels.tier }}: reads were kept off it in the last quarter of an hour",
        description="Nobody is told: it holds back what rates still show of what is over.",
    ),
    Alert(
        name="WriteBackFailing",
        expression=(f"{_NOT_WRITTEN_BACK} / {_WRITTEN_BACK} > 0.1 and {_WRITTEN_BACK} > {_ENOUGH}"),
        hold=timedelta(minutes=10),
        severity=Severity.WARNING,
        summary=(
            "{{ $value | humanizePercentage }} of the values found below Redis can't be written "
            "back"
        ),
        description="They are looked up or computed again and again, slower.",
    ),
    Alert(
        name="DeprecatedVersionUsed",
        expression=with_owner(
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
    Alert(
        name="CatalogStale",
        expression="max by (instance) (feature_catalog_age_seconds) > 300",
        hold=timedelta(minutes=2),
        severity=Severity.WARNING,
        summary=(
            "The gateway {{ $labels.instance }} last read the registry "
            "{{ $value | humanizeDuration }} ago"
        ),
        description="It serves what was deployed then, and does not know of later versions.",
    ),
    Alert(
        name="ApiKeysStale",
        expression="max by (instance) (feature_api_keys_age_seconds) > 300",
        hold=timedelta(minutes=2),
        severity=Severity.WARNING,
        summary=(
            "The gateway {{ $labels.instance }} last read the API keys "
            "{{ $value | humanizeDuration }} ago"
        ),
        description="Keys that were revoked since still open it; new ones don't.",
    ),
)
