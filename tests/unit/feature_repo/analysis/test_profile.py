"""A profile says what the values are."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from feature_repo.analysis.figures import profile_figure, refuse_unwritable, write_figure
from feature_repo.analysis.measuring import measure
from feature_repo.analysis.profile import Profile
from feature_repo.analysis.tables import figures_table, periods_table, profile_record
from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import FeatureType, FeatureVersion
from foundation.errors import ConfigurationError, ContractViolation

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


def _measure(
    feature: FeatureVersion,
    rows: list[tuple[str, object, datetime]],
    *,
    end: datetime,
    most_exact: int = 1_000,
) -> Profile:
    """Measure rows, of which each comes alone."""
    batches = [_values([row]) for row in rows]
    return measure(
        feature, batches, start=START, end=end, memory_megabytes=256, most_exact=most_exact
    )


def _of_floats() -> Profile:
    rows: list[tuple[str, object, datetime]] = [
        (f"p{product}", product / 10 + hour / 100, START + hour * HOUR)
        for hour in range(4)
        for product in range(10)
        if product != hour - 1  # in each hour but the first, another product is missing
    ]
    return _measure(POPULARITY, rows, end=START + 3.5 * HOUR)


def test_figures_are_those_of_numpy() -> None:
    """Mean, deviation and quantiles of all values; the histogram counts each once."""
    rows = [p / 10 + h / 100 for h in range(4) for p in range(10) if p != h - 1]
    found = _of_floats()
    assert (
        found.distribution.number_count
        == len(rows)
        == sum(count for _, count in found.distribution.histogram)
    )
    assert found.distribution.figures["mean"] == pytest.approx(np.mean(rows))
    assert found.distribution.figures["standard deviation"] == pytest.approx(np.std(rows, ddof=1))
    assert found.distribution.figures["5%"] == pytest.approx(np.quantile(rows, 0.05))
    assert (found.distribution.figures["least"], found.distribution.figures["greatest"]) == (
        min(rows),
        max(rows),
    )


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
    found = _measure(affinity, list(maps), end=START + HOUR)
    assert (found.distribution.number_count, found.distribution.figures["mean"]) == (2, 0.75)
    named = POPULARITY.model_copy(update={"feature_type": FeatureType.STRING})
    texts = [(str(n), "red" if n else "blue", START) for n in range(3)]
    found = _measure(named, list(texts), end=START + HOUR)
    assert found.distribution.top_values == [("red", 2), ("blue", 1)]
    assert found.distribution.figures == {}
    assert profile_figure(found).axes
    assert figures_table(found).row_count == 2


def test_one_value_only_and_none() -> None:
    """Nothing to spread, nothing to describe."""
    found = _measure(POPULARITY, [("p", 0.5, START)], end=START + 72 * HOUR)
    assert found.distribution.histogram == [(0.5, 1)]
    assert [period.null_rate for period in found.periods][:3] == [1 - 1 / 6, 1, 1]
    assert periods_table(found).row_count == len(found.periods)
    assert profile_figure(found).axes
    with pytest.raises(ContractViolation, match="has no values"):
        _measure(POPULARITY, [], end=START + HOUR)


def test_many_numbers_are_measured_in_little_memory() -> None:
    """Quantiles are estimated then, to a thousandth, and said to be."""
    numbers = np.random.default_rng(1).beta(2, 5, 400_000)

    def batches() -> Iterator[pa.Table]:
        for hour, part in enumerate(np.split(numbers, 4)):
            at = pa.scalar(START + hour * HOUR, pa.timestamp("us", "UTC"))
            ids = pa.array([f"p{number}" for number in range(len(part))])
            columns = {"entity_id": ids, "value": part, "timestamp": pa.repeat(at, len(part))}
            yield pa.table(columns)

    found = measure(
        POPULARITY,
        batches(),
        start=START,
        end=START + 4 * HOUR,
        memory_megabytes=256,
        most_exact=100_000,
    )
    assert (found.is_exact, found.distribution.number_count) == (False, len(numbers))
    for share in (0.01, 0.05, 0.5, 0.95, 0.99):
        assert found.distribution.figures[f"{share:.0%}"] == pytest.approx(
            np.quantile(numbers, share), abs=1e-3
        )
    assert found.distribution.figures["mean"] == pytest.approx(np.mean(numbers))
    assert [(p.entity_count, p.null_rate) for p in found.periods] == [(100_000, 0.0)] * 4
    assert "estimated" in str(figures_table(found).caption)


def test_a_record_says_what_the_tables_do() -> None:
    """In JSON."""
    found = _of_floats()
    record = json.loads(json.dumps(profile_record(found)))
    assert record["figures"] == found.distribution.figures
    assert [each["mean"] for each in record["periods"]] == [each.mean for each in found.periods]
    assert record["periods"][0]["quantiles"].keys() == {"5%", "50%", "95%"}
    assert record["quantiles_are_exact"] is True


def test_pictures_take_their_place_at_once(tmp_path: Path) -> None:
    """What can't be written is refused before any work, and leaves nothing behind."""
    for name, error in (
        ("missing/plot.png", "no folder"),
        ("plot.bmp", "'.bmp'"),
        ("plot", "nothing"),
    ):
        with pytest.raises(ConfigurationError, match=error):
            refuse_unwritable(tmp_path / name)
    figure = profile_figure(_of_floats())
    for name, start in (("plot.png", b"\x89PNG"), ("plot.SVG", b"<?xml"), ("plot.pdf", b"%PDF")):
        refuse_unwritable(tmp_path / name)
        write_figure(figure, tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
    (tmp_path / "taken.png").mkdir()
    with pytest.raises(ConfigurationError, match="can't be written"):
        write_figure(figure, tmp_path / "taken.png")
    names = ["plot.SVG", "plot.pdf", "plot.png", "taken.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
