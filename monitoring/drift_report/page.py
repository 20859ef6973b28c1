"""The report: one HTML file that needs no others."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from monitoring.drift_report import words
from monitoring.drift_report.plots import DRIFTED, REFERENCE, STEADY, measurement_plot
from transformations.drift.detection import State
from transformations.drift.records import Measurement
from transformations.quality.distribution import ENOUGH_VALUES

_SENTENCES = 4


def write_report(folder: Path, measurements: Sequence[Measurement], *, now: datetime) -> Path:
    """
    Write drift.html, what has drifted first.

    Args:
        folder: Where to; it is made if need be.
        measurements: What to show, at least one.
        now: Current instant.

    Returns:
        The path of the page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "drift.html"
    page.write_text(render_report(measurements, now=now), encoding="utf-8")
    return page


def render_report(measurements: Sequence[Measurement], *, now: datetime) -> str:
    """Return the page's HTML."""
    environment = Environment(
        loader=PackageLoader("monitoring.drift_report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    ordered = sorted(measurements, key=lambda found: (-_rank(found), found.feature.reference))
    return environment.get_template("page.html.j2").render(
        cards=[_card(found) for found in ordered],
        versions=len({found.feature.reference for found in ordered}),
        drifted=_count(ordered, State.DRIFTED),
        few=_count(ordered, State.TOO_FEW),
        State=State,
        enough=ENOUGH_VALUES,
        now=now,
        colors={"reference": REFERENCE, "steady": STEADY, "drifted": DRIFTED},
    )


def _count(measurements: Sequence[Measurement], state: State) -> int:
    """Return how many feature versions have a measurement of some state."""
    return len(
        {found.feature.reference for found in measurements if found.comparison.state is state}
    )


def _rank(measurement: Measurement) -> float:
    worst = [f.severity for f in measurement.comparison.findings if f.drifted]
    return max(worst, default=0.0)


def _card(measurement: Measurement) -> dict[str, object]:
    comparison = measurement.comparison
    worst = list(comparison.worst().values())[::-1]
    ordered = sorted(worst, key=lambda f: (-f.drifted, -f.severity))
    return {
        "id": f"{measurement.feature.view_name}-{measurement.against}",
        "feature": measurement.feature,
        "against": measurement.against,
        "reference": measurement.reference,
        "current": measurement.current,
        "sampled": len(measurement.current.values),
        "state": comparison.state,
        "sentences": [words.sentence(f) for f in ordered if f.drifted][:_SENTENCES],
        "rows": [
            {
                "name": words.NAMES[finding.distance.statistic],
                "where": words.place(finding),
                "score": f"{finding.distance.score:.3f}",
                "limit": f"{finding.limit:g}",
                "chance": words.chance(finding.distance.p_value),
                "width": _bar_width(finding.severity),
                "drifted": finding.drifted,
            }
            for finding in ordered
        ],
        "width": _bar_width(max((f.severity for f in worst), default=0.0)),
        "plot": measurement_plot(measurement),
    }


def _bar_width(severity: float) -> float:
    """Return the percentage of a bar: half of it is the limit, and all of it infinitely far."""
    return 100.0 * severity / (1.0 + severity)
