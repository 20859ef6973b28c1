"""What is made from what, and what a change reaches."""

import itertools
import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import pytest

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.gather import gather_features, gather_services
from feature_repo.registry.lineage_graph import (
    Direction,
    Edge,
    Graph,
    NodeKind,
    around,
    lineage_graph,
    reached,
)
from feature_repo.registry.lineage_pictures import (
    lineage_mermaid,
    lineage_record,
    lineage_svg,
    lineage_tree,
)
from feature_repo.registry.metadata import ComputationFacts
from foundation.cli import plain_text
from foundation.errors import UnknownNode

FEATURES = gather_features()
NOW = datetime(2026, 12, 1, tzinfo=UTC)
COLUMNS = {
    "popularity_score==1.0.0": {"events": ["event_type", "product_id"], "products": ["created_at"]},
    "category_popularity==1.0.0": {"events": ["event_type"], "products": ["category"]},
    "user_category_affinity==1.0.0": {"events": ["user_id"], "products": ["category"]},
    "product_freshness_score==1.0.0": {"products": ["created_at"]},
}
CATALOG = Catalog(
    FEATURES,
    {service.name: service.features for service in gather_services(FEATURES)},
    {
        reference: ComputationFacts(
            "", columns, {"events": ["event_id", "event_type", "product_id", "user_id"]}
        )
        for reference, columns in COLUMNS.items()
    },
)
GRAPH = lineage_graph(CATALOG)


def affected(node: str) -> set[str]:
    """Return what a change of a node reaches."""
    return set(reached(GRAPH, node))


def test_a_column_reaches_what_reads_it() -> None:
    """Directly or by a dependency; not what reads other columns, but what may read any."""
    by_column = affected("products.category")
    assert {"category_popularity==1.0.0", "user_category_affinity==1.0.0"} <= by_column
    assert "recommendation_v1" in by_column
    assert "product_freshness_score==1.0.0" not in by_column
    assert "search_keyword_score==1.0.0" in by_column  # nobody knows which columns it reads
    by_dependency = affected("events.event_type")
    assert "user_category_affinity==1.0.0" in by_dependency
    assert "product_freshness_score==1.0.0" not in by_dependency


def test_up_and_down_and_both() -> None:
    """A feature without its version stands for all of them."""
    up = around(GRAPH, "user_category_affinity", direction=Direction.UP)
    assert {"events", "products", "category_popularity==1.0.0"} <= up.nodes.keys()
    assert "recommendation_v1" not in up.nodes
    both = around(GRAPH, "user_category_affinity==1.0.0")
    assert {"events", "recommendation_v1"} <= both.nodes.keys()
    near = around(GRAPH, "recommendation_v1", direction=Direction.UP, depth=1)
    assert set(near.nodes) == {"recommendation_v1", *CATALOG.services["recommendation_v1"]}
    assert len(around(GRAPH, "popularity_score", direction=Direction.UP).nodes) == 5
    with pytest.raises(UnknownNode, match=r"'events\.nothing' is no column of"):
        around(GRAPH, "events.nothing")
    with pytest.raises(UnknownNode, match="'nothing' is no source table"):
        around(GRAPH, "nothing")


def test_a_column_that_nothing_reads_is_no_mistake() -> None:
    """A change of it reaches only what may read any column."""
    by_column = affected("events.event_id")
    assert "user_activity_level==1.0.0" in by_column  # nobody knows which columns it reads
    assert not by_column & COLUMNS.keys()


def test_each_node_comes_after_what_it_is_made_from() -> None:
    """On a level of its own to the right of them."""
    levels = GRAPH.levels()
    assert all(levels[edge.source] < levels[edge.target] for edge in GRAPH.edges)
    assert levels["events"] == 0


def test_pictures_show_every_node_and_edge() -> None:
    """As Mermaid, as SVG and as plain values."""
    mermaid, svg = lineage_mermaid(GRAPH), ET.fromstring(lineage_svg(GRAPH))  # noqa: S314 - our own
    space = {"svg": "http://www.w3.org/2000/svg"}
    texts = {element.text for element in svg.iterfind("svg:text", space)}
    assert texts == set(GRAPH.nodes)
    assert len(svg.findall("svg:path", space)) == len(GRAPH.edges) == mermaid.count("-->")
    assert '-->|"event_type, product_id"|' in mermaid
    record = lineage_record(GRAPH, {"popularity_score==1.0.0": [{"status": "succeeded"}]})
    runs = {node["name"]: node["runs"] for node in record["nodes"]}
    assert runs["popularity_score==1.0.0"] == [{"status": "succeeded"}]
    assert runs["ranking_v1"] is None


def test_a_tree_shows_what_is_shared_once() -> None:
    """Not once for each way that leads to it: there are thousands."""
    names = [f"f{level}" for level in range(14)]
    nodes = dict.fromkeys(
        [name for level in names for name in (level, f"{level}a", f"{level}b")], NodeKind.FEATURE
    )
    edges = [
        edge
        for above, below in itertools.pairwise(names)
        for side in "ab"
        for edge in (Edge(above, f"{above}{side}"), Edge(f"{above}{side}", below))
    ]
    graph = Graph(
        {name: nodes[name] for edge in edges for name in (edge.source, edge.target)}, edges
    )
    tree = plain_text(lineage_tree(graph, "f0", Direction.DOWN, {}))
    assert tree.count("f13") == 2
    assert tree.count("see above") == 12


def test_a_tree_tells_how_the_last_runs_ended() -> None:
    """A failed one has no values, and says what was well before it; brackets stay as they are."""
    graph = Graph({"a": NodeKind.FEATURE}, [])
    good = {"status": "succeeded", "as_of": NOW, "row_count": 7_000, "failed_checks": []}
    failed = good | {"status": "failed", "row_count": None, "failed_checks": ["range of f"]}
    told = [
        plain_text(lineage_tree(graph, "[a]", Direction.UP, {"a": runs}))
        for runs in ([good, good], [failed, failed, good], [])
    ]
    assert "what makes [a]" in told[0]
    assert "a  succeeded as of 2026-12-01 00:00, 7,000 values\n" in told[0]
    assert "a  failed as of 2026-12-01 00:00, failed checks: range of f; before suc" in told[1]
    assert "as of" not in told[2]
