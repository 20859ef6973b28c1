"""What is different between two training sets."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.training.comparison import differs
from feature_repo.training.folder import read_manifest, read_rows
from feature_repo.training.manifest import FeatureRecord, Manifest


def differences(first: Path, second: Path) -> list[str]:
    """
    Return what is different, in words; empty if the sets are the same to the byte.

    Values are compared row by row if the entity rows are the same.

    Raises:
        ConfigurationError: There is no training set in a folder.
        ContractViolation: A file has changed, or a manifest can't be understood.
    """
    before, after = read_manifest(first), read_manifest(second)
    if before == after:
        return []
    tables = read_rows(first, before), read_rows(second, after)
    return [
        *_of_manifests(before, after),
        *_of_features(before, after),
        *_of_rows(before, after, *tables),
    ]


def _of_manifests(before: Manifest, after: Manifest) -> Iterator[str]:
    for name in ("known_at", "labels", "first_timestamp", "last_timestamp"):
        values = getattr(before, name), getattr(after, name)
        if values[0] != values[1]:
            yield f"{name}: {values[0]} / {values[1]}"
    for name in sorted({*before.environment, *after.environment}):
        versions = before.environment.get(name), after.environment.get(name)
        if versions[0] != versions[1]:
            yield f"environment, {name}: {versions[0]} / {versions[1]}"


def _of_features(before: Manifest, after: Manifest) -> Iterator[str]:
    was = {feature.reference: feature for feature in before.features}
    now = {feature.reference: feature for feature in after.features}
    yield from (f"{reference}: only in the first" for reference in was if reference not in now)
    yield from (f"{reference}: only in the second" for reference in now if reference not in was)
    for reference, feature in was.items():
        if reference in now:
            yield from _of_feature(feature, now[reference])


def _of_feature(was: FeatureRecord, now: FeatureRecord) -> Iterator[str]:
    if was.code_fingerprint != now.code_fingerprint:
        yield f"{was.reference}: computed by other code"
    if was.null_rate != now.null_rate:
        yield f"{was.reference}: null rate {was.null_rate:.2%} / {now.null_rate:.2%}"


def _of_rows(
    before: Manifest, after: Manifest, rows_before: pa.Table, rows_after: pa.Table
) -> Iterator[str]:
    if rows_before.num_rows != rows_after.num_rows:
        yield f"rows: {rows_before.num_rows:,} / {rows_after.num_rows:,}"
        return
    if list(before.entity_columns) != list(after.entity_columns):
        yield f"entity columns: {before.entity_columns} / {after.entity_columns}"
        return
    changed = [n for n in before.entity_columns if _count(rows_before[n], rows_after[n])]
    if changed:
        yield f"entity rows: other values of {', '.join(changed)}"
        return
    columns = {feature.reference: feature.column for feature in after.features}
    for feature in before.features:
        if feature.reference in columns:
            other = rows_after[columns[feature.reference]]
            count = _count(rows_before[feature.column], other)
            if count:
                yield f"{feature.reference}: {count:,} of {len(other):,} values are different"


def _count(first: pa.ChunkedArray, second: pa.ChunkedArray) -> int:
    if first.type != second.type:
        return len(first)
    return int(pc.sum(differs(first.combine_chunks(), second.combine_chunks())).as_py() or 0)
