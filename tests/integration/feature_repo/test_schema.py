"""The schema is built by migrations that can be repeated and undone."""

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, inspect, make_url

from feature_repo.stores import schema
from foundation.endpoints import resolve_endpoints
from foundation.errors import ConfigurationError
from foundation.postgres import connect
from foundation.settings import Settings

TABLES = {
    "api_keys",
    "computation_runs",
    "events",
    "feature_latest",
    "feature_values",
    "products",
    "users",
}


def test_migrating_again_changes_nothing(settings: Settings) -> None:
    """A second migration finds the newest revision."""
    assert schema.migrate(settings) == schema.migrate(settings)


def test_every_migration_can_be_undone(settings: Settings) -> None:
    """Down to nothing and up again leaves the same tables; all in a transaction rolled back."""
    url = make_url(resolve_endpoints(settings).postgres_url.get_secret_value())
    engine = create_engine(url.set(drivername="postgresql+psycopg"))
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with engine.connect() as connection, connection.begin() as transaction:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        assert not TABLES & set(inspect(connection).get_table_names())
        command.upgrade(config, "head")
        assert set(inspect(connection).get_table_names()) >= TABLES
        transaction.rollback()
    engine.dispose()


def test_a_table_that_is_missing_is_named(settings: Settings) -> None:
    """With what to do about a schema of an earlier release."""
    with (
        pytest.raises(ConfigurationError, match='relation "later" does not exist') as caught,
        connect(settings) as connection,
    ):
        connection.execute("SELECT FROM later")
    assert "migrate" in caught.value.hint
