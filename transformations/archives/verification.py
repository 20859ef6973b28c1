"""Is the archive still what it was when it was written?"""

from feature_repo.stores.archived_parts import ArchivedPart
from foundation.errors import ContractViolation
from transformations.archives.manifest import manifest_path
from transformations.archives.storage import Archive
from transformations.value_files import file_problems


def verify(archive: Archive, part: ArchivedPart) -> list[str]:
    """
    Compare a part's files with its manifest, and that with what PostgreSQL remembers.

    Returns:
        What is wrong, in words; empty if nothing is.
    """
    try:
        manifest = archive.manifest(part)
    except ContractViolation as error:
        return [error.message]
    path = manifest_path(part.month, part.name)
    return file_problems(archive, manifest.folder, manifest.files, manifest_path=path)
