"""What OpenLineage's naming specification calls tables, files and feature versions."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from feature_repo.registry.metadata import FeatureVersion
from foundation.postgres import Connection
from transformations.engines.sources import Sources

NAMESPACE_VARIABLE = "OPENLINEAGE_NAMESPACE"
_NAMESPACE = "feature_store"
_PORT = 5432


class DatasetName(NamedTuple):
    """What tells a dataset from all others."""

    namespace: str
    name: str


@dataclass(frozen=True)
class Naming:
    """
    Names of what a run reads and writes.

    Attributes:
        namespace: Of jobs and of feature versions, which are no tables of their own.
        server: Namespace of PostgreSQL's tables: `postgres://host:port`.
        schema: Database and schema of the source tables: `shop.public`.
        files: Where source tables are that are not in PostgreSQL, by name.
    """

    namespace: str
    server: str
    schema: str
    files: Mapping[str, str]

    def table(self, name: str) -> DatasetName:
        """Return the name of a source table, or of the files that stand in for it."""
        if name in self.files:
            return _file(self.files[name])
        return DatasetName(self.server, f"{self.schema}.{name}")

    def feature(self, feature: FeatureVersion) -> DatasetName:
        """Return the name of a feature version."""
        return DatasetName(self.namespace, feature.view_name)


def naming_of(connection: Connection, sources: Sources) -> Naming:
    """
    Return the names that hold for a run.

    Args:
        connection: To the PostgreSQL that it uses.
        sources: Where it finds source tables otherwise.
    """
    info = connection.info
    # A folder is that of a socket: the server is on this machine.
    host = platform.node() if info.host.startswith("/") or not info.host else info.host
    row = connection.execute("SELECT current_schema()").fetchone()
    return Naming(
        namespace=os.environ.get(NAMESPACE_VARIABLE) or _NAMESPACE,
        server=f"postgres://{host}:{info.port or _PORT}",
        schema=f"{info.dbname}.{row[0] if row else 'public'}",
        files=sources.by_table(),
    )


def _file(path: str) -> DatasetName:
    parts = urlsplit(path)
    if parts.scheme in ("", "file"):
        return DatasetName("file", Path(parts.path).absolute().as_posix())
    return DatasetName(f"{parts.scheme}://{parts.netloc}", parts.path.lstrip("/"))
