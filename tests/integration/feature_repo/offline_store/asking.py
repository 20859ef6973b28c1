"""Values to ask for, and asking for them through Feast."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
from feast import FeatureStore

from feature_repo.registry.gather import gather_features
from foundation.postgres import Connection
from tests.histories import Written, store

FEATURES = {feature.reference: feature for feature in gather_features()}
AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
POPULARITY = "popularity_score_v1_0_0:popularity_score"
AFFINITY = "user_product_affinity_v1_0_0:user_product_affinity"


def write(postgres: Connection, reference: str, *values: tuple[str, Any, datetime]) -> None:
    """Write values, each a moment after what it is about; of one feature after the other."""
    store(
        postgres,
        FEATURES[reference],
        [
            Written(entity_id, at, at + timedelta(seconds=1), value)
            for entity_id, value, at in values
        ],
        empty=False,
    )


def ask(
    feast_store: FeatureStore,
    features: Sequence[str],
    *,
    full: bool = False,
    **columns: Any,  # noqa: ANN401
) -> pd.DataFrame:
    """Return rows with features, as of AT unless the columns say otherwise."""
    count = max(len(column) for column in columns.values())
    frame = pd.DataFrame({"event_timestamp": [AT] * count} | columns)
    rows: pd.DataFrame = feast_store.get_historical_features(
        entity_df=frame, features=list(features), full_feature_names=full
    ).to_df()
    return rows
