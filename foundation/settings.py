"""Every setting of the project, read once from the environment (and `.env`) by an entry point."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from foundation.environment import refuse_unknown_variables
from foundation.errors import ConfigurationError

PREFIX = "FEATURE_STORE_"
# What pydantic puts before messages of our own validators.
_OURS = "Value error, "
# Settings that mean nothing without each other.
_TOGETHER = (
    ("gateway_tls_certificate", "gateway_tls_key"),
    ("redis_tls_certificate", "redis_tls_key"),
    ("oidc_issuer", "oidc_audience", "oidc_jwks_url"),
)
PROJECT_ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """
    Typed settings; `FEATURE_STORE_<NAME>` in the environment or in `.env` sets `<name>`.

    Names end in their unit. Secrets never appear in a repr or a log.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=PROJECT_ROOT / ".env", extra="ignore", frozen=True
    )

    data_dir: Path = Field(
        default=PROJECT_ROOT / ".data", description="Folder of the embedded servers."
    )
    postgres_url: SecretStr | None = Field(
        default=None,
        description="postgresql://user:password@host:port/database; unset: the embedded server.",
    )
    redis_url: SecretStr | None = Field(
        default=None,
        description="redis://, rediss:// or unix:// URL; unset: the embedded server.",
    )
    redis_cluster: bool = Field(
        default=False, description="Whether redis_url names a node of a Redis Cluster."
    )
    redis_tls_ca: Path | None = Field(
        default=None, description="Authorities that may vouch for Redis; unset: the system's."
    )
    redis_tls_certificate: Path | None = Field(
        default=None, description="What a client shows to a Redis that asks for it."
    )
    redis_tls_key: Path | None = Field(default=None, description="Its private key.")
    postgres_connect_timeout_seconds: int = Field(default=5, ge=1)
    redis_connect_timeout_seconds: float = Field(default=1.0, gt=0)
    redis_timeout_seconds: float = Field(
        default=0.05, gt=0, description="Limit of one serving read from Redis."
    )
    redis_write_timeout_seconds: float = Field(
        default=30.0, gt=0, description="Limit of one bulk write to Redis."
    )
    redis_max_connections: int = Field(default=64, ge=1)
    postgres_timeout_seconds: float = Field(
        default=0.05, gt=0, description="Limit of one serving read from PostgreSQL."
    )
    postgres_max_connections: int = Field(default=16, ge=1)
    registry_timeout_seconds: float = Field(
        default=10.0, gt=0, description="Limit of one answer of the registry's database."
    )
    request_timeout_seconds: float = Field(
        default=0.09,
        gt=0,
        description="What all tiers together have for a request that brings no X-Timeout-Ms.",
    )
    on_demand_timeout_seconds: float = Field(
        default=0.25, gt=0, description="Limit of one computation for a request."
    )
    breaker_failures: int = Field(
        default=5, ge=1, description="Failures in a row after which a tier is left alone."
    )
    breaker_failing_seconds: float = Field(
        default=0.2, ge=0, description="How long they must have gone on: a hiccup is no outage."
    )
    breaker_recovery_seconds: float = Field(
        default=1.0, gt=0, description="Time between two attempts to see whether it is well again."
    )
    absent_seconds: float = Field(
        default=5.0, gt=0, description="How long an entity without a value is taken to have none."
    )
    gateway_host: str = "127.0.0.1"
    gateway_port: int = Field(default=8080, ge=1, le=65535)
    gateway_workers: int = Field(default=1, ge=1, le=256)
    shutdown_timeout_seconds: int = Field(
        default=30, ge=1, description="What requests under way have when the gateway must stop."
    )
    gateway_tls_certificate: Path | None = Field(
        default=None, description="PEM file of the certificate chain; unset: plain HTTP."
    )
    gateway_tls_key: Path | None = Field(default=None, description="PEM file of its private key.")
    authentication: Literal["on", "off"] = Field(
        default="on", description="Whether the gateway asks its callers for credentials."
    )
    unauthenticated_beyond_loopback: bool = Field(
        default=False, description="Whether it may be reached from elsewhere without asking."
    )
    credential_refresh_seconds: float = Field(default=2.0, gt=0)
    caller_requests_per_second: float = Field(
        default=1_000.0, ge=0, description="Of each caller and gateway process; 0: no limit."
    )
    caller_requests_burst: int = Field(default=2_000, ge=1)
    failed_credentials_per_minute: int = Field(
        default=30, ge=0, description="Of each client address; 0: no limit."
    )
    oidc_issuer: str | None = Field(
        default=None, min_length=1, description="`iss` of accepted tokens; unset: no tokens."
    )
    oidc_audience: str | None = Field(default=None, min_length=1)
    oidc_jwks_url: str | None = Field(
        default=None, description="Where the identity provider publishes its keys."
    )
    oidc_scope_claim: str = "scope"
    oidc_read_scope: str = "read"
    oidc_admin_scope: str = "admin"
    oidc_leeway_seconds: float = Field(default=30.0, ge=0, le=300)
    oidc_refresh_seconds: float = Field(default=300.0, gt=0)
    access_log: Literal["off", "errors", "all"] = Field(
        default="errors", description="Which answered requests the gateway logs."
    )
    request_read_timeout_seconds: float = Field(
        default=10.0, gt=0, description="How long a request may take to arrive."
    )
    max_request_entities: int = Field(default=1_000, ge=1)
    max_request_features: int = Field(default=100, ge=1)
    max_request_bytes: int = Field(default=1_048_576, ge=1_024)
    catalog_refresh_seconds: float = Field(default=10.0, gt=0)
    accept_computation_changes: bool = Field(
        default=False, description="Whether `apply` lets published computations compile anew."
    )
    serving_rules: Path | None = Field(
        default=None, description="YAML file of pinned versions and experiments."
    )
    serving_rules_refresh_seconds: float = Field(default=2.0, gt=0)
    served_sample_share: float = Field(
        default=0.0, ge=0, le=1, description="Share of answers that are kept, for `parity`."
    )
    served_sample_path: Path | None = Field(
        default=None, description="Folder of kept answers; unset: in data_dir."
    )
    served_sample_days: float = Field(default=7.0, gt=0)
    exposures_path: Path | None = Field(
        default=None, description="Folder of records of who took part in experiments; unset: none."
    )
    exposures_days: float = Field(default=90.0, gt=0)
    input_freshness_seconds: float = Field(
        default=300.0, gt=0, description="Oldest acceptable newest event when a job starts."
    )
    products_freshness_seconds: float = Field(
        default=172_800.0,
        ge=0,
        description="Age of the newest change of a product that is told; 0: none is.",
    )
    clock_skew_seconds: float = Field(
        default=60.0, ge=0, description="How far in the future an event may lie."
    )
    late_events_seconds: float = Field(
        default=900.0, ge=0, description="How late an event may be and still count at once."
    )
    incremental_rebuild_seconds: float = Field(
        default=86_400.0, gt=0, description="Age at which an incremental state is added up anew."
    )
    retry_delays_seconds: tuple[float, ...] = Field(
        default=(60.0, 300.0, 900.0), description="Waits before each retry of a transient error."
    )
    snapshot_url: str | None = Field(
        default=None,
        description="Folder of snapshots and archive, as file:// or s3://; unset: in data_dir.",
    )
    snapshot_retention_days: int = Field(
        default=365, ge=1, description="How long snapshots are kept."
    )
    history_retention_days: int = Field(
        default=180, ge=32, description="How long PostgreSQL keeps the history of values."
    )
    archive_retention_days: int | None = Field(
        default=None, ge=32, description="How long the archive keeps it then; unset: for ever."
    )
    run_retention_days: int = Field(
        default=90, ge=7, description="How long records of runs are kept that nothing looks at."
    )
    schedule_parallel_jobs: int = Field(
        default=2, ge=1, description="Most jobs that the schedule runs at a time."
    )
    schedule_refresh_seconds: float = Field(
        default=60.0, gt=0, description="How often the schedule looks for newly deployed features."
    )
    schedule_metrics_host: str = "127.0.0.1"
    schedule_metrics_port: int = Field(default=9108, ge=0, le=65535)
    traces_endpoint: str | None = Field(
        default=None, description="Where traces are sent, as OTLP over HTTP; unset: nowhere."
    )
    traces_sampled_share: float = Field(
        default=0.01, ge=0, le=1, description="Share of traces that are sent."
    )
    exporter_host: str = "127.0.0.1"
    exporter_port: int = Field(default=9109, ge=0, le=65535)
    exporter_refresh_seconds: float = Field(
        default=15.0, gt=0, description="How often the exporter reads what is cheap to read."
    )
    exporter_count_seconds: float = Field(
        default=300.0, gt=0, description="How often the exporter counts all stored values."
    )
    drift_interval_seconds: float = Field(
        default=3_600.0,
        ge=0,
        description="Least time between two measurements of a version after its runs.",
    )
    drift_sample_entities: int = Field(
        default=10_000, ge=1_000, description="Most entities that a drift measurement looks at."
    )
    embedding_command: str | None = Field(
        default=None,
        description="Command line of the embedding process; 'minilm': the packaged model.",
    )
    embedding_timeout_seconds: float = Field(
        default=60.0, gt=0, description="Limit of one answer of the embedding process."
    )
    duckdb_memory_megabytes: int = Field(
        default=2_048,
        ge=64,
        description="Most memory that DuckDB takes, as an engine and for histories.",
    )
    runbooks_url: str = Field(
        default="docs/runbooks", description="Where the runbooks are published; alerts link there."
    )
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("postgres_url")
    @classmethod
    def _check_postgres_scheme(cls, value: SecretStr | None) -> SecretStr | None:
        _require_scheme(value, ("postgresql://", "postgres://"))
        return value

    @field_validator("redis_url")
    @classmethod
    def _check_redis_scheme(cls, value: SecretStr | None) -> SecretStr | None:
        _require_scheme(value, ("redis://", "rediss://", "unix://"))
        return value

    @field_validator("oidc_jwks_url")
    @classmethod
    def _check_jwks_scheme(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            # Who can change the keys on their way can make tokens.
            local = parts.hostname in {"127.0.0.1", "::1", "localhost"}
            if parts.scheme != "https" and not (parts.scheme == "http" and local):
                raise ValueError("must start with https:// (http:// on this machine only)")
        return value

    @model_validator(mode="after")
    def _check_that_redis_is_encrypted(self) -> "Settings":
        url = self.redis_url.get_secret_value() if self.redis_url else ""
        for name in ("redis_tls_ca", "redis_tls_certificate"):
            if getattr(self, name) is not None and not url.startswith("rediss://"):
                raise ValueError(f"{_variables([name])} needs a redis_url of rediss://")
        return self

    @model_validator(mode="after")
    def _check_that_groups_are_whole(self) -> "Settings":
        for names in _TOGETHER:
            missing = [name for name in names if getattr(self, name) is None]
            present = [name for name in names if name not in missing]
            if missing and present:
                raise ValueError(f"{_variables(present)} needs {_variables(missing)}, too")
        return self

    @model_validator(mode="after")
    def _check_that_archives_are_kept(self) -> "Settings":
        days, least = self.archive_retention_days, self.history_retention_days
        if days is not None and days < least:
            raise ValueError(f"{_variables(['archive_retention_days'])} must be at least {least}")
        return self

    @field_validator("embedding_command")
    @classmethod
    def _check_command_line(cls, value: str | None) -> str | None:
        if value is not None and not shlex.split(value):
            raise ValueError("must name a command")
        return value


def load_settings() -> Settings:
    """
    Read the settings.

    Raises:
        ConfigurationError: A variable has a wrong value, or no setting has its name; the message
            names each variable and what it must be.
    """
    refuse_unknown_variables(PREFIX, Settings.model_fields)
    try:
        return Settings()
    except ValidationError as error:
        lines = [
            "".join(f"{PREFIX}{str(name).upper()}: " for name in detail["loc"][:1])
            + detail["msg"].removeprefix(_OURS)
            for detail in error.errors(include_input=False, include_url=False)
        ]
        raise ConfigurationError(
            "wrong settings:\n  " + "\n  ".join(lines),
            hint="Correct them in the environment or in the .env file.",
        ) from None


def _variables(names: Sequence[str]) -> str:
    return " and ".join(PREFIX + name.upper() for name in names)


def _require_scheme(value: SecretStr | None, schemes: tuple[str, ...]) -> None:
    if value is not None and not value.get_secret_value().startswith(schemes):
        raise ValueError("must start with " + " or ".join(schemes))
