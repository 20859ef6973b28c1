"""A profile says what the values are."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from feature_repo.analysis.figures import profile_figure
from feature_repo.analysis.profile import Profile, profile
from feature_repo.analysis.tables import figures_table, periods_table
from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import FeatureType
from foundation.errors import ContractViolation

FEATURES = {feature.reference: feature for feature in gather_features()}
POPULARITY = FEATURES["popularity_score==1.0.0"]
START = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def _values(rows: list[tuple[str, object, datetime]]) -> pa.Table:
    entity_ids, values, timestamps = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.table(
        {
            "entity_id": pa.array(entity_ids, pa.string()),
            "value": pa.array(values),
            "timestamp": pa.array(timestamps, pa.timestamp("us", "UTC")),
        }
    )


def _of_floats() -> Profile:
    rows: list[tuple[str, object, datetime]] = [
        (f"p{product}", product / 10 + hour / 100, START + hour * HOUR)
        for hour in range(4)
        for product in range(10)
        if product != hour - 1  # in each hour but the first, another product is missing
    ]
    return profile(POPULARITY, _values(rows), start=START, end=START + 3.5 * HOUR)


def test_figures_are_those_of_numpy() -> None:
    """Mean, deviation and quantiles of all values; the histogram counts each once."""
    rows = [p / 10 + h / 100 for h in range(4) for p in range(10) if p != h - 1]
    found = _of_floats()
    assert found.number_count == len(rows) == sum(count for _, count in found.histogram)
    assert found.figures["mean"] == pytest.approx(np.mean(rows))
    assert found.figures["standard deviation"] == pytest.approx(np.std(rows, ddof=1))
    assert found.figures["5%"] == pytest.approx(np.quantile(rows, 0.05))
    assert (found.figures["least"], found.figures["greatest"]) == (min(rows), max(rows))


def test_trend_and_null_rate_over_time() -> None:
    """By hour, as often as the history is kept: who is missing of those known by then."""
    found = _of_floats()
    assert found.period == HOUR
    assert [period.start for period in found.periods] == [START + n * HOUR for n in range(4)]
    assert [period.entity_count for period in found.periods] == [10, 9, 9, 9]
    assert [period.null_rate for period in found.periods] == pytest.approx([0, 0.1, 0.1, 0.1])
    slope = found.slope_a_day()
    assert slope is not None
    assert slope > 0


def test_maps_count_each_item_and_texts_their_frequency() -> None:
    """Numbers of any kind have figures, texts have none."""
    affinity = FEATURES["user_category_affinity==1.0.0"]
    maps = [("u", json.dumps({"a": 0.5, "b": 1.0}), START), ("v", "{}", START)]
    found = profile(affinity, _values(list(maps)), start=START, end=START + HOUR)
    assert (found.number_count, found.figures["mean"]) == (2, 0.75)
    named = POPULARITY.model_copy(update={"feature_type": FeatureType.STRING})
    texts = [(str(n), "red" if n else "blue", START) for n in range(3)]
    found = profile(named, _values(list(texts)), start=START, end=START + HOUR)
    assert found.top_values == [("red", 2), ("blue", 1)]
    assert found.figures == {}
    assert profile_figure(found).axes
    assert figures_table(found).row_count == 2


def test_one_value_only_and_none() -> None:
    """Nothing to spread, nothing to describe."""
    found = profile(POPULARITY, _values([("p", 0.5, START)]), start=START, end=START + 72 * HOUR)
    assert found.histogram == [(0.5, 1)]
    assert [period.null_rate for period in found.periods][:3] == [1 - 1 / 6, 1, 1]
    assert periods_table(found).row_count == len(found.periods)
    assert profile_figure(found).axes
    with pytest.raises(ContractViolation, match="has no values"):
        profile(POPULARITY, _values([]), start=START, end=START + HOUR)
