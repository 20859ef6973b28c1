"""user_activity_level: how active a user is."""

from datetime import UTC, datetime, timedelta

from feature_repo.registry.metadata import FeatureType, FeatureVersion, Status

VERSIONS = (
    FeatureVersion(
        feature_name="user_activity_level",
        version="1.0.0",
        feature_type=FeatureType.FLOAT,
        description="Events of the user in the last 30 days, relative to the most active user.",
        entity="user",
        join_keys=("user_id",),
        computation="user_activity_level",
        parameters={"window_days": 30.0},
        source=("events", "users"),
        owner="recommendation",
        tags=("behavior", "personal"),
        status=Status.ACTIVE,
        created_at=datetime(2026, 11, 23, tzinfo=UTC),
        updated_at=datetime(2026, 11, 23, tzinfo=UTC),
        default=0.0,
        valid_range=(0.0, 1.0),
        staleness_tolerance=timedelta(hours=24),
        computation_frequency=timedelta(days=1),
        history_interval=timedelta(days=1),
    ),
)
