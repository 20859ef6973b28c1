"""Which columns a computation reads is found in its expression."""

import pytest

from feature_repo.registry.gather import gather_features
from transformations.columns_read import columns_read
from transformations.jobs import Job, jobs_of

JOBS = {job.name: job for job in jobs_of(gather_features())}


@pytest.mark.parametrize(
    ("job", "columns"),
    [
        (
            "popularity_score==1.0.0",
            {
                "events": {"event_timestamp", "event_type", "product_id"},
                "products": {"created_at", "product_id"},
            },
        ),
        ("product_freshness_score==1.0.0", {"products": {"created_at", "product_id"}}),
        (
            "user_category_affinity==1.0.0",
            {
                "events": {"event_timestamp", "event_type", "product_id", "user_id"},
                "products": {"category", "product_id"},
                "users": {"created_at", "user_id"},
            },
        ),
    ],
)
def test_only_what_is_read_counts(job: str, columns: dict[str, set[str]]) -> None:
    """Not what a table has besides."""
    assert columns_read(JOBS[job]) == columns


def test_nobody_knows_what_a_statement_reads() -> None:
    """What is computed for requests only has one of its own."""
    keyword = next(f for f in gather_features() if f.feature_name == "search_keyword_score")
    assert columns_read(Job((keyword,), ())) == {}
