"""The report shows every type of feature, on one page that needs nothing else."""

import dataclasses
import re
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from feature_repo.registry.metadata import FeatureVersion
from monitoring.drift_report.page import render_report, write_report
from tests.unit.transformations.drift_samples import (
    FLOAT,
    MAP,
    STRING,
    VECTOR,
    floats,
    maps,
    strings,
    vectors,
)
from transformations.drift.detection import compare
from transformations.drift.records import Measurement
from transformations.drift.samples import Sample

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def _measurement(feature: FeatureVersion, reference: pa.Array, current: pa.Array) -> Measurement:
    return Measurement(
        feature=feature,
        against="last",
        reference=Sample(reference, len(reference), date(2026, 6, 1)),
        current=Sample(current, len(current)),
        comparison=compare(feature, reference, current),
        measured_at=NOW,
    )


def _named(feature: FeatureVersion, name: str) -> FeatureVersion:
    return feature.model_copy(update={"feature_name": name})


def test_what_drifted_comes_first_and_in_words(tmp_path: Path) -> None:
    """One file, without a link to anything outside of it."""
    rng = np.random.default_rng(1)
    steady = _measurement(_named(FLOAT, "a_steady"), *(floats(rng.random(300)) for _ in range(2)))
    moved = _measurement(
        _named(FLOAT, "b_moved"), floats(rng.random(300)), floats(rng.random(300) + 1)
    )
    page = write_report(tmp_path / "new", [steady, moved], now=NOW).read_text(encoding="utf-8")
    assert "<b>1 of 2</b> feature versions has drifted" in page
    assert page.index('id="b_moved_v1_0_0-last"') < page.index('id="a_steady_v1_0_0-last"')
    assert "The mean of values went from" in page
    assert set(re.findall(r'(?:src|href)="(?!#)([^"]{1,14})', page)) == {"data:image/svg"}
    assert "<script" not in page


@pytest.mark.parametrize(
    ("feature", "draw"), [(STRING, strings), (MAP, maps), (VECTOR, vectors)], ids=["s", "m", "v"]
)
@pytest.mark.parametrize("count", [0, 3, 300])
def test_every_type_has_a_plot(feature: FeatureVersion, draw: object, count: int) -> None:
    """However few values there are, on either side."""
    assert callable(draw)
    rng = np.random.default_rng(2)
    page = render_report(
        [
            _measurement(_named(feature, "one"), draw(rng, 300), draw(rng, count)),
            _measurement(_named(feature, "other"), draw(rng, count), draw(rng, 300)),
        ],
        now=NOW,
    )
    assert page.count("data:image/svg+xml;base64,") == 2


def test_too_few_values_are_said_to_be_too_few() -> None:
    """Neither steady nor drifted; a version that is measured twice is one."""
    rng = np.random.default_rng(5)
    few = floats(rng.random(50))
    twice = [
        dataclasses.replace(_measurement(FLOAT, few, few), against=against)
        for against in ("last", "baseline")
    ]
    page = render_report(twice, now=NOW)
    assert "None of 1 feature versions has drifted" in page
    assert "1 has too few values to tell." in page
    assert page.count("too few to tell</span>") == 4
    assert len(set(re.findall(r'<article id="([^"]+)"', page))) == 2


def test_numbers_that_many_share_are_told_beside_the_plot() -> None:
    """Constants, mostly zeros, and nothing but nulls are drawn, too."""
    rng = np.random.default_rng(3)
    zeros = floats(rng.random(300) * (rng.random(300) < 0.3))
    samples = [floats(np.ones(300)), zeros, floats(np.full(300, np.nan))]
    found = [
        _measurement(_named(FLOAT, f"f{i}{j}"), before, now)
        for i, before in enumerate(samples)
        for j, now in enumerate(samples)
    ]
    assert render_report(found, now=NOW).count("<article") == 9


def test_what_data_hold_is_text_and_no_markup() -> None:
    """A key of events that somebody made up must not become part of the page."""
    rng = np.random.default_rng(4)
    current = pa.array(["<script>alert(1)</script>"] * 200)
    page = render_report([_measurement(STRING, strings(rng, 300), current)], now=NOW)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
