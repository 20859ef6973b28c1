"""Findings as sentences."""

from transformations.drift.detection import Finding

NAMES = {
    "psi": "Stability index",
    "ks": "Kolmogorov-Smirnov",
    "mean": "Mean shift",
    "quantile": "Quantile shift",
    "count": "Fewer entities",
    "null_rate": "Nulls",
    "new_keys": "New keys",
    "vanished_keys": "Vanished keys",
    "key_share": "Share of a key",
}

_SENTENCES = {
    "psi": "The distribution of {subject} shifted: stability index {score:.2f}.",
    "ks": "Up to {score:.0%} of {subject} moved past some point.",
    "mean": "The mean of {subject} went from {before:.3g} to {now:.3g}, "
    "by {score:.2f} standard deviations.",
    "quantile": "The {key} of {subject} went from {before:.3g} to {now:.3g}.",
    "count": "Entities went from {before:,.0f} to {now:,.0f}.",
    "null_rate": "Nulls went from {before:.1%} to {now:.1%}.",
    "new_keys": "“{key}” is new: {now:.1%} of entities have it.",
    "vanished_keys": "“{key}” is gone: {before:.1%} of entities had it.",
    "key_share": "Entities with “{key}” went from {before:.1%} to {now:.1%}.",
}


def sentence(finding: Finding) -> str:
    """Say what a finding means."""
    distance = finding.distance
    return _SENTENCES[distance.statistic].format(
        subject="values" if finding.column in {"keys", "value"} else finding.column,
        key=distance.key,
        score=distance.score,
        before=distance.reference,
        now=distance.current,
    )


def place(finding: Finding) -> str:
    """Say where a distance was found; empty if its statistic says it all."""
    column = "" if finding.column in {"entities", "keys", "nulls", "value"} else finding.column
    return ", ".join(part for part in (column, finding.distance.key) if part)


def chance(p_value: float) -> str:
    """Return how probable a distance is by chance."""
    return "< 10⁻⁴" if p_value < 0.0001 else f"{p_value:.2g}"  # noqa: PLR2004 - as far as it tells
