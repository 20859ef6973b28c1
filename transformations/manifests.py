"""What manifests of value files have in common: their text, and sums over what they list; pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from foundation.errors import ContractViolation
from transformations.value_files import ValueFile

_FORMAT = 1


class FileList:
    """
    A manifest, as far as it lists files.

    Attributes:
        files: They.
    """

    files: Sequence[ValueFile]

    @property
    def row_count(self) -> int:
        """Values in all files."""
        return sum(file.row_count for file in self.files)

    @property
    def byte_count(self) -> int:
        """Size of all files."""
        return sum(file.byte_count for file in self.files)


def manifest_text(facts: Mapping[str, str], files: Sequence[ValueFile]) -> str:
    """Return the text of a manifest that says these facts and lists these files."""
    record = {"format": _FORMAT, **facts, "files": [asdict(file) for file in files]}
    return json.dumps(record, indent=2) + "\n"


def manifest_record(text: str, *, where: str) -> tuple[Mapping[str, Any], Sequence[ValueFile]]:
    """
    Return the facts and files of a manifest.

    Args:
        text: What `manifest_text` gave.
        where: Its file, for errors.

    Raises:
        ContractViolation: It is of another format.
        ValueError, KeyError, TypeError: It is no manifest.
    """
    record = json.loads(text)
    if record["format"] != _FORMAT:
        raise ContractViolation(
            f"{where}: format {record['format']}, not {_FORMAT}",
            hint="A newer version of this project wrote it.",
        )
    return record, [ValueFile(**file) for file in record["files"]]
