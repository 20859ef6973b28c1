"""Whatever the OpenAPI document allows, and what it doesn't: no answer is the gateway's fault."""

import copy
from collections.abc import Mapping
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    response_schema_conformance,
    status_code_conformance,
)

from feature_repo.registry.catalog import Catalog
from foundation.settings import Settings
from serving_gateway.app import create_app
from tests.integration.serving_gateway.auth.conftest import bearer


def _document() -> dict[str, Any]:
    """Return the OpenAPI document without credentials, of which one good one is sent."""
    app = create_app(Settings(), catalog_reader=lambda: Catalog(features=[], services={}))
    document = copy.deepcopy(app.openapi())
    del document["components"]["securitySchemes"]
    for operations in document["paths"].values():
        for operation in operations.values():
            del operation["security"]
    return document


schema = schemathesis.openapi.from_dict(_document())


@schema.parametrize()
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_no_request_breaks_the_gateway(
    case: schemathesis.Case[Any], guarded_gateway: httpx.Client, keys: Mapping[str, str]
) -> None:
    """Each operation, with requests that are right, wrong and strange: as documented, never 5xx."""
    response = case.call(base_url=str(guarded_gateway.base_url), headers=bearer(keys["admin"]))
    case.validate_response(
        response,
        checks=[not_a_server_error, response_schema_conformance, status_code_conformance],
    )
