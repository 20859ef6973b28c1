"""Check what comes out of a computation: keys, nulls, range, count, distribution."""

import pandas as pd
import pyarrow as pa

from feature_repo.registry.metadata import FeatureType, FeatureVersion
from transformations.quality import expectations, profile
from transformations.quality.distribution import Distribution
from transformations.quality.gate import Check, Gate


def check_outputs(
    gate: Gate,
    feature: FeatureVersion,
    values: pa.Table,
    *,
    last_row_count: int | None,
    last_distribution: Distribution | None,
) -> tuple[Distribution | None, list[Check]]:
    """
    Hold a feature version's values against what is expected.

    Args:
        gate: Of the run.
        feature: Whose values they are.
        values: entity_id and feature_value; one row an entity.
        last_row_count: Values of the last good run; None to hold them against no past.
        last_distribution: Of the last good run's numbers; None to hold them against no past.

    Returns:
        The distribution of the numbers, None of strings and of few numbers; and the checks.
    """
    entities, items = profile.value_frames(values, feature.feature_type)
    checks = gate.hold(
        entities,
        expectations.entity_expectations(feature, last_row_count=last_row_count),
        subject=feature.reference,
    )
    if items is not None:
        checks += gate.hold(
            items, expectations.item_expectations(feature), subject=feature.reference
        )
    if feature.feature_type is FeatureType.STRING:
        return None, checks
    column = entities["feature_value"] if items is None else items["item"]
    numbers = column.to_numpy(dtype=float)
    distribution = Distribution.of(numbers)
    if last_distribution is not None and distribution is not None:
        frame = pd.DataFrame([{"stability_index": last_distribution.stability_index(numbers)}])
        checks += gate.hold(
            frame, expectations.drift_expectations(feature), subject=feature.reference
        )
    return distribution, checks
