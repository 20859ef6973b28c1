"""`compute` prints what would be served, and stores nothing."""

import json
from pathlib import Path

import pytest
import redis
import typer
from typer.testing import CliRunner

from foundation.errors import ConfigurationError, ContractViolation, UnknownFeature
from foundation.postgres import Connection
from foundation.settings import Settings
from tests.integration.transformations.embedding.models import GOOD, script
from transformations.commands.compute import compute

app = typer.Typer()
app.command()(compute)


@pytest.fixture
def shop_of_two(applied: Settings, postgres: Connection) -> Connection:  # noqa: ARG001 - the catalog
    """Return a connection to a shop whose features are deployed; it sells milk and tea."""
    postgres.execute(
        """
        INSERT INTO products VALUES
            ('p:1', 'Milk', NULL, 'c', 1, now(), now()), ('p2', 'Tea', '', 'c', 1, now(), now())
        """
    )
    postgres.commit()
    return postgres


def _values(*arguments: str) -> dict[str, float | None]:
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    answer: dict[str, dict[str, float | None]] = json.loads(result.stdout)
    return answer["values"]


def test_values_are_printed_and_not_stored(shop_of_two: Connection, valkey: redis.Redis) -> None:
    """As a table, or as JSON with null for what has no value."""
    wanted = ["p%3A1:milk", "p2:milk", "p3:milk"]
    values = _values("search_keyword_score", *wanted)
    assert values["p%3A1:milk"] == pytest.approx(0.5)
    assert (values["p2:milk"], values["p3:milk"]) == (0.0, None)
    shown = CliRunner().invoke(app, ["search_keyword_score==1.0.0", *wanted])
    assert "0.5" in shown.stdout
    assert "null" in shown.stdout
    assert _values("product_freshness_score", "p:1") == {"p:1": pytest.approx(1.0, abs=1e-3)}
    stored = shop_of_two.execute("SELECT count(*) FROM feature_latest").fetchone()
    assert stored == (0,)
    assert valkey.dbsize() == 0


def test_the_semantic_score_asks_the_configured_model(
    shop_of_two: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cosine of the query's vector and the stored one of the product, if it has one."""
    command = " ".join(script(tmp_path, GOOD))
    monkeypatch.setenv("FEATURE_STORE_EMBEDDING_COMMAND", command)
    shop_of_two.execute(
        """
        INSERT INTO feature_latest (entity_id, feature_name, feature_value, version, "timestamp")
        VALUES ('p%%3A1', 'product_embedding', %s, '1.0.0', now())
        """,
        (json.dumps([2.0, 97.0, 98.0, *[0.0] * 381]),),
    )
    shop_of_two.commit()
    values = _values("search_semantic_score==1.0.0", "p%3A1:ab", "p%3A1:b", "p2:ab")
    assert values["p%3A1:ab"] == 1.0
    assert 0 < (values["p%3A1:b"] or 0) < 1
    assert values["p2:ab"] is None


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["popularity_score", "p2"], ConfigurationError, "can't be computed on demand"),
        (["product_embedding==1.0.0", "p2"], ConfigurationError, "can't be computed on demand"),
        (["search_semantic_score==1.0.0", "p:1:a:b"], ContractViolation, "no id of product_query"),
        (["nothing", "p2"], UnknownFeature, "nothing"),
    ],
)
def test_what_can_not_be_computed_is_refused(
    shop_of_two: Connection,  # noqa: ARG001 - the catalog
    arguments: list[str],
    error: type[Exception],
    message: str,
) -> None:
    """Batch features, ids of another entity, and unknown features."""
    with pytest.raises(error, match=message):
        CliRunner().invoke(app, arguments, catch_exceptions=False)
