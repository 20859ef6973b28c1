"""A history to train on, and the command line."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from feature_repo.cli import app
from feature_repo.registry.gather import gather_features
from foundation.errors import FeatureStoreError
from foundation.postgres import Connection
from foundation.settings import Settings
from tests.histories import Written, store

FEATURES = {feature.reference: feature for feature in gather_features()}
START = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    """Return a function that runs `python -m feature_repo`; our errors come as output."""

    def call(*arguments: str | Path) -> Result:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(
            result.exception, (SystemExit, FeatureStoreError)
        ):
            raise result.exception
        return result

    return call


@pytest.fixture
def history(postgres: Connection, applied: Settings) -> Connection:
    """Return a connection to tables with values of three features, hour by hour."""
    assert applied
    for number, (reference, ids) in enumerate(
        {
            "popularity_score==1.0.0": ["a", "b"],
            "popularity_score==1.1.0": ["a", "b"],
            "user_category_affinity==1.0.0": ["u"],
        }.items()
    ):
        written = [
            Written(
                entity_id,
                START + step * HOUR,
                START + step * HOUR,
                {"x": step / 10} if reference.startswith("user") else (number + step) / 10,
            )
            for entity_id in ids
            for step in range(6)
        ]
        store(postgres, FEATURES[reference], written, empty=number == 0)
    return postgres


@pytest.fixture
def entities(tmp_path: Path) -> Path:
    """Return a file of entity rows with labels; one product is unknown."""
    path = tmp_path / "entities.csv"
    pd.DataFrame(
        {
            "user_id": ["u", "v", "u", "u"],
            "product_id": ["a", "b", "c", "a"],
            "event_timestamp": [(START + step * HOUR).isoformat() for step in (1, 2, 3, 4)],
            "bought": [0, 1, 1, 0],
        }
    ).to_csv(path, index=False)
    return path
