"""Settings come from the environment; a wrong one is named."""

import pytest

from foundation.errors import ConfigurationError
from foundation.settings import load_settings


def test_environment_sets_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """FEATURE_STORE_<NAME> sets <name>."""
    monkeypatch.setenv("FEATURE_STORE_GATEWAY_PORT", "9000")
    assert load_settings().gateway_port == 9000


@pytest.mark.parametrize(
    ("variable", "value", "requirement"),
    [
        ("FEATURE_STORE_GATEWAY_PORT", "http", "valid integer"),
        ("FEATURE_STORE_GATEWAY_PORT", "70000", "less than or equal to 65535"),
        ("FEATURE_STORE_POSTGRES_URL", "mysql://host/db", "must start with postgresql://"),
        ("FEATURE_STORE_REDIS_URL", "localhost:6379", "must start with redis://"),
        ("FEATURE_STORE_REDIS_TIMEOUT_SECONDS", "0", "greater than 0"),
        ("FEATURE_STORE_EMBEDDING_COMMAND", " ", "must name a command"),
        ("FEATURE_STORE_EMBEDDING_COMMAND", "python 'model.py", "No closing quotation"),
        ("FEATURE_STORE_AUTHENTICATION", "no", "'on' or 'off'"),
        ("FEATURE_STORE_OIDC_ISSUER", "https://login", "OIDC_JWKS_URL, too"),
        ("FEATURE_STORE_OIDC_JWKS_URL", "http://localhost.example.com/keys", "https://"),
        ("FEATURE_STORE_OIDC_JWKS_URL", "file:///etc/passwd", "https://"),
        ("FEATURE_STORE_REDIS_TLS_CA", "ca.pem", "rediss://"),
        ("FEATURE_STORE_LOG_LEVEL", "loud", "'debug', 'info'"),
    ],
)
def test_a_wrong_value_is_named_with_what_it_must_be(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, requirement: str
) -> None:
    """The error names the variable and the requirement."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert variable in str(caught.value)
    assert requirement in str(caught.value)


def test_the_archive_is_kept_for_longer_than_postgresql_keeps_the_history(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else what is archived would be removed the same night."""
    monkeypatch.setenv("FEATURE_STORE_HISTORY_RETENTION_DAYS", "60")
    monkeypatch.setenv("FEATURE_STORE_ARCHIVE_RETENTION_DAYS", "60")
    assert load_settings().archive_retention_days == 60
    monkeypatch.setenv("FEATURE_STORE_ARCHIVE_RETENTION_DAYS", "59")
    with pytest.raises(ConfigurationError, match="ARCHIVE_RETENTION_DAYS must be at least 60"):
        load_settings()


def test_a_wrong_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message about a URL does not repeat its password."""
    monkeypatch.setenv("FEATURE_STORE_POSTGRES_URL", "mysql://user:hunter2@host/db")
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_a_misspelled_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable with our prefix that sets nothing is an error with the nearest name."""
    monkeypatch.setenv("FEATURE_STORE_REDIS_UR", "redis://localhost")
    with pytest.raises(ConfigurationError, match="Did you mean FEATURE_STORE_REDIS_URL"):
        load_settings()


def test_secrets_are_not_in_the_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Printing the settings shows no password."""
    monkeypatch.setenv("FEATURE_STORE_POSTGRES_URL", "postgresql://user:hunter2@host/db")
    assert "hunter2" not in repr(load_settings())
