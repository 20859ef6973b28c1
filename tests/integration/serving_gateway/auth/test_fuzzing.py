"""Whatever is sent, and whatever is not: the gateway answers as its OpenAPI document says."""

from collections.abc import Mapping
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from feature_repo.registry.catalog import Catalog
from foundation.settings import Settings
from serving_gateway.app import create_app
from tests.integration.serving_gateway.auth.conftest import bearer

_APP = create_app(Settings(), catalog_reader=lambda: Catalog(features=[], services={}))
schema = schemathesis.openapi.from_dict(_APP.openapi())
# One good credential is sent; others have tests of their own.
schema.config.generation.update(with_security_parameters=False)


@schema.parametrize()
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_documented(
    case: schemathesis.Case[Any], guarded_gateway: httpx.Client, keys: Mapping[str, str]
) -> None:
    """Status, content type, headers and body, of requests that are right, wrong and strange."""
    url = str(guarded_gateway.base_url)
    # No schema says which entities a feature is of.
    inexpressible = [positive_data_acceptance]
    # Feast takes 0 for false, and so do we for its callers.
    lenient = [negative_data_rejection] if case.path == "/get-online-features" else []
    case.call_and_validate(
        base_url=url, headers=bearer(keys["admin"]), excluded_checks=[*inexpressible, *lenient]
    )
