"""Which columns a computation reads is found in its expression."""

import pytest

from feature_repo.registry.gather import gather_features
from foundation.errors import DefinitionError
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


def _on_demand(feature_name: str) -> Job:
    """Return a feature that is computed for requests only, by itself."""
    return Job((next(f for f in gather_features() if f.feature_name == feature_name),), ())


def test_what_is_asked_for_requests_counts() -> None:
    """A column that PostgreSQL derives stands for what it is derived from."""
    assert columns_read(_on_demand("search_keyword_score")) == {
        "products": {"created_at", "description", "product_id", "title"}
    }


def test_what_is_read_has_to_be_named() -> None:
    """Or lineage would miss it."""
    job = _on_demand("search_keyword_score")
    elsewhere = job.leader.model_copy(update={"source": ("users",)})
    with pytest.raises(DefinitionError, match="reads 'products', which is not named"):
        columns_read(Job((elsewhere,), ()))
