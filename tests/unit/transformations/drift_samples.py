"""Samples of every feature type, drawn as often as a test wants them."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import FeatureType
from feature_repo.stores.json_values import VALUE_TYPES
from transformations.drift.statistics import Numbers

Draw = Callable[[np.random.Generator, int], Numbers]

_BY_REFERENCE = {feature.reference: feature for feature in gather_features()}
FLOAT = _BY_REFERENCE["popularity_score==1.0.0"]
PAIR = _BY_REFERENCE["user_product_affinity==1.0.0"]
MAP = _BY_REFERENCE["user_category_affinity==1.0.0"]
VECTOR = _BY_REFERENCE["product_embedding==1.0.0"].model_copy(update={"vector_length": 32})
STRING = FLOAT.model_copy(update={"feature_type": FeatureType.STRING, "valid_range": None})

KEYS = tuple(f"category {number}" for number in range(10))
_STRETCH = np.linspace(3.0, 0.2, 32)
_CENTRE = np.linspace(-1.0, 1.0, 32)

NUMBERS: dict[str, Draw] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "uniform": lambda rng, n: rng.random(n),
    "lognormal": lambda rng, n: rng.lognormal(0.0, 3.0, n),
    "pareto": lambda rng, n: rng.pareto(1.0, n),
    "cauchy": lambda rng, n: rng.standard_cauchy(n),
    "90 % zeros": lambda rng, n: rng.exponential(size=n) * (rng.random(n) < 0.1),
    "99 % zeros": lambda rng, n: rng.exponential(size=n) * (rng.random(n) < 0.01),
    "half zeros, heavy tail": lambda rng, n: rng.pareto(1.0, n) * (rng.random(n) < 0.5),
    "counts": lambda rng, n: rng.poisson(2.0, n).astype(float),
    "two peaks": lambda rng, n: rng.normal(size=n) * 0.1 + 5.0 * (rng.random(n) < 0.5),
}


def floats(numbers: Numbers) -> pa.Array:
    """Return numbers as values; NaN is null."""
    return pa.array(numbers, pa.float64(), from_pandas=True)


def strings(rng: np.random.Generator, count: int) -> pa.Array:
    """Return strings of which few are common and many rare."""
    return pa.array([f"s{rank}" for rank in rng.zipf(1.5, count)], pa.string())


def maps(rng: np.random.Generator, count: int) -> pa.Array:
    """Return maps of which some are large, so that items of one entity come together."""
    wanted = rng.random((count, len(KEYS))) < rng.beta(0.5, 0.5, count)[:, None]
    values = rng.beta(1.0, 3.0, wanted.shape)
    return pa.array(
        [
            [(key, value) for key, value, has in zip(KEYS, row, chosen, strict=True) if has]
            for row, chosen in zip(values, wanted, strict=True)
        ],
        VALUE_TYPES[FeatureType.MAP],
    )


def vectors(rng: np.random.Generator, count: int) -> pa.Array:
    """Return vectors that vary more in some directions than in others, around a centre."""
    return of_rows(rng.normal(size=(count, 32)) * _STRETCH + _CENTRE)


def of_rows(rows: Numbers) -> pa.Array:
    """Return the rows of a matrix as vectors."""
    return pa.array(list(rows.astype(np.float32)), VALUE_TYPES[FeatureType.VECTOR])
