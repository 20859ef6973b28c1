"""What is made from what, and what a change reaches."""

import xml.etree.ElementTree as ET

import pytest

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.gather import gather_features, gather_services
from feature_repo.registry.lineage_graph import Direction, NodeKind, around, lineage_graph
from feature_repo.registry.lineage_pictures import lineage_mermaid, lineage_record, lineage_svg
from feature_repo.registry.metadata import ComputationFacts
from foundation.errors import UnknownNode

FEATURES = gather_features()
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
    found = around(GRAPH, node, direction=Direction.DOWN)
    return {name for name, kind in found.nodes.items() if kind is not NodeKind.TABLE}


def test_a_column_reaches_what_reads_it() -> None:
    """Directly or by a dependency; not what reads other columns, but what may read any."""
    reached = affected("products.category")
    assert {"category_popularity==1.0.0", "user_category_affinity==1.0.0"} <= reached
    assert "recommendation_v1" in reached
    assert "product_freshness_score==1.0.0" not in reached
    assert "search_keyword_score==1.0.0" in reached  # nobody knows which columns it reads
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
    reached = affected("events.event_id")
    assert "user_activity_level==1.0.0" in reached  # nobody knows which columns it reads
    assert not reached & COLUMNS.keys()


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
    record = lineage_record(GRAPH, {"popularity_score==1.0.0": {"status": "succeeded"}})
    runs = {node["name"]: node["last_run"] for node in record["nodes"]}
    assert runs["popularity_score==1.0.0"] == {"status": "succeeded"}
    assert runs["ranking_v1"] is None
