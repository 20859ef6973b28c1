"""The document of all features."""

from feature_repo.registry.feature_pages import features_markdown
from feature_repo.registry.gather import gather_features
from feature_repo.registry.inventory import Inventory
from feature_repo.registry.metadata import Status

FEATURES = {feature.reference: feature for feature in gather_features()}
STABLE = FEATURES["popularity_score==1.0.0"]


def test_the_document_of_features() -> None:
    """All of them at its head, with all their versions; and every digit of every number."""
    odd = STABLE.with_changes(
        parameters={"window_days": 1_234_567.0, "share": 0.123456789},
        tags=("beta",),
        expectations={"min_row_count_ratio": 0.975},
    )
    newer = STABLE.with_changes(version="1.2.0", status=Status.STAGED, owner="search")
    services = {"search_v1": [odd.reference, newer.reference]}
    text = features_markdown(Inventory([newer, odd], services, {"search_v1": "search"}))
    head, _, rest = text.partition("## Feature services")
    assert head.splitlines()[-2] == (
        "| [`popularity_score`](#popularity_score) | product | 1.0.0 (active), 1.2.0 (staged) "
        "| 5 min | ranking | Views, carts and purchases of the last 90 days, weighted 1, 2 and 3, "
        "halving every 14 days, relative to the most popular product |"
    )
    assert "`popularity_score==1.2.0` once it is active" in rest
    assert "| parameters | window_days 1234567, share 0.123456789 | window_days 90" in rest
    assert "| tags | beta | behavior, ranking_signal |" in rest
    assert "97.5% of the last run's rows" in rest
    assert "| used by | feature service search_v1 (search) |" in rest
