"""The canonical list of features, as Markdown: a table of all, and a section for each."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from feature_repo.registry.expectations import Expectations
from feature_repo.registry.inventory import Inventory, consumers_of
from feature_repo.registry.metadata import FeatureVersion, Status
from feature_repo.registry.tables import duration_in_words

_HEAD = """\
# Features

Made by `python -m feature_repo docs` from the definitions; `make check` tells when it is out of
date.

| feature | of | versions | every | owner | what it is |
|---|---|---|---|---|---|
"""
_COMPUTED_IN = "../transformations/computations/{}.py"


def features_markdown(inventory: Inventory) -> str:
    """Return the document of all defined features."""
    ordered = sorted(inventory.features, key=lambda f: (f.feature_name, f.parsed_version))
    by_name = {name: list(each) for name, each in groupby(ordered, lambda f: f.feature_name)}
    rows = "".join(_row(name, versions) for name, versions in by_name.items())
    services = _services(inventory)
    sections = "\n".join(_section(name, versions, inventory) for name, versions in by_name.items())
    return f"{_HEAD}{rows}\n{services}\n{sections}"


def _row(name: str, versions: Sequence[FeatureVersion]) -> str:
    published = [version for version in versions if version.status is not Status.STAGED]
    newest = (published or versions)[-1]
    listed = ", ".join(f"{v.version} ({v.status})" for v in versions)
    cells = (
        f"[`{name}`](#{name})",
        newest.entity,
        listed,
        _frequency(newest),
        newest.owner,
        newest.description.partition(". ")[0].rstrip("."),
    )
    return _line(cells)


def _services(inventory: Inventory) -> str:
    staged = {f.reference for f in inventory.features if f.status is Status.STAGED}
    lines = ["## Feature services\n"]
    for name, members in sorted(inventory.services.items()):
        parts = [f"`{each}`{' once it is active' if each in staged else ''}" for each in members]
        lines.append(f"- **{name}** ({inventory.service_owners[name]}): {', '.join(parts)}")
    return "\n".join(lines) + "\n"


def _section(name: str, versions: Sequence[FeatureVersion], inventory: Inventory) -> str:
    facts = [_facts(version, inventory) for version in versions]
    heading = _line(["", *(version.version for version in versions)])
    rule = _line(["---"] * (len(versions) + 1))
    rows = "".join(_line([fact, *(each[fact] for each in facts)]) for fact in facts[0])
    descriptions = "".join(f"- **{v.version}** {v.description}\n" for v in versions)
    return f"## {name}\n\n{descriptions}\n{heading}{rule}{rows}"


def _facts(feature: FeatureVersion, inventory: Inventory) -> dict[str, str]:
    life = [feature.status.value]
    for word, instant in (
        ("since", feature.deprecated_at),
        ("sunset", feature.sunset_at),
        ("decided", feature.decided_at),
    ):
        if instant is not None:
            life.append(f"{word} {instant:%Y-%m-%d}")
    if feature.replaced_by:
        life.append(f"use `{feature.replaced_by}`")
    parameters = ", ".join(f"{name} {_number(value)}" for name, value in feature.parameters.items())
    return {
        "status": ", ".join(life),
        "owner": feature.owner,
        "tags": ", ".join(feature.tags) or "-",
        "type": feature.feature_type
        + (f" of {feature.vector_length}" if feature.vector_length else ""),
        "of": feature.entity,
        "join keys": _codes(feature.join_keys),
        "computed by": f"[{feature.computation}]({_COMPUTED_IN.format(feature.computation)})",
        "parameters": parameters or "-",
        "computed together as": f"`{feature.job}`" if feature.job else "-",
        "from": _codes([*feature.source, *feature.dependencies]),
        "every": _frequency(feature),
        "staleness tolerance": duration_in_words(feature.staleness_tolerance),
        "kept in the history every": duration_in_words(feature.history_interval),
        "default": "null" if feature.default is None else f"`{feature.default}`",
        "default from the values of": f"`{feature.default_values_of}`"
        if feature.default_values_of
        else "-",
        "valid range": "-"
        if feature.valid_range is None
        else " to ".join(map(_number, feature.valid_range)),
        "a run must have": _expectations(feature.expectations),
        "drift beyond": _drift_limits(feature),
        "alerts": _alert_limits(feature),
        "served from": ", ".join(feature.serving_location) or "computed on demand",
        "created, updated": f"{feature.created_at:%Y-%m-%d}, {feature.updated_at:%Y-%m-%d}",
        "used by": ", ".join(map(str, consumers_of(feature.reference, inventory, {}))) or "-",
    }


def _expectations(demanded: Expectations) -> str:
    words = [
        f"{demanded.min_row_count:,} rows or more",
        f"{_share(demanded.min_row_count_ratio)} of the last run's rows",
        f"a stability index of {_number(demanded.max_stability_index)} or less",
    ]
    if demanded.mean_between is not None:
        words.append(f"a mean of {' to '.join(map(_number, demanded.mean_between))}")
    words += [
        f"{_share(share)} nulls or fewer in `{column}`"
        for column, share in demanded.max_null_shares.items()
    ]
    words += [
        f"{_share(ratio)} of the last run's {metric}"
        for metric, ratio in demanded.min_metric_ratios.items()
    ]
    return ", ".join(words)


def _drift_limits(feature: FeatureVersion) -> str:
    if feature.computation_frequency is None:
        return "-"
    limits = feature.drift.model_dump(exclude_none=True)
    return ", ".join(f"{name} {_number(limit)}" for name, limit in limits.items()) or "-"


def _alert_limits(feature: FeatureVersion) -> str:
    limits, words = feature.alerts, []
    if limits.hit_rate is not None and feature.serving_location:
        words.append(f"less than {_share(limits.hit_rate)} from Redis")
    if limits.unavailable is not None:
        words.append(f"more than {_share(limits.unavailable)} defaults")
    return ", ".join(words) or "-"


def _frequency(feature: FeatureVersion) -> str:
    if feature.computation_frequency is None:
        return "on demand"
    return duration_in_words(feature.computation_frequency)


def _number(value: float) -> str:
    """Return a number with all its digits, and none that say nothing."""
    return repr(value).removesuffix(".0")


def _share(value: float) -> str:
    # Hundredfold, many a share has digits at the far end that nobody wrote.
    return f"{_number(round(100 * value, 9))}%"


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
