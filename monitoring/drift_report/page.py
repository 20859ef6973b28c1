"""The report: one HTML file that needs no others."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from monitoring.drift_report import words
from monitoring.drift_report.plots import DRIFTED, REFERENCE, STEADY, measurement_plot
from transformations.drift.measuring import Measurement

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
    page.write_text(render_report(measurements, now=now))
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
        drifted=sum(found.comparison.drifted for found in ordered),
        now=now,
        colors={"reference": REFERENCE, "steady": STEADY, "drifted": DRIFTED},
    )


def _rank(measurement: Measurement) -> float:
    worst = [f.severity for f in measurement.comparison.findings if f.drifted]
    return max(worst, default=0.0)


def _card(measurement: Measurement) -> dict[str, object]:
    comparison = measurement.comparison
    worst = list(comparison.worst().values())[::-1]
    ordered = sorted(worst, key=lambda f: (-f.drifted, -f.severity))
    return {
        "feature": measurement.feature,
        "against": measurement.against,
        "reference": measurement.reference,
        "current": measurement.current,
        "sampled": len(measurement.current.values),
        "drifted": comparison.drifted,
        "sentences": [words.sentence(f) for f in ordered if f.drifted][:_SENTENCES],
        "farthest": ordered[0] if ordered else None,
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
