"""The archive as what historical retrieval reads of months that PostgreSQL has dropped."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import dataset

from feature_repo.history.versions import versions_schema
from feature_repo.registry.metadata import FeatureType, FeatureVersion
from feature_repo.stores.archived_parts import ArchivedPart
from feature_repo.stores.json_values import decode
from foundation.errors import FeatureStoreError, StoreUnavailable
from foundation.settings import Settings
from transformations.archives.manifest import Manifest
from transformations.archives.storage import Archive, loss
from transformations.archives.writing import ARCHIVE_SCHEMA
from transformations.value_files import ValueFile

_PARQUET = dataset.ParquetFileFormat(page_checksum_verification=True)
# Others travel as JSON text.
_DECODED = (FeatureType.FLOAT, FeatureType.STRING)
_COLUMNS = ["entity_id", "feature_value", "timestamp", "created_at", "replaced_at"]

Place = tuple[str | None, Path, ArchivedPart]


class ArchivedValues:
    """Reads parts of the archive. They don't change, so it remembers what their manifests say."""

    def __init__(self) -> None:
        self._known: dict[Place, tuple[Archive, Manifest]] = {}

    def read(
        self,
        settings: Settings,
        feature: FeatureVersion,
        part: ArchivedPart,
        *,
        ids: pa.Array | None,
        start: datetime,
        end: datetime,
    ) -> Iterator[pa.Table]:
        """
        Yield all that a part of the archive says of entities and a time, some megabytes a time.

        Args:
            settings: Say where the archive is.
            feature: Whose values; one that the part has.
            part: Which.
            ids: Entity ids that count; None: all.
            start: The first event timestamp that counts.
            end: The last one.

        Yields:
            Tables of `versions_schema`; replaced is null of what the history said last.

        Raises:
            ContractViolation: A file is missing or damaged.
            StoreUnavailable: The archive can't be reached.
        """
        archive, manifest = self._opened(settings, part)
        schema = versions_schema(feature)
        for rows in read_part(archive, manifest, part, feature, ids=ids, start=start, end=end):
            entity_id, text, timestamp, created, replaced = rows.columns
            is_text = feature.feature_type not in _DECODED
            value = text if is_text else decode(text.combine_chunks(), feature.feature_type)
            yield pa.table([entity_id, value, timestamp, created, replaced], schema=schema)

    def _opened(self, settings: Settings, part: ArchivedPart) -> tuple[Archive, Manifest]:
        place = (settings.snapshot_url, settings.data_dir, part)
        if place not in self._known:
            archive = Archive.open(settings)
            self._known[place] = (archive, archive.manifest(part))
        return self._known[place]


def read_part(
    archive: Archive,
    manifest: Manifest,
    part: ArchivedPart,
    feature: FeatureVersion,
    *,
    ids: pa.Array | None,
    start: datetime,
    end: datetime,
) -> Iterator[pa.Table]:
    """
    Yield the rows of a feature version in a part, as they were archived; see `ArchivedValues`.

    Yields:
        The columns of `ARCHIVE_SCHEMA` but for name and version.

    Raises:
        ContractViolation: The file is missing or damaged.
        StoreUnavailable: It can't be reached.
    """
    file = next(file for file in manifest.files if file.reference == feature.reference)
    path = archive.path(manifest.folder, file.path)
    timestamp, instant = pc.field("timestamp"), ARCHIVE_SCHEMA.field("timestamp").type
    counts = (timestamp >= pa.scalar(start, instant)) & (timestamp <= pa.scalar(end, instant))
    if ids is not None:
        counts &= pc.field("entity_id").isin(ids)
    try:
        fragment = _PARQUET.make_fragment(path, filesystem=archive.filesystem)
        if fragment.metadata.num_rows != file.row_count:
            raise loss(part, f"{path} is another file")
        for batch in fragment.to_batches(schema=ARCHIVE_SCHEMA, columns=_COLUMNS, filter=counts):
            yield pa.Table.from_batches([batch])
    except pa.ArrowException as error:
        raise loss(part, f"{path} can't be read: {error}") from error
    except OSError as error:
        raise _failure(archive, manifest, part, file, error) from error


def _failure(
    archive: Archive, manifest: Manifest, part: ArchivedPart, file: ValueFile, error: OSError
) -> FeatureStoreError:
    """Tell damage from an outage: Arrow's errors of checksums are of the type of a network's."""
    path = archive.path(manifest.folder, file.path)
    with archive.translated_errors():
        try:
            found = archive.digest(manifest.folder, file.path)
        except FileNotFoundError:
            return loss(part, f"{path} is missing")
    if found != (file.sha256, file.byte_count):
        return loss(part, f"{path} can't be read: {error}")
    return StoreUnavailable(f"{path}: {error}", hint="The file is sound; try again.")
