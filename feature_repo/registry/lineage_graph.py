"""What is made from what: source columns, feature versions, feature services; pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from feature_repo.registry.catalog import Catalog
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
        columns: Of a source table, the columns that are read; none: nobody knows which.
    """

    source: str
    target: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Graph:
    """
    Nodes, each after those that it is made from, and what is between them.

    Attributes:
        nodes: What each is, by name.
        edges: What is made from what.
    """

    nodes: Mapping[str, NodeKind]
    edges: Sequence[Edge]

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
    edges = []
    for feature in catalog.features:
        facts = catalog.computations.get(feature.reference)
        for table in feature.source:
            columns = tuple(facts.columns.get(table, ())) if facts else ()
            edges.append(Edge(table, feature.reference, columns))
        edges += [Edge(each, feature.reference) for each in feature.dependencies if each in nodes]
    for name, members in catalog.services.items():
        edges += [Edge(reference, name) for reference in members]
    return Graph(nodes, edges)


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
    )


def _starts(graph: Graph, node: str) -> tuple[list[str], str | None]:
    if node in graph.nodes:
        return [node], None
    versions = [name for name in graph.nodes if name.startswith(f"{node}==")]
    if versions:
        return versions, None
    table, _, column = node.partition(".")
    if column and any(edge.source == table and column in edge.columns for edge in graph.edges):
        return [table], column
    raise UnknownNode(
        f"{node!r} is no source table or column, feature or feature service",
        hint=f"There are {', '.join(graph.nodes)}; of a table, the columns that a feature reads.",
    )


def _walk(
    graph: Graph, starts: Iterable[str], way: Direction, depth: int | None, column: str | None
) -> Iterator[Edge]:
    reached = front = set(starts)
    while front and depth != 0:
        step = [
            edge
            for edge in graph.edges
            if (edge.source if way is Direction.DOWN else edge.target) in front
            and (column is None or not edge.columns or column in edge.columns)
        ]
        yield from step
        ends = {edge.target if way is Direction.DOWN else edge.source for edge in step}
        front = ends - reached
        reached = reached | front
        depth = None if depth is None else depth - 1
        column = None  # beyond the table, what is made from a column is affected whole
