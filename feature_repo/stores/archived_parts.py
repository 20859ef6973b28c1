"""Which months of the history have been dropped, and in which parts of the archive they are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.partitions import Month, month_of
from foundation.errors import ContractViolation
from foundation.postgres import Connection

# Every driver reads it. Later parts of a month have later names.
ARCHIVED_PARTS = """
SELECT month::text, part, features, manifest_sha256, removed_at
FROM archived_parts ORDER BY month, part
"""

_INSERT = """
INSERT INTO archived_parts (month, part, features, manifest_sha256) VALUES (%s, %s, %s, %s)
"""
_REMOVE = "UPDATE archived_parts SET removed_at = now() WHERE month = %s AND part = %s"


@dataclass(frozen=True)
class ArchivedPart:
    """
    All that PostgreSQL held of a month when it dropped it.

    A month that is written to again is dropped again, and then has another part.

    Attributes:
        month: Which.
        name: Of the part; those of later ones are greater.
        features: References of the feature versions that have values in it.
        manifest_sha256: Digest of the manifest that lies with its files.
        removed_at: When its files were removed, because they were too old; None: they are there.
    """

    month: Month
    name: str
    features: frozenset[str]
    manifest_sha256: str
    removed_at: datetime | None = None

    @property
    def month_name(self) -> str:
        """Like `2026-05`."""
        return f"{self.month.start:%Y-%m}"


def parts_within(
    parts: Iterable[ArchivedPart], feature: FeatureVersion, *, start: datetime, end: datetime
) -> list[ArchivedPart]:
    """
    Return the parts that may have values of a feature version and a time.

    Args:
        parts: Of all months.
        feature: Whose values.
        start: First instant.
        end: Last one.

    Raises:
        ContractViolation: Such values were removed.
    """
    found = [
        part
        for part in parts
        if feature.reference in part.features and part.month.start <= end and part.month.end > start
    ]
    for part in found:
        if part.removed_at is not None:
            raise ContractViolation(
                f"{feature.reference}: its values of {part.month_name} were removed on "
                f"{part.removed_at:%Y-%m-%d}, as FEATURE_STORE_ARCHIVE_RETENTION_DAYS says",
                hint=f"Ask for nothing before {part.month.end:%Y-%m-%d}; a row looks back "
                f"{feature.look_back}.",
            )
    return found


def archived_parts(connection: Connection) -> list[ArchivedPart]:
    """Return the parts of all months, ascending, in the order in which they were written."""
    return [archived_part(*row) for row in connection.execute(ARCHIVED_PARTS).fetchall()]


def archived_part(
    first_day: str,
    name: str,
    features: Sequence[str],
    manifest_sha256: str,
    removed_at: datetime | None,
) -> ArchivedPart:
    """Return a part from a row of `ARCHIVED_PARTS`."""
    month = month_of(datetime.fromisoformat(first_day).replace(tzinfo=UTC))
    return ArchivedPart(month, name, frozenset(features), manifest_sha256, removed_at)


def record(connection: Connection, part: ArchivedPart) -> None:
    """Write down that a month's values are in a part of the archive."""
    row = (part.month.start, part.name, sorted(part.features), part.manifest_sha256)
    connection.execute(_INSERT, row)


def record_removal(connection: Connection, part: ArchivedPart) -> None:
    """Write down that the files of a part are gone."""
    connection.execute(_REMOVE, (part.month.start, part.name))
