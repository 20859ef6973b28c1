"""Is a snapshot still what it was when it was made?"""

from datetime import date

from foundation.errors import ContractViolation
from transformations.snapshots.manifest import day_folder, manifest_path
from transformations.snapshots.storage import Storage
from transformations.value_files import file_problems


def verify(storage: Storage, day: date) -> list[str]:
    """
    Compare a day's files with its manifest: names, sizes, checksums, row counts.

    Returns:
        What is wrong, in words; empty if nothing is.
    """
    try:
        manifest = storage.manifest(day)
    except ContractViolation as error:
        return [error.message]
    if manifest is None:
        return [f"{day}: there is no snapshot"]
    return file_problems(storage, day_folder(day), manifest.files, manifest_path=manifest_path(day))
