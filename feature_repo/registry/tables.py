"""The catalog as tables for a terminal."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.table import Table
from rich.text import Text

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.lifecycle import is_past_sunset
from feature_repo.registry.metadata import FeatureVersion


def catalog_table(catalog: Catalog, *, now: datetime) -> Table:
    """
    Return one row a feature version, with the feature services that read it.

    Args:
        catalog: What is deployed.
        now: Decides which sunsets have passed.
    """
    table = Table(title="Features", caption="`show FEATURE` tells the rest.")
    for heading in (
        "feature",
        "version",
        "status",
        "type",
        "entity",
        "every",
        "tolerance",
        "owner",
    ):
        table.add_column(heading, no_wrap=heading == "feature")
    table.add_column("feature services")
    for feature in catalog.features:
        services = [
            name for name, members in catalog.services.items() if feature.reference in members
        ]
        table.add_row(
            feature.feature_name,
            feature.version,
            _life(feature, now),
            feature.feature_type,
            feature.entity,
            "on demand"
            if feature.computation_frequency is None
            else duration_in_words(feature.computation_frequency),
            duration_in_words(feature.staleness_tolerance),
            feature.owner,
            ", ".join(services) or "-",
        )
    return table


def feature_table(versions: Sequence[FeatureVersion]) -> Table:
    """Return every metadata field of a feature, one column a version."""
    table = Table(title=versions[0].feature_name)
    table.add_column("field", style="bold")
    for feature in versions:
        table.add_column(feature.version)
    records = [feature.model_dump(mode="json") for feature in versions]
    for field in records[0]:
        if field not in {"feature_name", "version"}:
            table.add_row(
                field, *(_in_words(f, field, r) for f, r in zip(versions, records, strict=True))
            )
    return table


def duration_in_words(duration: timedelta) -> str:
    """Return a duration in its greatest whole unit: `5 min`, `24 h`, `2 d`."""
    seconds = duration.total_seconds()
    for name, unit_seconds in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds % unit_seconds == 0:
            return f"{seconds / unit_seconds:g} {name}"
    return f"{seconds:g} s"


def _life(feature: FeatureVersion, now: datetime) -> Text:
    if is_past_sunset(feature, now=now):
        return Text(f"{feature.status}, past its sunset", "red")
    until = f" until {feature.sunset_at:%Y-%m-%d}" if feature.sunset_at else ""
    return Text(f"{feature.status}{until}")


def _in_words(feature: FeatureVersion, field: str, record: dict[str, object]) -> str:
    value = getattr(feature, field)
    if isinstance(value, timedelta):
        return duration_in_words(value)
    return value if isinstance(value, str) else json.dumps(record[field])
