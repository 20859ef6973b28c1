"""PromQL that alerts and dashboards share."""

# Of the scrapes; see deploy/prometheus/prometheus.yml.
GATEWAY, SCHEDULER, EXPORTER = "gateway", "scheduler", "exporter"

# Of the gateway's routes, those that retrieve features.
RETRIEVAL = (
    'route=~"/v1/features/batch|/v1/feature-services/.*|/v1/features/.*/values/.*'
    '|/get-online-features"'
)
# Probes answer 503 on purpose.
NO_PROBE = 'route!~"/health|/ready|/metrics"'


def by_version(metric: str) -> str:
    """Return a gauge's value for each feature version, also if several processes expose it."""
    return f"max by (feature_name, version) ({metric})"


def by_job(metric: str) -> str:
    """Return a gauge's value for each job, likewise."""
    return f"max by (job_name) ({metric})"


def running_since(of: str = "") -> str:
    """Return when the run of each job started that is under way, of jobs that a selector names."""
    return f"({by_job(f'batch_job_running_since_timestamp{of}')} > 0)"


def longest_pause(of: str = "") -> str:
    """Return how long after a success each job counts as overdue, likewise."""
    interval = by_job(f"batch_job_interval_seconds{of}")
    return f"({interval} + clamp_min(0.1 * {interval}, 300))"


def values_served(window: str, of: str = "", by: str = "feature_name, version") -> str:
    """
    Return how many values are served in a second.

    Args:
        window: What the rate is taken over.
        of: Matchers of features; empty: all.
        by: Labels that tell values apart; empty: none.
    """
    selector = f"{{{of}}}" if of else ""
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (rate(feature_requests_total{selector}[{window}]))"


def share_served(
    served_from: str, window: str, of: str = "", by: str = "feature_name, version"
) -> str:
    """Return the share of them that a tier serves; arguments as for `values_served`."""
    tier = ", ".join(part for part in (of, f'served_from="{served_from}"') if part)
    every = values_served(window, of, by)
    # A tier that served nothing at all has no series of its own.
    return f"({values_served(window, tier, by)} or 0 * {every}) / {every}"
