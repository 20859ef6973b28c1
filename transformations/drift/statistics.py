"""
Distances between two samples, each with the probability of one as great by chance.

A distance alone cries wolf over small samples, a probability alone over large ones, where every
difference is significant. Whoever asks needs both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from transformations.quality.distribution import Distribution

Numbers = NDArray[np.float64]

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
# What lies beyond is taken for what lies there: one giant value must not move the mean.
_WINSORIZED = (0.005, 0.995)
# Of both samples together; the approximation of chi-square needs so many in each interval.
_FEWEST_IN_BIN = 10


@dataclass(frozen=True)
class Distance:
    """
    How far two samples differ in one respect.

    Attributes:
        statistic: psi, ks, mean, quantile, count, null_rate, new_keys, vanished_keys or key_share.
        score: The distance; 0 for equal samples.
        p_value: Probability of one at least as great if both samples came from one population.
        reference: The figure of the reference, where one number tells it.
        current: The same of the current values.
        key: The map key, string or quantile concerned; empty if there is none.
    """

    statistic: str
    score: float
    p_value: float
    reference: float | None = None
    current: float | None = None
    key: str = ""


def number_distances(reference: Numbers, current: Numbers) -> list[Distance]:
    """
    Compare two samples of finite numbers.

    Returns:
        Nothing if either sample is too small to tell.
    """
    distribution = Distribution.of(reference)
    if distribution is None or Distribution.of(current) is None:
        return []
    found = [
        _stability(distribution, reference, current),
        _kolmogorov_smirnov(reference, current),
        _mean_shift(reference, current),
        _quantile_shift(reference, current),
    ]
    return [distance for distance in found if distance is not None]


def count_distance(reference: int, current: int) -> Distance:
    """
    Tell by which share there are fewer entities; more of them are no distance.

    Args:
        reference: How many there were, at least one.
        current: How many there are.
    """
    # Of two equally probable counts, each of all cases is as likely to be in one as in the other.
    p_value = float(stats.binom.cdf(current, reference + current, 0.5))
    score = max(0.0, 1.0 - current / reference)
    return Distance("count", score, p_value, float(reference), float(current))


def rate_distance(
    statistic: str, reference: tuple[int, int], current: tuple[int, int], *, key: str = ""
) -> Distance:
    """
    Compare how often something is the case.

    Args:
        statistic: Name of the distance.
        reference: In how many cases, of how many.
        current: Likewise.
        key: What is concerned.
    """
    (hits, count), (current_hits, current_count) = reference, current
    rates = hits / count, current_hits / current_count
    return Distance(
        statistic,
        score=abs(rates[1] - rates[0]),
        p_value=_fisher(hits, count - hits, current_hits, current_count - current_hits),
        reference=rates[0],
        current=rates[1],
        key=key,
    )


def key_distances(
    reference: Mapping[str, int], current: Mapping[str, int], *, counts: tuple[int, int]
) -> list[Distance]:
    """
    Compare which keys entities have; a string is the one key of its entity.

    Args:
        reference: In how many entities each key is.
        current: Likewise.
        counts: Entities of the reference, and current ones.

    Returns:
        Of new keys, vanished ones and those that stayed the one that differs most, as far as there
        are any; each probability is that of the most different of so many keys.
    """
    found: dict[str, list[Distance]] = {"new_keys": [], "vanished_keys": [], "key_share": []}
    for key in sorted(reference.keys() | current.keys()):
        before, now = reference.get(key, 0), current.get(key, 0)
        kind = "key_share" if before and now else "vanished_keys" if before else "new_keys"
        shares = before / counts[0], now / counts[1]
        found[kind].append(Distance(kind, abs(shares[1] - shares[0]), 1.0, *shares, key=key))
    greatest = []
    tried = sum(len(distances) for distances in found.values())
    for kind, distances in found.items():
        if distances:
            key = max(distances, key=lambda distance: distance.score).key
            hits = (reference.get(key, 0), counts[0]), (current.get(key, 0), counts[1])
            one = rate_distance(kind, *hits, key=key)
            p_value = min(1.0, one.p_value * tried)
            greatest.append(Distance(kind, one.score, p_value, one.reference, one.current, key=key))
    return greatest


def category_stability(reference: Mapping[str, int], current: Mapping[str, int]) -> Distance | None:
    """Return the stability index of the strings' shares; None if all have the same string."""
    categories = sorted(reference.keys() | current.keys())
    table = np.array([[counts.get(c, 0) for c in categories] for counts in (reference, current)])
    return _stability_of(_with_rare_ones_together(table))


def _stability(distribution: Distribution, reference: Numbers, current: Numbers) -> Distance | None:
    edges = np.asarray(distribution.edges)
    table = np.array(
        [
            np.bincount(np.searchsorted(edges, sample, side="right"), minlength=edges.size + 1)
            for sample in (reference, current)
        ]
    )
    return _stability_of(_with_neighbours(table))


def _stability_of(table: NDArray[np.int64]) -> Distance | None:
    """Return the index of a table of counts, two rows, less what chance alone makes of it."""
    if table.shape[1] < 2:  # noqa: PLR2004 - two intervals, or there is nothing to compare
        return None
    counts = table.sum(axis=1)
    # Half a case in an empty interval: its logarithm would be infinite.
    expected, observed = (np.maximum(table, 0.5) / counts[:, None])[:]
    index = float(stats.entropy(observed, expected) + stats.entropy(expected, observed))
    by_chance = (table.shape[1] - 1) * float((1 / counts).sum())
    p_value = float(stats.chi2_contingency(table, correction=False).pvalue)
    return Distance("psi", max(0.0, index - by_chance), p_value)


def _kolmogorov_smirnov(reference: Numbers, current: Numbers) -> Distance:
    result = stats.ks_2samp(reference, current, method="asymp")
    return Distance("ks", float(result.statistic), float(result.pvalue))


def _mean_shift(reference: Numbers, current: Numbers) -> Distance | None:
    limits = np.quantile(np.concatenate([reference, current]), _WINSORIZED)
    before, now = np.clip(reference, *limits), np.clip(current, *limits)
    deviation = float(before.std(ddof=1))
    if deviation == 0.0 or now.std() == 0.0:
        return None  # there is nothing to measure by; the stability index sees it
    # Student's and not Welch's: with both variances taken together, it holds for skewed samples of
    # unequal sizes, too, as long as both are of one population.
    p_value = float(stats.ttest_ind(before, now).pvalue)
    shift = abs(float(now.mean() - before.mean())) / deviation
    return Distance("mean", shift, p_value, float(reference.mean()), float(current.mean()))


def _quantile_shift(reference: Numbers, current: Numbers) -> Distance | None:
    before, now = np.quantile(reference, _QUANTILES), np.quantile(current, _QUANTILES)
    scale = float(before[-1] - before[0])
    if scale == 0.0:
        return None
    shifts = np.abs(now - before) / scale
    # How many of either sample lie below a quantile of both together is hypergeometric, whatever
    # the distribution: the probability is exact.
    cuts = np.quantile(np.concatenate([reference, current]), _QUANTILES)
    p_values = []
    for cut in cuts:
        below, below_now = int((reference <= cut).sum()), int((current <= cut).sum())
        p_values.append(_fisher(below, reference.size - below, below_now, current.size - below_now))
    worst = int(shifts.argmax())
    return Distance(
        "quantile",
        float(shifts[worst]),
        min(1.0, min(p_values) * len(p_values)),
        float(before[worst]),
        float(now[worst]),
        key=f"{_QUANTILES[worst]:.0%} quantile",
    )


def _with_neighbours(table: NDArray[np.int64]) -> NDArray[np.int64]:
    """Merge adjacent intervals until each holds enough."""
    merged: list[NDArray[np.int64]] = []
    for column in table.T:
        if merged and merged[-1].sum() < _FEWEST_IN_BIN:
            merged[-1] = merged[-1] + column
        else:
            merged.append(column)
    if len(merged) > 1 and merged[-1].sum() < _FEWEST_IN_BIN:
        rest = merged.pop()
        merged[-1] = merged[-1] + rest
    return np.array(merged).T


def _with_rare_ones_together(table: NDArray[np.int64]) -> NDArray[np.int64]:
    """Merge categories that few have into one."""
    rare = table.sum(axis=0) < _FEWEST_IN_BIN
    common = table[:, ~rare]
    rest = table[:, rare].sum(axis=1, keepdims=True)
    return np.hstack([common, rest]) if rest.sum() else common


@lru_cache(maxsize=4_096)
def _fisher(hits: int, misses: int, current_hits: int, current_misses: int) -> float:
    table = [[hits, misses], [current_hits, current_misses]]
    return float(stats.fisher_exact(table).pvalue)
