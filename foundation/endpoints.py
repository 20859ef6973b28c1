"""Where PostgreSQL and Redis are: what the settings name, or else the embedded servers."""

from dataclasses import dataclass

from pydantic import SecretStr

from foundation import embedded
from foundation.errors import StoreUnavailable
from foundation.settings import Settings


@dataclass(frozen=True)
class Endpoints:
    """URLs of the two stores; secret, for they may hold passwords."""

    postgres_url: SecretStr
    redis_url: SecretStr


def resolve_endpoints(settings: Settings) -> Endpoints:
    """
    Return the URL of each store.

    Raises:
        StoreUnavailable: A URL is unset and no embedded server was started.
    """
    if settings.postgres_url is not None and settings.redis_url is not None:
        return Endpoints(settings.postgres_url, settings.redis_url)
    servers = embedded.running(settings.data_dir)
    if servers is None:
        raise StoreUnavailable(
            f"no embedded servers run in {settings.data_dir}",
            hint="Start them with `make up`, or set FEATURE_STORE_POSTGRES_URL and "
            "FEATURE_STORE_REDIS_URL to servers of your own.",
        )
    return Endpoints(
        settings.postgres_url or SecretStr(servers.postgres_url),
        settings.redis_url or SecretStr(servers.redis_url),
    )
