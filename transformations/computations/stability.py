"""How far two distributions differ."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Stands for a share of none, whose logarithm is infinite.
_SMALLEST_SHARE = 1e-4

Numbers = NDArray[np.float64]


def stability_index(expected: Sequence[float], observed: Sequence[float]) -> float:
    """
    Return the population stability index of two distributions over the same intervals.

    It is the sum of (p - q) ln(p / q) over the intervals' shares p and q: 0 for equal shares;
    beyond 0.25 it is commonly taken for a significant shift (Siddiqi, Credit Risk Scorecards,
    2006).

    Args:
        expected: Share of the values in each interval, or their count.
        observed: The same of other values.
    """
    p, q = (_shares(np.asarray(each, np.float64)) for each in (observed, expected))
    return float(np.sum((p - q) * np.log(p / q)))


def _shares(weights: Numbers) -> Numbers:
    shares = np.maximum(weights / weights.sum(), _SMALLEST_SHARE)
    normalized: Numbers = shares / shares.sum()
    return normalized
