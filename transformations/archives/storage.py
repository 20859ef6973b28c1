"""Where the archive is, beside the snapshots."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from feature_repo.stores.archived_parts import ArchivedPart
from feature_repo.stores.partitions import Month
from foundation.errors import ContractViolation
from transformations.archives.manifest import (
    Manifest,
    manifest_path,
    month_folder,
    part_folder,
    part_name,
    recorded,
)
from transformations.file_store import FileStore


@dataclass(frozen=True)
class Archive(FileStore):
    """Parts of months below a root, a folder each."""

    def manifest(self, part: ArchivedPart) -> Manifest:
        """
        Return the manifest of a part.

        Raises:
            ContractViolation: It is missing, or has changed.
            StoreUnavailable: The archive can't be reached.
        """
        path = manifest_path(part.month, part.name)
        content = self.read(path)
        if content is None:
            raise loss(part, f"{self.path(path)} is missing")
        if hashlib.sha256(content).hexdigest() != part.manifest_sha256:
            raise loss(part, f"{self.path(path)} has changed since it was written")
        return Manifest.from_json(content.decode(), where=path)

    def commit(self, manifest: Manifest) -> ArchivedPart:
        """Write a manifest, in one step, and return what PostgreSQL is to remember of it."""
        content = manifest.to_json().encode()
        self.put(manifest_path(manifest.month, manifest.part), content)
        return recorded(manifest, sha256=hashlib.sha256(content).hexdigest())

    def remove(self, part: ArchivedPart) -> None:
        """Remove a part's files."""
        self.delete_folder(part_folder(part.month, part.name))

    def remove_leftovers(self, month: Month, known: Collection[str]) -> None:
        """
        Remove what attempts that were cut off have left of a month.

        Args:
            month: Which.
            known: Names of its parts; what has a manifest stays, too.
        """
        for name in map(part_name, self.folders(month_folder(month))):
            if name not in known and self.read(manifest_path(month, name)) is None:
                self.delete_folder(part_folder(month, name))


def loss(part: ArchivedPart, reason: str) -> ContractViolation:
    """Return the error that values of a month can't be read."""
    return ContractViolation(
        f"the archive of {part.month_name} is damaged: {reason}",
        hint="PostgreSQL has dropped this month. Restore the file from a backup or an older "
        "version of the bucket; FEATURE_STORE_SNAPSHOT_URL says where it must be. "
        "`python -m transformations archive verify` finds all damage.",
    )
