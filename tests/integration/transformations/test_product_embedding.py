"""Product texts become vectors, in the batch job, as in any model job."""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pytest

from feature_repo.registry.gather import gather_features
from foundation.errors import ConfigurationError
from foundation.postgres import Connection
from foundation.settings import Settings
from tests.integration.transformations.conftest import AS_OF
from transformations.computing import compute
from transformations.embedding import Embed, Vectors, no_model
from transformations.engines.postgres import PostgresEngine
from transformations.expressions import job_expression
from transformations.jobs import Job

FEATURE = next(f for f in gather_features() if f.feature_name == "product_embedding")
JOB = Job((FEATURE,), ())


def _computed(settings: Settings, embed: Embed) -> dict[str, list[float]]:
    with PostgresEngine.open(settings) as engine:
        computed = compute(
            JOB, engine.execute(job_expression(JOB, as_of=AS_OF)), as_of=AS_OF, embed=embed
        )
    values = computed.values[FEATURE.reference].to_pydict()
    return dict(zip(values["entity_id"], values["feature_value"], strict=True))


def test_products_have_the_vectors_of_their_texts(settings: Settings, postgres: Connection) -> None:
    """Title and description; equal texts are embedded once, products of the future not at all."""
    rows = [
        ("a", "Milk", "From the farm.", AS_OF),
        ("b:1", "Tea", None, AS_OF),
        ("c", "Milk", "From the farm.", AS_OF),
        ("d", "Tea", "", AS_OF),
        ("e", "New", None, AS_OF + timedelta(seconds=1)),
    ]
    with postgres.cursor() as cursor:
        cursor.executemany("INSERT INTO products VALUES (%s, %s, %s, 'c', 1, %s, now())", rows)
    postgres.commit()
    asked: list[str] = []

    def embed(texts: Sequence[str]) -> Vectors:
        asked.extend(texts)
        return np.array([[float(len(text))] * 384 for text in texts], np.float32)

    assert _computed(settings, embed) == {
        "a": [19.0] * 384,
        "b%3A1": [3.0] * 384,
        "c": [19.0] * 384,
        "d": [3.0] * 384,
    }
    assert sorted(asked) == ["Milk\nFrom the farm.", "Tea"]


def test_an_empty_catalog_has_no_vectors(settings: Settings) -> None:
    """Nothing is embedded, and nothing fails."""
    assert _computed(settings, lambda texts: np.empty((len(texts), 384), np.float32)) == {}


def test_without_a_model_the_job_says_what_to_set(shop: Settings) -> None:
    """The error names the setting."""
    with pytest.raises(ConfigurationError, match="FEATURE_STORE_EMBEDDING_COMMAND"):
        _computed(shop, no_model)
