"""The worked example trains on a small made-up shop."""

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from examples.bought_within_a_week.__main__ import (
    build_training_set,
    compute_history,
    evaluate_folder,
    evaluation_table,
    past_weeks,
    service_jobs,
)
from examples.bought_within_a_week.model import evaluate
from examples.bought_within_a_week.rows import labelled_rows
from feature_repo.training.context import open_context
from feature_repo.training.folder import read_manifest, read_rows
from foundation import clock
from foundation.errors import ContractViolation
from foundation.postgres import connect
from foundation.settings import Settings
from transformations.generated_tables import load_tables
from transformations.generator import Shop

WEEK = timedelta(days=7)


def test_a_model_learns_what_is_bought(
    settings: Settings, applied: Settings, tmp_path: Path
) -> None:
    """From the past it ranks the last week's purchases well above chance; features tell why."""
    assert applied
    now = clock.now()
    shop = Shop(users=120, products=150, events=40_000, days=60, seed=3, until=now)
    load_tables(settings, shop)
    context = open_context()
    instants = past_weeks(now, weeks=2)
    assert now - instants[-1] >= WEEK
    compute_history(context, instants)
    build_training_set(context, instants, tmp_path / "set", most_purchases=800)

    manifest = read_manifest(tmp_path / "set")
    null_rates = {feature.column: feature.null_rate for feature in manifest.features}
    assert null_rates["popularity_score"] == 0
    assert null_rates["user_product_affinity"] < 0.05  # stored for the best, else from factors
    assert null_rates["search_keyword_score"] < 0.05
    assert manifest.leakage.future_rows == 0
    assert manifest.leakage.like_a_label == []
    rows = read_rows(tmp_path / "set", manifest)
    assert set(rows["event_timestamp"].unique().to_pylist()) == set(instants)

    found = evaluate_folder(context, tmp_path / "set")
    assert found.auc > 0.7
    assert found.auc_without.keys() == found.auc_alone.keys() == null_rates.keys()
    assert max(found.auc_alone.values()) > 0.6
    assert evaluation_table(found).row_count == len(null_rates)
    without_values = rows.append_column("nothing", pa.nulls(rows.num_rows, pa.float64()))
    assert evaluate(without_values, ["popularity_score", "nothing"]).unknown == ["nothing"]
    with pytest.raises(ContractViolation, match="more weeks"):
        evaluate(rows.slice(0, 1), ["popularity_score"])


def test_jobs_come_with_those_they_depend_on(applied: Settings) -> None:
    """So that the history can be computed from nothing."""
    assert applied
    names = [job.name for job in service_jobs(open_context().catalog)]
    assert names.index("category_popularity==1.0.0") < names.index("user_category_affinity==1.0.0")
    assert "collaborative_filtering==1.0.0" in names
    assert "user_activity_level==1.0.0" not in names


def test_labels_take_purchases(settings: Settings) -> None:
    """An empty shop has none, which is said."""
    with (
        connect(settings) as connection,
        pytest.raises(ContractViolation, match="nobody bought anything"),
    ):
        labelled_rows(connection, [clock.now()], most_purchases=1, seed=1)
