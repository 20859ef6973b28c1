"""What is made from what: source columns, feature versions, feature services; pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.metadata import UNKNOWN_COMPUTATION
from foundation.errors import UnknownNode


class Direction(StrEnum):
    """Which way to follow."""

    UP = "up"
    DOWN = "down"


class NodeKind(StrEnum):
    """What a node is."""

    TABLE = "table"
    FEATURE = "feature"
    SERVICE = "service"


@dataclass(frozen=True)
class Edge:
    """
    What one node takes from another.

    Attributes:
        source: A source table, or a feature version's reference.
        target: A feature version's reference, or the name of a feature service.
        columns: Of a source table, the columns that are read; None: of what is no table, and where
            nobody knows which.
    """

    source: str
    target: str
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Graph:
    """
    Nodes, each after those that it is made from, and what is between them.

    Attributes:
        nodes: What each is, by name.
        edges: What is made from what.
        columns: What each source table has, by name; of a missing one nobody knows.
    """

    nodes: Mapping[str, NodeKind]
    edges: Sequence[Edge]
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def levels(self) -> dict[str, int]:
        """Return by node how many steps lie before it, at most; feature services come last."""
        found = dict.fromkeys(self.nodes, 0)
        for _ in self.nodes:
            for edge in self.edges:
                found[edge.target] = max(found[edge.target], found[edge.source] + 1)
        services = [name for name, kind in self.nodes.items() if kind is NodeKind.SERVICE]
        return found | dict.fromkeys(services, max(found.values(), default=0))


def lineage_graph(catalog: Catalog) -> Graph:
    """Return the graph of all that is deployed."""
    tables = dict.fromkeys(chain.from_iterable(feature.source for feature in catalog.features))
    nodes = dict.fromkeys(tables, NodeKind.TABLE)
    nodes |= {feature.reference: NodeKind.FEATURE for feature in catalog.features}
    nodes |= dict.fromkeys(catalog.services, NodeKind.SERVICE)
    edges: list[Edge] = []
    has: dict[str, Sequence[str]] = {}
    for feature in catalog.features:
        facts = catalog.computations.get(feature.reference, UNKNOWN_COMPUTATION)
        has |= facts.tables
        for table in feature.source:
            columns = facts.columns.get(table)
            known = None if columns is None else tuple(columns)
            edges.append(Edge(table, feature.reference, known))
        edges += [Edge(each, feature.reference) for each in feature.dependencies if each in nodes]
    for name, members in catalog.services.items():
        edges += [Edge(reference, name) for reference in members]
    return Graph(nodes, edges, has)


def around(
    graph: Graph, node: str, *, direction: Direction | None = None, depth: int | None = None
) -> Graph:
    """
    Return what a node is made from, what is made from it, or both.

    Args:
        graph: Of everything.
        node: A table (`events`), a column (`events.event_type`), a feature (all versions), a
            reference, or a feature service.
        direction: One way only; None: both.
        depth: Steps to go; None: all.

    Raises:
        UnknownNode: There is no such node.
    """
    starts, column = _starts(graph, node)
    edges: dict[Edge, None] = {}
    for way in Direction if direction is None else (direction,):
        edges |= dict.fromkeys(_walk(graph, starts, way, depth, column))
    named = {*starts, *chain.from_iterable((edge.source, edge.target) for edge in edges)}
    return Graph(
        {name: kind for name, kind in graph.nodes.items() if name in named},
        [edge for edge in graph.edges if edge in edges],
        {name: columns for name, columns in graph.columns.items() if name in named},
    )


def reached(graph: Graph, node: str) -> dict[str, NodeKind]:
    """
    Return the feature versions and feature services that a change of a node reaches.

    Args:
        graph: Of everything.
        node: As for `around`; it, or all versions of it, are not among them.

    Raises:
        UnknownNode: There is no such node.
    """
    starts, _ = _starts(graph, node)
    found = around(graph, node, direction=Direction.DOWN).nodes
    beyond = {name: kind for name, kind in found.items() if kind is not NodeKind.TABLE}
    return {name: kind for name, kind in beyond.items() if name not in starts}


def _starts(graph: Graph, node: str) -> tuple[list[str], str | None]:
    if node in graph.nodes:
        return [node], None
    versions = [name for name in graph.nodes if name.startswith(f"{node}==")]
    if versions:
        return versions, None
    table, _, column = node.partition(".")
    known = _columns_of(graph, table)
    if column in known:
        return [table], column
    if known:
        raise UnknownNode(
            f"{node!r} is no column of the source table {table!r}",
            hint=f"Its columns are {', '.join(known)}.",
        )
    raise UnknownNode(
        f"{node!r} is no source table or column, feature or feature service",
        hint=f"There are {', '.join(graph.nodes)}; columns are written like events.event_type.",
    )


def _columns_of(graph: Graph, table: str) -> Sequence[str]:
    """Return what a table has, or, of one that was applied before anybody looked, what is read."""
    read = chain.from_iterable(e.columns or () for e in graph.edges if e.source == table)
    return graph.columns.get(table) or list(dict.fromkeys(read))


def _walk(
    graph: Graph, starts: Iterable[str], way: Direction, depth: int | None, column: str | None
) -> Iterator[Edge]:
    seen = front = set(starts)
    while front and depth != 0:
        step = [
            edge
            for edge in graph.edges
            if (edge.source if way is Direction.DOWN else edge.target) in front
            and (column is None or edge.columns is None or column in edge.columns)
        ]
        yield from step
        ends = {edge.target if way is Direction.DOWN else edge.source for edge in step}
        front = ends - seen
        seen = seen | front
        depth = None if depth is None else depth - 1
        column = None  # beyond the table, what is made from a column is affected whole
