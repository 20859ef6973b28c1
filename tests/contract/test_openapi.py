"""What callers rely on: the gateway's OpenAPI document changes only on purpose."""

import json
from pathlib import Path

from feature_repo.registry.catalog import Catalog
from foundation.settings import Settings
from serving_gateway.app import create_app

SNAPSHOT = Path(__file__).with_name("openapi.json")


def test_the_document_is_the_agreed_one() -> None:
    """Compare with the snapshot; after a wanted change, replace it with `make openapi`."""
    app = create_app(Settings(), catalog_reader=lambda: Catalog(features=[], services={}))
    assert app.openapi() == json.loads(SNAPSHOT.read_text()), "run `make openapi` if this is wanted"
