"""The one file that Feast's CLI imports: every definition as a Feast object."""

import sys

from feast import Project

from feature_repo.entities import ENTITIES
from feature_repo.registry.catalog import read_catalog
from feature_repo.registry.deployment import current_plan, read_repository
from feature_repo.registry.plan_report import violations_text
from feature_repo.registry.views import feature_service, feature_view
from foundation import clock
from foundation.errors import DefinitionError, FeatureStoreError
from foundation.settings import load_settings

_now = clock.now()
try:
    _catalog = read_catalog()
    _repository = read_repository(_catalog, now=_now)
    _plan = current_plan(load_settings(), _repository, _catalog, now=_now)
except DefinitionError as error:
    sys.exit(f"Nothing was applied. A definition is wrong:\n{error}")
except FeatureStoreError as error:
    sys.exit(f"Nothing was applied.\n{error}")
if _plan.violations:
    _refused = violations_text(_plan.violations)
    sys.exit(f"Nothing was applied. It would break what is deployed:\n{_refused}")

_views = [
    (feature, feature_view(feature, _repository.computations[feature.reference]))
    for feature in _repository.features
]

# Feast looks for its objects among a module's attributes.
project = Project(
    name="feature_store", description="Features for search, recommendation and ranking."
)
globals().update({f"entity_{entity.name}": entity for entity in ENTITIES})
globals().update({view.name: view for _, view in _views})
globals().update(
    {service.name: feature_service(service, _views) for service in _repository.services}
)
