"""What is different between two training sets."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from feature_repo.training.building import column_digest
from feature_repo.training.comparison import count_different
from feature_repo.training.folder import read_manifest, read_rows
from feature_repo.training.manifest import FeatureRecord, Manifest

# The rest is told feature by feature, or row by row.
_COMPARED = (
    *("known_at", "known_then", "entity_columns", "timestamp_column", "labels"),
    *("first_timestamp", "last_timestamp"),
)
_COMPARED_OF_FEATURES = (
    *("column", "code_fingerprint", "null_count", "computed_count", "values_read"),
    *("newest_event_timestamp", "newest_created_at"),
)


def differences(first: Path, second: Path) -> list[str]:
    """
    Return what is different, in words; empty if the sets are the same to the byte.

    Values are compared row by row if the entity rows are the same.

    Raises:
        ConfigurationError: There is no training set in a folder.
        ContractViolation: A file has changed, or a manifest can't be understood.
    """
    before, after = read_manifest(first), read_manifest(second)
    rows = read_rows(first, before), read_rows(second, after)
    found = [*_of_manifests(before, after), *_of_features(before, after)]
    if before.file.sha256 != after.file.sha256:
        found += _of_rows(before, after, *rows)
        found = found or ["the files: other bytes, though they say the same"]
    return found


def _of_manifests(before: Manifest, after: Manifest) -> Iterator[str]:
    was, now = before.model_dump(), after.model_dump()
    yield from _changes("", was, now, _COMPARED)
    yield from _changes("leakage, ", was["leakage"], now["leakage"], was["leakage"])
    packages = sorted({*before.environment, *after.environment})
    yield from _changes("environment, ", before.environment, after.environment, packages)


def _of_features(before: Manifest, after: Manifest) -> Iterator[str]:
    was = {feature.reference: feature for feature in before.features}
    now = {feature.reference: feature for feature in after.features}
    yield from (f"{reference}: only in the first" for reference in was if reference not in now)
    yield from (f"{reference}: only in the second" for reference in now if reference not in was)
    shared = [reference for reference in was if reference in now]
    order = [reference for reference in now if reference in was]
    if shared != order:
        yield f"order of the features: {', '.join(shared)} / {', '.join(order)}"
    for reference in shared:
        yield from _of_feature(was[reference], now[reference])


def _of_feature(was: FeatureRecord, now: FeatureRecord) -> Iterator[str]:
    yield from _changes(
        f"{was.reference}, ", was.model_dump(), now.model_dump(), _COMPARED_OF_FEATURES
    )


def _changes(
    of: str, before: Mapping[str, Any], after: Mapping[str, Any], names: Iterable[str]
) -> Iterator[str]:
    for name in names:
        if before.get(name) != after.get(name):
            yield f"{of}{name}: {before.get(name)} / {after.get(name)}"


def _of_rows(
    before: Manifest, after: Manifest, rows_before: pa.Table, rows_after: pa.Table
) -> Iterator[str]:
    if rows_before.num_rows != rows_after.num_rows:
        yield f"rows: {rows_before.num_rows:,} / {rows_after.num_rows:,}"
        return
    if before.entity_columns != after.entity_columns:
        return
    changed = [
        name
        for name in before.entity_columns
        if column_digest(rows_before[name]) != column_digest(rows_after[name])
    ]
    if changed:
        yield f"entity rows: other values of {', '.join(changed)}"
        return
    others = {feature.reference: feature for feature in after.features}
    for feature in before.features:
        other = others.get(feature.reference)
        if other is not None and other.sha256 != feature.sha256:
            count = count_different(rows_before[feature.column], rows_after[other.column])
            if count:
                yield f"{feature.reference}: {count:,} of {len(rows_before):,} values are different"
