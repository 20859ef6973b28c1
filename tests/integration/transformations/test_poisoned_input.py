"""Poisoned input is refused, and the values of before are still served."""

from datetime import timedelta
from pathlib import Path
from typing import LiteralString

import pytest
import redis

from feature_repo.registry.gather import gather_features
from foundation import clock
from foundation.errors import ContractViolation, FeatureStoreError, QualityGateFailed
from foundation.postgres import connect
from foundation.settings import Settings
from transformations import pipeline
from transformations.jobs import Job, jobs_of
from transformations.orchestration import Ending, run_jobs
from transformations.pipeline import Options

JOBS = {job.name: job for job in jobs_of(gather_features())}
SERVED = ("category_popularity==1.0.0", "popularity_score==1.0.0")


@pytest.fixture
def serving(settings: Settings, valkey: redis.Redis) -> Settings:
    """Settings of a shop with two days of traffic, whose values are being served."""
    now = clock.now()
    with connect(settings) as connection:
        connection.execute(
            """
            INSERT INTO products SELECT 'p' || n, 'title', NULL, 'c' || n %% 7, 1.0, %s, %s
            FROM generate_series(0, 299) AS n
            """,
            (now - timedelta(days=60), now),
        )
        connection.execute(
            "INSERT INTO users SELECT 'u' || n, %s FROM generate_series(0, 99) AS n",
            (now - timedelta(days=60),),
        )
        connection.execute(
            """
            INSERT INTO events
            SELECT 'e' || n, 'u' || n * 7 %% 100, 'p' || (n %% 300) * (n %% 300) / 300, 'view',
                   %s - n * interval '20 seconds'
            FROM generate_series(1, 8000) AS n
            """,
            (now,),
        )
    for outcome in run_jobs(
        settings, [JOBS[name] for name in SERVED], as_of=None, options=Options(), on_start=_ignore
    ):
        assert outcome.ending is Ending.SUCCEEDED, outcome.error
    assert valkey.dbsize() == 300 + 7
    return settings


def _ignore(_: Job) -> None:
    pass


def _contents(settings: Settings, valkey: redis.Redis) -> object:
    with connect(settings) as connection:
        latest = connection.execute("SELECT * FROM feature_latest ORDER BY 2, 4, 1").fetchall()
    keys = sorted(valkey.keys())
    return latest, [(key, valkey.get(key)) for key in keys]


@pytest.mark.parametrize(
    ("poison", "job_name", "check"),
    [
        pytest.param(
            """
            INSERT INTO events SELECT 'bot' || n, 'u1', 'p1', 'view', now() - interval '1 second'
            FROM generate_series(1, 50000) AS n
            """,
            "popularity_score==1.0.0",
            "share at most 0.5",
            id="a bot views one product all the time",
        ),
        pytest.param(
            "UPDATE events SET event_timestamp = now() + interval '1 day' WHERE event_id < 'e2'",
            "popularity_score==1.0.0",
            "future_count at most 0",
            id="clocks of senders run ahead",
        ),
        pytest.param(
            "TRUNCATE events", "popularity_score==1.0.0", "no null in newest", id="no events"
        ),
        pytest.param(
            "DELETE FROM products WHERE product_id >= 'p2'",
            "popularity_score==1.0.0",
            r"row count at least 150; found",
            id="two thirds of the products are gone",
        ),
        pytest.param(
            "UPDATE products SET category = NULL WHERE product_id < 'p2'",
            "category_popularity==1.0.0",
            "null_share_category at most 0.25",
            id="a third of the categories are null",
        ),
        pytest.param(
            "UPDATE events SET event_timestamp = event_timestamp - interval '10 minutes'",
            "popularity_score==1.0.0",
            "age_seconds at most 300",
            id="events have stopped coming",
        ),
        pytest.param(
            "UPDATE events SET product_id = 'p' || substr(md5(product_id), 1, 1)",
            "popularity_score==1.0.0",
            "stability_index at most 0.25",
            id="events of all products are attributed to a few",
        ),
    ],
)
def test_poison_is_refused(
    serving: Settings, valkey: redis.Redis, poison: LiteralString, job_name: str, check: str
) -> None:
    """The run fails and says why; both stores hold what they held."""
    before = _contents(serving, valkey)
    with connect(serving) as connection:
        connection.execute(poison)
    with pytest.raises(QualityGateFailed, match=check):
        pipeline.run(serving, JOBS[job_name], options=Options(rebuild=True))
    # The poison does not lose its effect with time, or by trying again.
    with pytest.raises(QualityGateFailed, match=check):
        pipeline.run(serving, JOBS[job_name], options=Options(rebuild=True))
    assert _contents(serving, valkey) == before


def test_who_caused_a_burst_is_on_record(serving: Settings) -> None:
    """Product, user and time of the burst are among the samples."""
    with connect(serving) as connection:
        connection.execute(
            """
            INSERT INTO events SELECT 'bot' || n, 'u1', 'p1', 'view', %s
            FROM generate_series(1, 5000) AS n
            """,
            (clock.now() - timedelta(seconds=1),),
        )
    with pytest.raises(QualityGateFailed, match="share at most"):
        pipeline.run(serving, JOBS["popularity_score==1.0.0"])
    with connect(serving) as connection:
        [(checks,)] = connection.execute(
            "SELECT checks FROM computation_runs WHERE status = 'failed'"
        ).fetchall()
    [failed] = [check for check in checks if not check["success"]]
    assert failed["check_type"] == "anomaly"
    rows = [sample["row"] for sample in failed["samples"]]
    assert any(row.startswith("product p1 at 20") for row in rows)
    assert any(row.startswith("user u1 at 20") for row in rows)


def test_a_known_change_can_be_accepted(serving: Settings) -> None:
    """What only differs from past runs passes when told so; what is wrong in itself does not."""
    with connect(serving) as connection:
        connection.execute("DELETE FROM products WHERE product_id >= 'p2'")
    job = JOBS["popularity_score==1.0.0"]
    pipeline.run(serving, job, options=Options(accept_change=True))
    with connect(serving) as connection:
        connection.execute("TRUNCATE events")
    with pytest.raises(QualityGateFailed):
        pipeline.run(serving, job, options=Options(accept_change=True))


@pytest.mark.parametrize(
    ("change", "undo", "error", "message"),
    [
        (
            "ALTER TABLE products ALTER COLUMN price TYPE real",
            "ALTER TABLE products ALTER COLUMN price TYPE float8",
            QualityGateFailed,
            r"price to be \['double'\]",
        ),
        (
            "ALTER TABLE products RENAME COLUMN price TO cost",
            "ALTER TABLE products RENAME COLUMN cost TO price",
            ContractViolation,
            "price",
        ),
    ],
)
def test_another_schema_is_refused(
    serving: Settings,
    valkey: redis.Redis,
    change: LiteralString,
    undo: LiteralString,
    error: type[FeatureStoreError],
    message: str,
) -> None:
    """A column of another type, or none at all."""
    before = _contents(serving, valkey)
    with connect(serving) as connection:
        connection.execute(change)
    try:
        with pytest.raises(error, match=message):
            pipeline.run(serving, JOBS["popularity_score==1.0.0"])
        assert _contents(serving, valkey) == before
    finally:
        with connect(serving) as connection:
            connection.execute(undo)


def test_data_docs_show_what_was_found(serving: Settings, tmp_path: Path) -> None:
    """Great Expectations' pages, of failed runs too."""
    with connect(serving) as connection:
        connection.execute("UPDATE products SET category = NULL")
    job = JOBS["category_popularity==1.0.0"]
    with pytest.raises(QualityGateFailed):
        pipeline.run(serving, job, options=Options(data_docs=tmp_path))
    pages = "".join(page.read_text() for page in tmp_path.rglob("*.html"))
    assert "null_share_category" in pages
    assert "Failed" in pages
