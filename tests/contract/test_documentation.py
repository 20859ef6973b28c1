"""What callers learn from: the document under /docs explains and shows everything."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from feature_repo.registry.catalog import Catalog
from foundation.settings import Settings
from serving_gateway.api.documentation import TAGS
from serving_gateway.app import create_app

DOCUMENT = create_app(
    Settings(), catalog_reader=lambda: Catalog(features=[], services={})
).openapi()
OPERATIONS = [
    (f"{method} {path}", operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]
NAMES = [name for name, _ in OPERATIONS]
SHOWN = [operation for _, operation in OPERATIONS]


def _shown(content: dict[str, Any]) -> Iterator[Any]:
    """Yield the examples of a body."""
    yield from (example["value"] for example in content.get("examples", {}).values())
    if "example" in content:
        yield content["example"]
    reference = content["schema"].get("$ref", "").rpartition("/")[2]
    schema = DOCUMENT["components"]["schemas"].get(reference, content["schema"])
    yield from schema.get("examples", [])
    fields = schema.get("properties", {})
    if fields and all("examples" in fields[name] for name in schema.get("required", [])):
        yield {name: field["examples"][0] for name, field in fields.items() if "examples" in field}


@pytest.mark.parametrize("operation", SHOWN, ids=NAMES)
def test_a_route_is_explained(operation: dict[str, Any]) -> None:
    """By a summary, a text, a tag that is explained too, and its parameters' descriptions."""
    assert operation["summary"]
    assert operation["description"]
    assert set(operation["tags"]) <= {tag["name"] for tag in TAGS if tag["description"]}
    for parameter in operation.get("parameters", []):
        assert parameter["description"]
        assert "example" in parameter or parameter["schema"].get("examples")


@pytest.mark.parametrize("operation", SHOWN, ids=NAMES)
def test_bodies_have_examples_that_fit(operation: dict[str, Any]) -> None:
    """Of requests, answers and problems."""
    asked = [operation["requestBody"]] if "requestBody" in operation else []
    for body in [*asked, *operation["responses"].values()]:
        for content in body.get("content", {}).values():
            examples = list(_shown(content))
            assert examples
            for example in examples:
                jsonschema_rs.validate(
                    {**content["schema"], "components": DOCUMENT["components"]}, example
                )


@pytest.mark.parametrize("operation", SHOWN, ids=NAMES)
def test_answers_are_described(operation: dict[str, Any]) -> None:
    """With the header that every answer has; problems with an example."""
    for status, answer in operation["responses"].items():
        assert answer["description"]
        assert "X-Request-ID" in answer["headers"]
        problem = answer.get("content", {}).get("application/problem+json")
        if problem is not None:
            assert problem["example"]["status"] == int(status)
            assert problem["example"]["hint"]
