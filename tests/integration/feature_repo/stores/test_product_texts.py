"""PostgreSQL keeps what products said, whoever writes them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, make_url, text

from feature_repo.stores import schema
from foundation.endpoints import resolve_endpoints
from foundation.postgres import Connection
from foundation.settings import Settings

AT = datetime(2026, 6, 1, tzinfo=UTC)
_INSERT = "INSERT INTO products VALUES (%(id)s, %(title)s, NULL, 'c', 1, %(at)s, %(at)s)"


def _texts(postgres: Connection) -> Sequence[tuple[Any, ...]]:
    return postgres.execute(
        "SELECT product_id, title, in_force_from FROM product_texts ORDER BY product_id, written_at"
    ).fetchall()


def test_only_a_new_text_is_kept(postgres: Connection) -> None:
    """Neither a new price nor loading everything anew counts; what is deleted is remembered."""
    postgres.execute(_INSERT, {"id": "p", "title": "tea", "at": AT})
    postgres.execute("UPDATE products SET price = 2, updated_at = updated_at + interval '1 day'")
    postgres.execute("DELETE FROM products")
    postgres.commit()
    postgres.execute(_INSERT, {"id": "p", "title": "tea", "at": AT})
    assert _texts(postgres) == [("p", "tea", AT)]
    postgres.execute("UPDATE products SET title = 'milk'")
    postgres.execute("UPDATE products SET title = 'tea'")
    assert [title for _, title, _ in _texts(postgres)] == ["tea", "milk", "tea"]


def test_who_writes_products_needs_no_other_right(postgres: Connection) -> None:
    """The shop's own role may write products, and nothing beside them."""
    postgres.execute("CREATE ROLE shop")
    postgres.execute("GRANT INSERT, SELECT, UPDATE ON products TO shop")
    postgres.execute("SET LOCAL ROLE shop")
    postgres.execute(_INSERT, {"id": "p", "title": "tea", "at": AT})
    postgres.execute("RESET ROLE")
    assert _texts(postgres) == [("p", "tea", AT)]
    postgres.rollback()


@pytest.mark.usefixtures("postgres")
def test_the_texts_that_are_there_are_kept(settings: Settings) -> None:
    """A schema from before learns them; all in a transaction rolled back."""
    url = make_url(resolve_endpoints(settings).postgres_url.get_secret_value())
    engine = create_engine(url.set(drivername="postgresql+psycopg"))
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with engine.connect() as connection, connection.begin() as transaction:
        config.attributes["connection"] = connection
        command.downgrade(config, "0007")
        connection.execute(
            text("INSERT INTO products VALUES ('p', 'tea', NULL, 'c', 1, :at, :at)"), {"at": AT}
        )
        command.upgrade(config, "head")
        kept = connection.execute(
            text("SELECT title, in_force_from, written_at FROM product_texts")
        )
        assert kept.all() == [("tea", AT, AT)]
        transaction.rollback()
    engine.dispose()
