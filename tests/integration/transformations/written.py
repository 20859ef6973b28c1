"""Values as a run leaves them in the history."""

import json
from datetime import datetime
from typing import Any

import pyarrow as pa

from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.offline_values import write_values
from foundation.postgres import connect
from foundation.settings import Settings


def write_history(
    settings: Settings,
    feature: FeatureVersion,
    at: datetime,
    **values: Any,  # noqa: ANN401 - of any type
) -> None:
    """Write values, by entity id, of one instant."""
    rows = pa.table(
        {
            "entity_id": list(values),
            "feature_value": [json.dumps(value) for value in values.values()],
            "timestamp": pa.repeat(pa.scalar(at, pa.timestamp("us", "UTC")), len(values)),
        }
    )
    with connect(settings) as connection:
        write_values(connection, feature, rows, as_of=at, append_history=True)
