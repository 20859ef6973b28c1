"""How values are distributed, in a form that a run record keeps, and how far two runs differ."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from transformations.computations.stability import stability_index

_QUANTILES = np.linspace(0.0, 1.0, 11)
# Of so many values a few more or less say nothing about their distribution.
ENOUGH_VALUES = 100
_MOST_VALUES = 1_000_000
# A value that so many share is an edge of its own, so that leaving it is seen.
_COMMON_SHARE = 0.05

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Distribution:
    """
    A histogram of values, with edges where the values themselves are.

    Attributes:
        edges: Ascending. An interval holds its lower edge, not its upper one.
        shares: Share of the values below the first edge, in each interval, and from the last edge
            on; one more than edges.
        mean: Of all values.
        count: Of all values.
    """

    edges: Sequence[float]
    shares: Sequence[float]
    mean: float
    count: int

    @classmethod
    def of(cls, values: Numbers) -> Self | None:
        """Return the distribution of finite numbers; None if they are too few to tell."""
        finite = values[np.isfinite(values)]
        if finite.size < ENOUGH_VALUES:
            return None
        sample = finite[:: max(1, finite.size // _MOST_VALUES)]
        edges = np.unique(np.quantile(sample, _QUANTILES))
        common = [e for e in edges if np.mean(sample == e) >= _COMMON_SHARE]
        edges = np.union1d(edges, np.nextafter(common, np.inf))
        return cls(edges.tolist(), _shares(sample, edges), float(finite.mean()), int(finite.size))

    @classmethod
    def from_record(cls, record: dict[str, Any] | None) -> Self | None:
        """Return what `as_record` gave."""
        return None if record is None else cls(**record)

    def as_record(self) -> dict[str, Any]:
        """Return the distribution as JSON-ready fields."""
        return asdict(self)

    def stability_index(self, values: Numbers) -> float:
        """Return the population stability index of other values against this distribution."""
        sample = values[:: max(1, values.size // _MOST_VALUES)]
        return stability_index(self.shares, _shares(sample, np.array(self.edges)))


def _shares(values: Numbers, edges: Numbers) -> list[float]:
    places = np.searchsorted(edges, values, side="right")
    shares: list[float] = (np.bincount(places, minlength=len(edges) + 1) / values.size).tolist()
    return shares
