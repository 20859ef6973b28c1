"""Connections to PostgreSQL: what the URL says of a session counts, whoever connects."""

import pytest
from pydantic import SecretStr

from foundation.arrow_postgres import connect_arrow
from foundation.endpoints import resolve_endpoints
from foundation.postgres import connect, connection_pool, registry_connection
from foundation.settings import Settings


@pytest.fixture
def elsewhere(settings: Settings) -> Settings:
    """Return settings whose URL names a schema."""
    url = resolve_endpoints(settings).postgres_url.get_secret_value()
    joint = "&" if "?" in url else "?"
    options = f"{url}{joint}options=-csearch_path%3Dshop"
    return settings.model_copy(update={"postgres_url": SecretStr(options)})


async def test_options_of_the_url_are_kept(elsewhere: Settings) -> None:
    """By all: otherwise some would write where others don't read. Ours come on top."""
    with connect(elsewhere) as connection:
        assert connection.execute("SHOW search_path").fetchone() == ("shop",)
        assert connection.execute("SHOW timezone").fetchone() == ("UTC",)
    with registry_connection(elsewhere) as connection:
        assert connection.execute("SHOW search_path").fetchone() == ("shop",)
    with connect_arrow(elsewhere) as arrow, arrow.cursor() as cursor:
        cursor.execute("SELECT current_setting('search_path')")
        assert cursor.fetchone() == ("shop",)
    pool = connection_pool(elsewhere)
    await pool.open()
    async with pool.connection() as waiting:
        assert await (await waiting.execute("SHOW search_path")).fetchone() == ("shop",)
        assert await (await waiting.execute("SHOW statement_timeout")).fetchone() == ("10s",)
    await pool.close()
