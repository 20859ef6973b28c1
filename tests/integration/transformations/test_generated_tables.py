"""Generated rows in PostgreSQL, but never beside other ones."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from psycopg import sql
from typer.testing import CliRunner

from foundation.cli import new_app
from foundation.errors import ConfigurationError, ContractViolation
from foundation.postgres import connect
from foundation.settings import Settings
from transformations.commands.generate import generate
from transformations.generated_tables import load_tables
from transformations.generator import Shop

SHOP = Shop(
    users=50, products=20, events=400, days=30, seed=1, until=datetime(2026, 6, 1, tzinfo=UTC)
)


def _counts(settings: Settings) -> dict[str, int]:
    with connect(settings) as connection:
        return {
            table: connection.execute(
                sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))
            ).rowcount
            for table in ("products", "users", "events")
        }


def test_a_shop_replaces_another(settings: Settings) -> None:
    """The tables hold the last shop only, and progress adds up to its rows."""
    told: Counter[str] = Counter()
    load_tables(settings, Shop(**{**vars(SHOP), "users": 70}))
    load_tables(settings, SHOP, progress=lambda table, rows: told.update({table: rows}))
    assert _counts(settings) == SHOP.row_counts() == told


def test_other_rows_are_left_alone(shop: Settings) -> None:
    """A shop that somebody else loaded stays as it is."""
    before = _counts(shop)
    with pytest.raises(ContractViolation, match="product_id 'p:0' is not generated"):
        load_tables(shop, SHOP)
    assert _counts(shop) == before


def test_the_command_writes_and_loads(settings: Settings, tmp_path: Path) -> None:
    """`generate --output --load` does both."""
    app = new_app("")
    app.command()(generate)
    options = ["--users", "50", "--products", "20", "--events", "400", "--load"]
    options += ["--until", "2026-06-01T00:00", "--output", str(tmp_path)]
    result = CliRunner().invoke(app, options, catch_exceptions=False)
    assert result.exit_code == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        "events.parquet",
        "products.parquet",
        "users.parquet",
    }
    assert _counts(settings) == SHOP.row_counts()


def test_the_command_must_be_told_where_to() -> None:
    """Neither a folder nor `--load` is a mistake."""
    with pytest.raises(ConfigurationError, match="nothing to do"):
        generate()
