"""The catalog, as somebody sees it."""

from datetime import UTC, datetime, timedelta

from feature_repo.registry import lifecycle
from feature_repo.registry.catalog import Catalog
from feature_repo.registry.gather import gather_features
from feature_repo.registry.tables import catalog_table, feature_table
from foundation.cli import plain_text

FEATURES = {feature.reference: feature for feature in gather_features()}
STABLE = FEATURES["popularity_score==1.0.0"]
NOW = datetime(2026, 12, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def test_the_catalog_tells_of_sunsets() -> None:
    """Those that come, and those that have passed."""
    late = lifecycle.deprecate(STABLE, now=NOW - 9 * DAY, sunset_at=NOW, replaced_by=None)
    shown = [
        plain_text(catalog_table(Catalog([late], {}), now=now)) for now in (NOW - DAY, NOW + DAY)
    ]
    assert "deprecated until 2026-12-01" in " ".join(shown[0].split())
    assert "past its sunset" in " ".join(shown[1].split())


def test_a_feature_is_shown_as_it_describes_itself() -> None:
    """Whatever brackets it uses."""
    feature = STABLE.with_changes(description="Of [events], [/] and [bold].")
    assert "Of [events], [/] and [bold]." in plain_text(feature_table([feature]))
