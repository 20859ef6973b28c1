"""A plan, as somebody sees it."""

from feature_repo.registry.contract import Bump, FieldChange
from feature_repo.registry.gather import gather_features
from feature_repo.registry.inventory import Consumer
from feature_repo.registry.plan import Change, Kind, Plan, ServiceChange
from feature_repo.registry.plan_report import plan_markdown, plan_table
from feature_repo.registry.plan_rules import Refusal
from foundation.cli import plain_text

FEATURES = {feature.reference: feature for feature in gather_features()}
STABLE = FEATURES["popularity_score==1.0.0"]


def test_a_plan_as_a_table() -> None:
    """Each change, who uses it, why it is refused, and who should look at it."""
    change = Change(
        STABLE,
        Kind.CHANGED,
        [FieldChange("description", "Of [events].", "Of [/]."), FieldChange("default", "0", "1")],
        Bump.PATCH,
        Refusal("it is [so]", "Do [otherwise]."),
        [Consumer("feature a==1.0.0", "search"), Consumer("experiment e", None, is_direct=False)],
    )
    service = ServiceChange("search_v1", Kind.CHANGED, "search", ["a==1.0.0"], ["b==1.0.0"])
    table = plain_text(plan_table(Plan([change], [service])))
    for told in (
        "description: Of [events]. → Of [/].",
        "PATCH",
        "feature a==1.0.0 (search)",
        "indirectly experiment e",
        "it is [so]",
        "Do [otherwise].",
        "+ a==1.0.0",
        "- b==1.0.0",
        "`make apply` refuses this.",
    ):
        assert told in table
    fine = Plan([Change(STABLE, Kind.ADDED)], [service])
    assert "For review: ranking, search." in plain_text(plan_table(fine))
    assert plan_markdown(fine).splitlines()[2:4] == [
        "| added | `popularity_score==1.0.0` |  |  |  |",
        "| changed | service `search_v1` | + a==1.0.0<br>- b==1.0.0 |  |  |",
    ]
