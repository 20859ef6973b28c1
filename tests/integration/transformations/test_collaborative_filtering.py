"""The model's three features are published together, and agree with each other."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from feature_repo.registry.gather import gather_features
from foundation import clock
from foundation.errors import ContractViolation
from foundation.postgres import connect
from foundation.settings import Settings
from tests.integration.transformations.conftest import AS_OF
from transformations import pipeline
from transformations.cli import app
from transformations.computations.factor_scores import pair_scores
from transformations.jobs import Job, jobs_of

USERS, PRODUCTS, TOP = 60, 40, 10


@pytest.fixture
def job() -> Job:
    """Return the job as defined, for a small shop: fewer factors and affinities."""
    changes = {"factors": 8.0, "top_count": float(TOP)}
    features = []
    for feature in gather_features():
        update: dict[str, Any] = {"parameters": {**feature.parameters, **changes}}
        if feature.vector_length is not None:
            update["vector_length"] = 8
        features.append(feature.model_copy(update=update))
    return next(job for job in jobs_of(features) if job.name == "collaborative_filtering==1.0.0")


@pytest.fixture
def busy_shop(settings: Settings) -> Settings:
    """Settings of stores with two groups of users, of different tastes, in the last 60 days."""
    chance = np.random.default_rng(11)
    created = AS_OF - timedelta(days=90)
    events = [
        (f"e{user}-{n}", f"u:{user}", f"p{product}", AS_OF - timedelta(days=float(age)))
        for user in range(USERS)
        for n, (product, age) in enumerate(
            zip(
                chance.choice(range(user % 2, PRODUCTS, 2), size=30),
                chance.uniform(0, 60, size=30),
                strict=True,
            )
        )
    ]
    with connect(settings) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO products VALUES (%s, 't', 'd', 'c', 1.0, %s, %s)",
            [(f"p{n}", created, created) for n in range(PRODUCTS)],
        )
        cursor.executemany(
            "INSERT INTO users VALUES (%s, %s)", [(f"u:{n}", created) for n in range(USERS)]
        )
        cursor.executemany("INSERT INTO events VALUES (%s, %s, %s, 'purchase', %s)", events)
    return settings


def _latest(settings: Settings, feature_name: str) -> dict[str, Any]:
    query = "SELECT entity_id, feature_value FROM feature_latest WHERE feature_name = %s"
    with connect(settings) as connection:
        return dict(connection.execute(query, (feature_name,)).fetchall())


def test_what_an_older_model_gave_goes(busy_shop: Settings, job: Job) -> None:
    """Affinities that requests had computed meanwhile are computed anew, of the new factors."""
    now = clock.now()
    before = now - timedelta(hours=2)
    with connect(busy_shop) as connection:
        connection.execute(
            "UPDATE events SET event_timestamp = event_timestamp + (%s - (SELECT "
            "max(event_timestamp) FROM events))",
            (now - timedelta(seconds=1),),
        )
        for entity_id, feature_name, value in (
            ("u%3A0:p99", "user_product_affinity", "0.5"),
            ("gone", "user_factors", "[0.5]"),
        ):
            connection.execute(
                "INSERT INTO feature_latest VALUES (%s, %s, %s, '1.0.0', %s)",
                (entity_id, feature_name, value, before),
            )
    pipeline.run(busy_shop, job, as_of=before + timedelta(hours=1))
    assert "u%3A0:p99" in _latest(busy_shop, "user_product_affinity")  # the past replaces nothing
    pipeline.run(busy_shop, job)
    assert len(_latest(busy_shop, "user_product_affinity")) == USERS * TOP
    assert "gone" in _latest(busy_shop, "user_factors")


def test_the_features_are_published_together(busy_shop: Settings, job: Job) -> None:
    """Each has its rows, the model beats popularity, and its metrics are on record."""
    reports = pipeline.run(busy_shop, job, as_of=AS_OF)
    assert {report.feature.feature_name: report.row_count for report in reports} == {
        "user_factors": USERS,
        "product_factors": PRODUCTS,
        "user_product_affinity": USERS * TOP,
    }
    with connect(busy_shop) as connection:
        records = connection.execute("SELECT status, metrics FROM computation_runs").fetchall()
    assert [status for status, _ in records] == ["succeeded"] * 3
    for _, metrics in records:
        assert metrics == reports[0].metrics
        assert metrics["ndcg_at_20"] > metrics["baseline_ndcg_at_20"]


def test_stored_factors_give_the_stored_affinities(busy_shop: Settings, job: Job) -> None:
    """A pair computed on demand has the value that the job would have stored for it."""
    pipeline.run(busy_shop, job, as_of=AS_OF)
    users, products = _latest(busy_shop, "user_factors"), _latest(busy_shop, "product_factors")
    affinities = _latest(busy_shop, "user_product_affinity")
    for user, user_factors in users.items():
        scores = pair_scores([user_factors] * len(products), list(products.values()))
        every = dict(zip(products, scores.tolist(), strict=True))
        best = sorted(every, key=lambda product: -every[product])[:TOP]
        stored = {p: affinities.get(f"{user}:{p}") for p in products if f"{user}:{p}" in affinities}
        assert stored == pytest.approx({product: every[product] for product in best}, abs=1e-6)


def test_running_again_changes_nothing(busy_shop: Settings, job: Job) -> None:
    """The same events give the same factors, to the last digit."""
    pipeline.run(busy_shop, job, as_of=AS_OF)
    reports = pipeline.run(busy_shop, job, as_of=AS_OF)
    assert {(r.latest_row_count, r.history_row_count) for r in reports} == {(0, 0)}


def test_a_shop_without_enough_events_keeps_its_values(busy_shop: Settings, job: Job) -> None:
    """The run fails with the reason on record, and the previous values stay."""
    pipeline.run(busy_shop, job, as_of=AS_OF)
    before = _latest(busy_shop, "user_product_affinity")
    with connect(busy_shop) as connection:
        connection.execute("DELETE FROM events WHERE event_id NOT LIKE %s", ("e%-0",))
    with pytest.raises(ContractViolation, match="no users and products have 5 interactions"):
        pipeline.run(busy_shop, job, as_of=AS_OF + timedelta(days=1))
    assert _latest(busy_shop, "user_product_affinity") == before


def test_the_plot_is_drawn_from_the_record(
    busy_shop: Settings, applied: Settings, job: Job, tmp_path: Path
) -> None:
    """Of measured runs only; of a feature without any, the command says so."""
    assert applied
    runner, picture = CliRunner(), tmp_path / "quality.png"
    nothing = runner.invoke(app, ["plot", "user_activity_level"])
    assert isinstance(nothing.exception, ContractViolation)
    pipeline.run(busy_shop, job, as_of=AS_OF)
    drawn = runner.invoke(app, ["plot", "user_product_affinity", "--output", str(picture)])
    assert drawn.exit_code == 0, drawn.output
    assert picture.read_bytes().startswith(b"\x89PNG")
