"""What callers rely on: which routes need which scope."""

from feature_repo.registry.catalog import Catalog
from foundation.settings import Settings
from serving_gateway.app import create_app

# POST, for its body's sake, but for reading.
READING = {
    ("post", "/get-online-features"),
    ("post", "/v1/features/batch"),
    ("post", "/v1/feature-services/{service_name}"),
}
OPEN = {("get", "/health"), ("get", "/ready")}


def test_who_may_read_may_change_nothing() -> None:
    """What is not a GET, nor named here, is for admins."""
    app = create_app(Settings(), catalog_reader=lambda: Catalog(features=[], services={}))
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            scopes = {
                scope for way in operation["security"] for names in way.values() for scope in names
            }
            if (method, path) in OPEN:
                assert not operation["security"]
            elif method == "get" or (method, path) in READING:
                assert scopes == {"read"}
            else:
                assert scopes == {"admin"}, f"declare {method} {path} with requires(...)"
