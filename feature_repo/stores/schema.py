"""The database schema, brought up to date by versioned migrations (Alembic)."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import NullPool, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from foundation.endpoints import resolve_endpoints
from foundation.errors import StoreUnavailable
from foundation.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"
# Any number that other advisory locks of this project do not use.
_MIGRATION_LOCK = 7_215_003


def migrate(settings: Settings) -> str:
    """
    Bring the schema up to date; concurrent calls wait for each other.

    Returns:
        The schema's revision afterwards.

    Raises:
        StoreUnavailable: PostgreSQL can't be reached.
    """
    url = make_url(resolve_endpoints(settings).postgres_url.get_secret_value())
    engine = create_engine(url.set(drivername="postgresql+psycopg"), poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            return str(MigrationContext.configure(connection).get_current_revision())
    except OperationalError as error:
        raise StoreUnavailable(
            f"PostgreSQL: {error.orig}", hint="Is it running? `make up` starts the embedded one."
        ) from error
