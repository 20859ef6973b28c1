"""Lineage as a tree for a terminal, as Mermaid, as plain values, and as a picture (SVG); pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from rich.text import Text
from rich.tree import Tree

from feature_repo.registry.lineage_graph import Direction, Edge, Graph, NodeKind

# Of each feature version, how its last runs went, newest first.
Facts = Mapping[str, Sequence[Mapping[str, Any]]]

_STYLES = {NodeKind.TABLE: "cyan", NodeKind.FEATURE: "green", NodeKind.SERVICE: "magenta"}
_COLORS = {NodeKind.TABLE: "#dbeafe", NodeKind.FEATURE: "#dcfce7", NodeKind.SERVICE: "#f3e8ff"}
_LINES = {NodeKind.TABLE: "#2563eb", NodeKind.FEATURE: "#16a34a", NodeKind.SERVICE: "#9333ea"}
_SHAPES = {NodeKind.TABLE: "[({})]", NodeKind.FEATURE: "[{}]", NodeKind.SERVICE: "([{}])"}
# Of the picture, in pixels.
_ROW, _HEIGHT, _GAP, _MARGIN, _LETTER = 54, 34, 110, 24, 7.6


def lineage_tree(graph: Graph, node: str, direction: Direction, facts: Facts) -> Tree:
    """
    Return what a node is made from, or what is made from it, as a tree.

    Args:
        graph: What is around the node.
        node: As it was asked for.
        direction: Which way the branches go.
        facts: Of each feature version, how its computations went.
    """
    downwards = direction is Direction.DOWN
    ends: dict[str, list[Edge]] = defaultdict(list)
    for edge in graph.edges:
        ends[edge.source if downwards else edge.target].append(edge)
    inner = {edge.target if downwards else edge.source for edge in graph.edges}
    tree = Tree(Text.assemble("what is made from " if downwards else "what makes ", (node, "bold")))

    seen: set[str] = set()

    def grow(branch: Tree, name: str, columns: tuple[str, ...]) -> None:
        label = _label(graph, name, columns, facts)
        grown = branch.add(label)
        if name in seen and ends[name]:
            # What many are made from would be there once for each way that leads to it.
            label.append(" …, see above", "dim")
            return
        seen.add(name)
        for edge in ends[name]:
            grow(grown, edge.target if downwards else edge.source, edge.columns or ())

    for root in [name for name in graph.nodes if name not in inner]:
        grow(tree, root, ())
    return tree


def lineage_record(graph: Graph, facts: Facts) -> dict[str, Any]:
    """Return nodes and edges as plain values; runs are None where there are no facts."""
    return {
        "nodes": [
            {"name": name, "kind": kind.value, "runs": facts.get(name)}
            for name, kind in graph.nodes.items()
        ],
        "edges": [
            {"source": edge.source, "target": edge.target, "columns": list(edge.columns or ())}
            for edge in graph.edges
        ],
    }


def lineage_mermaid(graph: Graph) -> str:
    """Return a flowchart for Markdown."""
    ids = {name: f"n{number}" for number, name in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    for name, kind in graph.nodes.items():
        lines.append("    " + ids[name] + _SHAPES[kind].format(f'"{name}"'))
    for edge in graph.edges:
        label = f'|"{", ".join(edge.columns)}"|' if edge.columns else ""
        lines.append(f"    {ids[edge.source]} -->{label} {ids[edge.target]}")
    return "\n".join(lines) + "\n"


def lineage_svg(graph: Graph) -> str:
    """Return a picture: a column a level, and a curve for what is made from what."""
    levels = graph.levels()
    columns: dict[int, list[str]] = defaultdict(list)
    for name in graph.nodes:
        columns[levels[name]].append(name)
    places: dict[str, tuple[float, float, float]] = {}
    tallest = max((len(names) for names in columns.values()), default=1)
    x = float(_MARGIN)
    for level in sorted(columns):
        names = columns[level]
        width = max(len(name) for name in names) * _LETTER + 24
        top = _MARGIN + (tallest - len(names)) * _ROW / 2
        for number, name in enumerate(names):
            places[name] = (x, top + number * _ROW, width)
        x += width + _GAP
    size = (x - _GAP + _MARGIN, tallest * _ROW + 2 * _MARGIN)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]:.0f} {size[1]:.0f}" '
        f'width="{size[0]:.0f}" height="{size[1]:.0f}" font-family="ui-monospace, monospace" '
        'font-size="12.5"><rect width="100%" height="100%" fill="white"/>'
    )
    parts = [_curve(places[edge.source], places[edge.target], edge) for edge in graph.edges]
    parts += [_box(places[name], name, kind) for name, kind in graph.nodes.items()]
    return "\n".join([head, *parts, "</svg>\n"])


def _label(graph: Graph, name: str, columns: tuple[str, ...], facts: Facts) -> Text:
    read = f" ({', '.join(columns)})" if columns else ""
    text = Text.assemble((name, _STYLES[graph.nodes[name]]), (read, "dim"))
    runs = facts.get(name)
    if runs:
        text.append(f"  {_told(runs[0])}")
        earlier = [run for run in runs[1:] if run["status"] != runs[0]["status"]]
        if earlier:
            text.append(f"; before {_told(earlier[0])}")
    return text


def _told(run: Mapping[str, Any]) -> str:
    text = f"{run['status']} as of {run['as_of']:%Y-%m-%d %H:%M}"
    if run["row_count"] is not None:
        text += f", {run['row_count']:,} values"
    if run["failed_checks"]:
        text += f", failed checks: {', '.join(run['failed_checks'])}"
    return text


def _curve(
    source: tuple[float, float, float], target: tuple[float, float, float], edge: Edge
) -> str:
    x1, y1 = source[0] + source[2], source[1] + _HEIGHT / 2
    x2, y2 = target[0], target[1] + _HEIGHT / 2
    middle = (x1 + x2) / 2
    title = f"<title>{escape(', '.join(edge.columns))}</title>" if edge.columns else ""
    return (
        f'<path d="M{x1:.0f},{y1:.0f} C{middle:.0f},{y1:.0f} {middle:.0f},{y2:.0f} '
        f'{x2:.0f},{y2:.0f}" fill="none" stroke="#94a3b8" stroke-width="1.4">{title}</path>'
    )


def _box(place: tuple[float, float, float], name: str, kind: NodeKind) -> str:
    x, y, width = place
    return (
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{_HEIGHT}" rx="7" '
        f'fill="{_COLORS[kind]}" stroke="{_LINES[kind]}"/>'
        f'<text x="{x + width / 2:.0f}" y="{y + _HEIGHT / 2 + 4:.0f}" text-anchor="middle">'
        f"{escape(name)}</text>"
    )
