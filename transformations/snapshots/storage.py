"""Where snapshots are."""

from dataclasses import dataclass
from datetime import date

from transformations.file_store import FileStore
from transformations.snapshots.manifest import Manifest, day_folder, day_of, manifest_path


@dataclass(frozen=True)
class Storage(FileStore):
    """Snapshots below a root, a folder each."""

    def days(self) -> list[date]:
        """Return the days that have a complete snapshot, ascending."""
        days = [day for name in self.folders() if (day := day_of(name)) is not None]
        complete = self.are_files([manifest_path(day) for day in days])
        return sorted(day for day, is_complete in zip(days, complete, strict=True) if is_complete)

    def manifest(self, day: date) -> Manifest | None:
        """
        Return the manifest of a day's snapshot; None if there is no complete one.

        Raises:
            ContractViolation: The manifest can't be read.
        """
        content = self.read(manifest_path(day))
        if content is None:
            return None
        text = content.decode(errors="replace")
        return Manifest.from_json(text, where=self.path(manifest_path(day)))

    def commit(self, manifest: Manifest) -> None:
        """Write a manifest: in one step, so that it is there as a whole or not at all."""
        self.put(manifest_path(manifest.day), manifest.to_json().encode())

    def remove(self, day: date) -> None:
        """Remove a day's snapshot: the manifest first, so that half of it is taken for nothing."""
        self.delete_file(manifest_path(day))
        self.delete_folder(day_folder(day))
