"""popularity_score: how much shoppers want a product lately."""

from datetime import UTC, datetime, timedelta

from feature_repo.registry.expectations import Expectations
from feature_repo.registry.metadata import FeatureType, FeatureVersion, Status

_STABLE = FeatureVersion(
    feature_name="popularity_score",
    version="1.0.0",
    feature_type=FeatureType.FLOAT,
    description=(
        "Views, carts and purchases of the last 90 days, weighted 1, 2 and 3, halving every "
        "14 days, relative to the most popular product. 0.1 until a product has 10 views."
    ),
    entity="product",
    join_keys=("product_id",),
    computation="popularity_score",
    parameters={
        "window_days": 90.0,
        "half_life_days": 14.0,
        "cold_start": 0.1,
        "min_views": 10.0,
    },
    source=("events", "products"),
    owner="ranking",
    tags=("behavior", "ranking_signal"),
    status=Status.ACTIVE,
    created_at=datetime(2026, 11, 23, tzinfo=UTC),
    updated_at=datetime(2026, 11, 23, tzinfo=UTC),
    default=0.1,
    valid_range=(0.0, 1.0),
    staleness_tolerance=timedelta(minutes=5),
    computation_frequency=timedelta(minutes=5),
    history_interval=timedelta(hours=1),
    expectations=Expectations(mean_between=(0.0001, 0.9)),
)

_TRENDING = _STABLE.with_changes(
    version="1.1.0",
    description=_STABLE.description.replace("14 days", "7 days"),
    parameters={**_STABLE.parameters, "half_life_days": 7.0},
)

_BY_EVENT_TYPE = FeatureVersion(
    feature_name="popularity_score",
    version="2.0.0",
    feature_type=FeatureType.MAP,
    description=(
        "By event type, the product's events of the last 90 days, halving every 7 days, relative "
        "to the product that has most of that type."
    ),
    entity="product",
    join_keys=("product_id",),
    computation="popularity_by_event_type",
    parameters={"window_days": 90.0, "half_life_days": 7.0},
    source=("events", "products"),
    owner="ranking",
    tags=("behavior", "ranking_signal"),
    status=Status.STAGED,
    created_at=datetime(2026, 11, 23, tzinfo=UTC),
    updated_at=datetime(2026, 11, 23, tzinfo=UTC),
    default={},
    valid_range=(0.0, 1.0),
    staleness_tolerance=timedelta(minutes=5),
    computation_frequency=timedelta(minutes=5),
    history_interval=timedelta(hours=1),
)

VERSIONS = (_STABLE, _TRENDING, _BY_EVENT_TYPE)
